"""Read HTTP/1 requests out of a client's bytes: with llhttp where it accepts them, else by a plain split.

Attacks are malformed on purpose, so what llhttp refuses becomes an event all the same. llhttp is fed line by line, and
a body of a stated length is counted here: so it is always known where one request ends and the next begins.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Any

from overproof.errors import MissingExtra
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.request import LONGEST_HEAD, REQUEST_LINE, Request, begins_http

_NEWLINES = re.compile(rb"[\r\n]*")


class HttpReader:
    """Read requests one after the other; see `event_draft.Reader`."""

    protocol: str | None = "http"

    def __init__(self, endpoints: Endpoints) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._buffer = bytearray()
        self._since: PacketRef | None = None  # where the buffer began, while it is not clear what it is
        self._request: Request | None = None
        self._parser: Any = None
        self._method = b""
        self._step = self._head
        self._remaining = 0  # bytes of the body to come
        self._rejected = self._upgraded = False  # by llhttp; to another protocol
        self.to_websocket = False  # whether it is the protocol of what is left

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        request = self._request
        return len(self._buffer) + (len(request.raw) + len(request.body) if request else 0)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read requests; see `event_draft.Reader`."""
        self._buffer += data
        drafts: list[EventDraft] = []
        while self._buffer and self.rest is None:
            if not (self._begin(ref) if self._request is None else self._step(drafts)):
                break
        return drafts

    def gap(self) -> list[EventDraft] | None:
        """End a request before the gap; see `event_draft.Reader`."""
        drafts = [draft._replace(overflow=True) for draft in self.finish(0)]
        self.rest = self.rest or b""
        return drafts or None

    def finish(self, total: int) -> list[EventDraft]:
        """Return the last request as far as it went; see `event_draft.Reader`."""
        drafts: list[EventDraft] = []
        rest = self._take(len(self._buffer))
        if self._request is None and self._since is not None and begins_http(rest, more=False):
            self._open(self._since)
        if self._request is None:
            self.rest = rest
        elif self._step == self._head:
            self._request.raw += rest
            self._method = self._request.split()
            self._request.cut = True
            self._end(drafts)
        else:
            self._request.on_body(rest)
            self._request.cut |= self._step != self._unbounded_body
            self._end(drafts)
        return drafts

    def _begin(self, ref: PacketRef) -> bool:
        """Begin a request, if the bytes do."""
        del self._buffer[: match.end() if (match := _NEWLINES.match(self._buffer)) else 0]
        verdict = begins_http(self._buffer) if self._buffer else None
        if verdict is None:
            self._since = self._since or ref
        elif verdict:
            self._open(self._since or ref)
        else:
            self.rest = self._take(len(self._buffer))
        return verdict is True

    def _open(self, ref: PacketRef) -> None:
        self._request = Request(ref)
        self._parser = httptools().HttpRequestParser(self._request)
        self._step, self._since = self._head, None
        self._rejected = self._upgraded = False

    # each step takes bytes off the buffer, and says whether it can be called again

    def _head(self, drafts: list[EventDraft]) -> bool:
        request = self._current
        end = self._buffer.find(b"\n") + 1
        if len(request.raw) + (end or len(self._buffer)) > LONGEST_HEAD:
            drafts += self.finish(0)
            self.rest = b""
            return False
        if not end:
            return False
        line = self._take(end)
        request.raw += line
        self._llhttp(line)
        if line not in (b"\r\n", b"\n"):
            return True
        self._method = request.split() if self._rejected else self._parser.get_method()
        request.find_codings()
        encoded = request.header(b"transfer-encoding") is not None and not request.complete
        self._remaining = 0 if encoded else request.content_length()
        self._step = self._sized_body if not encoded else self._unbounded_body if self._rejected else self._chunked_body
        return bool(encoded or self._remaining) or self._end(drafts)

    def _sized_body(self, drafts: list[EventDraft]) -> bool:
        part = self._take(self._remaining)
        self._current.on_body(part)
        self._remaining -= len(part)
        return self._remaining == 0 and self._end(drafts)

    def _chunked_body(self, drafts: list[EventDraft]) -> bool:
        line = self._take(self._buffer.find(b"\n") + 1 or len(self._buffer))
        self._llhttp(line)
        if self._rejected:
            self._current.on_body(line)
            self._step = self._unbounded_body
        return not self._current.complete or self._end(drafts)

    def _unbounded_body(self, drafts: list[EventDraft]) -> bool:
        """Read a body whose length nobody can tell: it lasts until a line that looks like a request."""
        end = self._buffer.find(b"\n") + 1
        if end and REQUEST_LINE.match(self._buffer, 0, end):
            return self._end(drafts)
        if not end and self._buffer[:1].isalpha() and len(self._buffer) < LONGEST_HEAD:
            return False
        self._current.on_body(self._take(end or len(self._buffer)))
        return True

    def _end(self, drafts: list[EventDraft]) -> bool:
        request = self._current
        drafts.append(request.draft(self._method, self._endpoints))
        self.to_websocket = self._upgraded and "websocket" in (request.header(b"upgrade") or "").lower()
        self._request = self._parser = None
        if self._upgraded:
            self.rest = self._take(len(self._buffer))
        return True

    @property
    def _current(self) -> Request:
        if self._request is None:
            raise RuntimeError("no request is open")
        return self._request

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _llhttp(self, data: bytes) -> None:
        if self._rejected:
            return
        try:
            self._parser.feed_data(data)
        except httptools().HttpParserUpgrade:
            self._upgraded = True
        except httptools().HttpParserError:
            self._rejected = True


@cache
def httptools() -> ModuleType:
    """Import httptools, once.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import httptools as package
    except ImportError:
        raise MissingExtra("reading pcap needs the package httptools: pip install 'overproof[pcap]'") from None
    return package
