"""What the parts of this package pass on: events before they are rows of a batch."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Spot(NamedTuple):
    """A packet as the place of something: its number and its time in seconds."""

    number: int
    time: float


class Ends(NamedTuple):
    """Who talks to whom; `source` opened the conversation. Ports are None where the transport has none."""

    source: str
    sport: int | None
    target: str
    dport: int | None
    transport: str
    flow_id: str

    @property
    def turned(self) -> Ends:
        """The same seen from the other side."""
        return self._replace(source=self.target, sport=self.dport, target=self.source, dport=self.sport)


class Draft(NamedTuple):
    """An event: its kind, text and place, and those of the contract's further columns that it knows."""

    kind: str
    text: str
    spot: Spot
    ends: Ends | None = None
    protocol: str | None = None
    host: str | None = None
    url: str | None = None
    method: str | None = None
    user_agent: str | None = None
    query: str | None = None
    src_ip: str | None = None
    dst_ip: str | None = None


class Reader(Protocol):
    """Reads what one side says.

    Attributes
    ----------
    protocol
        What it reads: http, tls, ….
    rest
        What was said after the protocol ended, for another reader; None while this one reads on.
    satisfied
        Whether nothing that may follow changes what it tells.
    held
        Bytes in memory.
    """

    protocol: str | None
    rest: bytes | None
    satisfied: bool

    @property
    def held(self) -> int: ...

    def feed(self, data: bytes, spot: Spot) -> list[Draft]:
        """Bytes in order; gives the events that they complete."""
        ...

    def gap(self) -> list[Draft]:
        """Bytes are missing here."""
        ...

    def finish(self, total: int) -> list[Draft]:
        """The conversation is over; both sides sent `total` bytes."""
        ...
