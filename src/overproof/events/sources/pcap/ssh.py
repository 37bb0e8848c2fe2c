"""Read the software version that an SSH client states, and write the session as an event."""

from __future__ import annotations

from overproof.events import templates
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded


class SshReader:
    """Read what software an SSH client says it is; see `event_draft.Reader`."""

    protocol: str | None = "ssh"

    def __init__(self, endpoints: Endpoints, ref: PacketRef) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._ref = ref
        self._data = b""

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read `SSH-2.0-OpenSSH_9.6 comment`, at most 255 bytes (RFC 4253, 4.2); see `event_draft.Reader`."""
        self._data = (self._data + data)[:255]
        self.done = b"\n" in self._data or len(self._data) == 255
        return []

    def gap(self) -> list[EventDraft]:
        """Ignore a gap; see `event_draft.Reader`."""
        return []

    def finish(self, total: int) -> list[EventDraft]:
        """Return the session; see `event_draft.Reader`."""
        words = self._data.split(b"\n")[0].split(b"-", 2)[-1].split()
        client = decoded(words[0]) if words else None
        text = templates.SshSession(
            self._endpoints.source, self._endpoints.target, port=self._endpoints.dport, client=client, bytes=total
        ).text
        return [EventDraft("ssh", text, self._ref, self._endpoints, "ssh")]
