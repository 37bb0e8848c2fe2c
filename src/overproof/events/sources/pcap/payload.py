"""The first bytes of a conversation that nothing here reads."""

from __future__ import annotations

from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.stream import decoded

FIRST = 2048  # bytes of a conversation that its payload event holds


class FirstBytes:
    """Keeps the first bytes of a protocol that nobody here reads, as a payload; see `drafts.Reader`."""

    def __init__(self, ends: Ends, spot: Spot, protocol: str | None) -> None:
        self.rest: bytes | None = None
        self.satisfied = False
        self.protocol = protocol
        self._ends = ends
        self._spot = spot
        self._data = b""

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, spot: Spot) -> list[Draft]:
        """See `drafts.Reader`."""
        self._data += data[: FIRST - len(self._data)]
        self.satisfied = len(self._data) >= FIRST
        return self.finish(0) if self.satisfied else []

    def gap(self) -> list[Draft]:
        """See `drafts.Reader`."""
        return []

    def finish(self, total: int) -> list[Draft]:
        """See `drafts.Reader`."""
        data, self._data = self._data, b""
        return [Draft("payload", decoded(data), self._spot, self._ends, self.protocol)] if data else []
