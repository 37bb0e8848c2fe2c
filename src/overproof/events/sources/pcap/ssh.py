"""What an SSH client says of itself, and the session as an event."""

from __future__ import annotations

from overproof.events.sources import templates
from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.stream import decoded


class SshReader:
    """Reads what software an SSH client says it is; see `drafts.Reader`."""

    protocol: str | None = "ssh"

    def __init__(self, ends: Ends, spot: Spot) -> None:
        self.rest: bytes | None = None
        self.satisfied = False
        self._ends = ends
        self._spot = spot
        self._data = b""

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, spot: Spot) -> list[Draft]:
        """See `drafts.Reader`: `SSH-2.0-OpenSSH_9.6 comment`, at most 255 bytes (RFC 4253, 4.2)."""
        self._data = (self._data + data)[:255]
        self.satisfied = b"\n" in self._data or len(self._data) == 255
        return []

    def gap(self) -> list[Draft]:
        """See `drafts.Reader`."""
        return []

    def finish(self, total: int) -> list[Draft]:
        """See `drafts.Reader`."""
        words = self._data.split(b"\n")[0].split(b"-", 2)[-1].split()
        client = decoded(words[0]) if words else None
        text = templates.ssh(self._ends.source, self._ends.target, port=self._ends.dport, client=client, bytes=total)
        return [Draft("ssh", text, self._spot, self._ends, "ssh")]
