"""Read the software version that an SSH client states, and write the session as an event."""

from __future__ import annotations

import re

from overproof.events import templates
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded

_UNUSUAL = re.compile(rb"""[^\w .,:;+~@()/-]""")  # in the comment behind a client's software: it is shown too
LONGEST = 255  # bytes of the line in which a client says what it is (RFC 4253, 4.2)


class SshReader:
    """Read what software an SSH client says it is; see `event_draft.Reader`."""

    protocol: str | None = "ssh"

    def __init__(self, endpoints: Endpoints, ref: PacketRef) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._ref = ref
        self._data = b""
        self._cut = False

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read `SSH-2.0-OpenSSH_9.6 comment`, at most `LONGEST` bytes; see `event_draft.Reader`."""
        self._data = (self._data + data)[:LONGEST]
        self.done = b"\n" in self._data or len(self._data) == LONGEST
        return []

    def gap(self) -> list[EventDraft] | None:
        """Mark the line as cut; see `event_draft.Reader`."""
        self._cut = True
        return []

    def finish(self, total: int) -> list[EventDraft]:
        """Return the session; see `event_draft.Reader`."""
        said = self._data.split(b"\n")[0].split(b"-", 2)[-1].strip()
        client = decoded(said if _UNUSUAL.search(said) else said.partition(b" ")[0]) or None
        text = templates.SshSession(
            self._endpoints.source, self._endpoints.target, port=self._endpoints.dport, client=client, bytes=total
        ).text
        cut = b"\n" not in self._data and (self._cut or len(self._data) == LONGEST)
        return [EventDraft("ssh", text, self._ref, self._endpoints, "ssh", overflow=cut)]
