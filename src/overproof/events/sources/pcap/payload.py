"""Keep the first bytes of a conversation that nothing here reads, as an event."""

from __future__ import annotations

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded

FIRST = 2048  # bytes of a conversation that its payload event holds


class PayloadReader:
    """Keep the first bytes of a protocol that nothing here reads, as a payload; see `event_draft.Reader`."""

    def __init__(self, endpoints: Endpoints, ref: PacketRef, protocol: str | None) -> None:
        self.rest: bytes | None = None
        self.done = False
        self.protocol = protocol
        self._endpoints = endpoints
        self._ref = ref
        self._data = b""

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Keep bytes; see `event_draft.Reader`."""
        self._data += data[: FIRST - len(self._data)]
        self.done = len(self._data) >= FIRST
        return self.finish(0) if self.done else []

    def gap(self) -> list[EventDraft]:
        """Ignore a gap; see `event_draft.Reader`."""
        return []

    def finish(self, total: int) -> list[EventDraft]:
        """Return the payload; see `event_draft.Reader`."""
        data, self._data = self._data, b""
        return [EventDraft("payload", decoded(data), self._ref, self._endpoints, self.protocol)] if data else []
