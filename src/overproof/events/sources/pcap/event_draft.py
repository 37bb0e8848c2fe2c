"""What the parts of this package pass on: events before they are rows of a batch."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class PacketRef(NamedTuple):
    """A packet as the place of something: its number and its time in seconds."""

    number: int
    time: float


class Endpoints(NamedTuple):
    """Who talks to whom; `source` opened the conversation. Ports are None where the transport has none."""

    source: str
    sport: int | None
    target: str
    dport: int | None
    transport: str
    flow_id: str

    @property
    def swapped(self) -> Endpoints:
        """The same seen from the other side."""
        return self._replace(source=self.target, sport=self.dport, target=self.source, dport=self.sport)


class EventDraft(NamedTuple):
    """An event: its kind, text and place, and those of the contract's further columns that it knows."""

    kind: str
    text: str
    ref: PacketRef
    endpoints: Endpoints | None = None
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
    done: bool

    @property
    def buffered(self) -> int: ...

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Bytes in order; gives the events that they complete."""
        ...

    def gap(self) -> list[EventDraft]:
        """Bytes are missing here."""
        ...

    def finish(self, total: int) -> list[EventDraft]:
        """The conversation is over; both sides sent `total` bytes."""
        ...
