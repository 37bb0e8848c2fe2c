"""Keep the first bytes of a conversation that nothing here reads, as an event; what is more is marked."""

from __future__ import annotations

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded

FIRST = 2048  # bytes of a conversation that its payload event holds


def payload(
    data: bytes, ref: PacketRef, endpoints: Endpoints, protocol: str | None, *, cut: bool = False
) -> EventDraft:
    """Write the first bytes of some as an event; what is more, or is known to be missing (`cut`), sets `overflow`."""
    overflow = cut or len(data) > FIRST
    return EventDraft("payload", decoded(data[:FIRST]), ref, endpoints, protocol, overflow=overflow)


class PayloadReader:
    """Keep the first bytes of a protocol that nothing here reads, as a payload; see `event_draft.Reader`."""

    def __init__(self, endpoints: Endpoints, ref: PacketRef, protocol: str | None) -> None:
        self.rest: bytes | None = None
        self.done = False
        self.protocol = protocol
        self._endpoints = endpoints
        self._ref = ref
        self._data = b""
        self._cut = False

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Keep bytes; see `event_draft.Reader`."""
        room = FIRST - len(self._data)
        self._data += data[:room]
        self.done = len(data) > room  # and not before: whether there is more is part of the event
        self._cut |= self.done
        return self.finish(0) if self.done else []

    def gap(self) -> list[EventDraft] | None:
        """Mark the payload as cut; see `event_draft.Reader`."""
        self._cut = True
        return [] if self._data or self.done else None

    def finish(self, total: int) -> list[EventDraft]:
        """Return the payload; see `event_draft.Reader`."""
        data, self._data = self._data, b""
        if not data:
            return []
        return [payload(data, self._ref, self._endpoints, self.protocol, cut=self._cut)]
