"""Define what the parts of this package pass on: events before they are rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from overproof.events.sources.structured import Value


class PacketRef(NamedTuple):
    """A packet as an event's place: its number and its time in seconds."""

    number: int
    time: float


class Endpoints(NamedTuple):
    """The two ends of a conversation; `source` opened it. Ports are None where the transport has none."""

    source: str
    sport: int | None
    target: str
    dport: int | None
    transport: str
    flow_id: str

    @property
    def swapped(self) -> Endpoints:
        """The same as seen from the other side."""
        return self._replace(source=self.target, sport=self.dport, target=self.source, dport=self.sport)


class EventDraft(NamedTuple):
    """An event: its kind, text and packet, and those of `STRUCTURED_COLUMNS` that it knows.

    `overflow` tells whether there was more of its content than the text has; `figures` are those of a sum over flows.
    """

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
    overflow: bool = False
    figures: Mapping[str, Value] | None = None


class Reader(Protocol):
    """Read what one side sends.

    Attributes
    ----------
    protocol
        What it reads: http, tls, ….
    rest
        The bytes after the protocol ended, for another reader; None while this one reads on.
    done
        Whether nothing that may follow changes its events.
    buffered
        Bytes in memory.
    """

    protocol: str | None
    rest: bytes | None
    done: bool

    @property
    def buffered(self) -> int: ...

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read bytes in order; return the events that they complete."""
        ...

    def gap(self) -> list[EventDraft] | None:
        """Note that bytes are missing here; return the events that end before them, with `overflow`.

        None where the bytes belong to no event that this reader has begun: then they have to be counted.
        """
        ...

    def finish(self, total: int) -> list[EventDraft]:
        """End the conversation, of which both sides sent `total` bytes; return the events that are left."""
        ...
