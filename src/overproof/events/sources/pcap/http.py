"""HTTP/1 requests out of a client's bytes: with llhttp where it accepts them, else by a plain split.

Attacks are malformed on purpose, so what llhttp refuses is still told. llhttp is fed line by line, and a body
of a stated length is counted here: so it is always known where one request ends and the next begins.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Any

from overproof.errors import MissingExtra
from overproof.events.sources.pcap.event_draft import Draft, Ends, Spot
from overproof.events.sources.pcap.request import LONGEST_HEAD, REQUEST_LINE, Request, begins_http

_NEWLINES = re.compile(rb"[\r\n]*")


class HttpReader:
    """Reads requests one after the other; see `drafts.Reader`."""

    protocol: str | None = "http"

    def __init__(self, ends: Ends) -> None:
        self.rest: bytes | None = None
        self.satisfied = False
        self._ends = ends
        self._buffer = bytearray()
        self._since: Spot | None = None  # where the buffer began, while it is not clear what it is
        self._request: Request | None = None
        self._parser: Any = None
        self._method = b""
        self._step = self._head
        self._left = 0  # bytes of the body to come
        self._refused = self._leaves = False  # by llhttp; to another protocol

    @property
    def held(self) -> int:
        """Bytes in memory."""
        request = self._request
        return len(self._buffer) + (len(request.raw) + len(request.body) if request else 0)

    def feed(self, data: bytes, spot: Spot) -> list[Draft]:
        """See `drafts.Reader`."""
        self._buffer += data
        drafts: list[Draft] = []
        while self._buffer and self.rest is None:
            if not (self._begin(spot) if self._request is None else self._step(drafts)):
                break
        return drafts

    def gap(self) -> list[Draft]:
        """See `drafts.Reader`: a request ends before the gap."""
        drafts = self.finish(0)
        self.rest = b""
        return drafts

    def finish(self, total: int) -> list[Draft]:
        """See `drafts.Reader`: the last request as far as it went."""
        drafts: list[Draft] = []
        rest = self._take(len(self._buffer))
        if self._request is None and self._since is not None and begins_http(rest, more=False):
            self._open(self._since)
        if self._request is None:
            self.rest = rest
        elif self._step == self._head:
            self._request.raw += rest
            self._method = self._request.split()
            self._end(drafts)
        else:
            self._request.on_body(rest)
            self._end(drafts)
        return drafts

    def _begin(self, spot: Spot) -> bool:
        """Begin a request, if the bytes do."""
        del self._buffer[: match.end() if (match := _NEWLINES.match(self._buffer)) else 0]
        verdict = begins_http(self._buffer) if self._buffer else None
        if verdict is None:
            self._since = self._since or spot
        elif verdict:
            self._open(self._since or spot)
        else:
            self.rest = self._take(len(self._buffer))
        return verdict is True

    def _open(self, spot: Spot) -> None:
        self._request = Request(spot)
        self._parser = httptools().HttpRequestParser(self._request)
        self._step, self._since = self._head, None
        self._refused = self._leaves = False

    # each step takes bytes off the buffer, and says whether it can be called again

    def _head(self, drafts: list[Draft]) -> bool:
        request = self._now
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
        self._method = request.split() if self._refused else self._parser.get_method()
        encoded = request.header(b"transfer-encoding") is not None and not request.complete
        self._left = 0 if encoded else request.stated()
        self._step = self._counted if not encoded else self._unbounded if self._refused else self._chunked
        return bool(encoded or self._left) or self._end(drafts)

    def _counted(self, drafts: list[Draft]) -> bool:
        part = self._take(self._left)
        self._now.on_body(part)
        self._left -= len(part)
        return self._left == 0 and self._end(drafts)

    def _chunked(self, drafts: list[Draft]) -> bool:
        line = self._take(self._buffer.find(b"\n") + 1 or len(self._buffer))
        self._llhttp(line)
        if self._refused:
            self._now.on_body(line)
            self._step = self._unbounded
        return not self._now.complete or self._end(drafts)

    def _unbounded(self, drafts: list[Draft]) -> bool:
        """A body whose length nobody can tell: it lasts until a line that looks like a request."""
        end = self._buffer.find(b"\n") + 1
        if end and REQUEST_LINE.match(self._buffer, 0, end):
            return self._end(drafts)
        if not end and self._buffer[:1].isalpha() and len(self._buffer) < LONGEST_HEAD:
            return False
        self._now.on_body(self._take(end or len(self._buffer)))
        return True

    def _end(self, drafts: list[Draft]) -> bool:
        drafts.append(self._now.draft(self._method, self._ends))
        self._request = self._parser = None
        if self._leaves:
            self.rest = self._take(len(self._buffer))
        return True

    @property
    def _now(self) -> Request:
        if self._request is None:
            raise RuntimeError("no request is open")
        return self._request

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _llhttp(self, data: bytes) -> None:
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools().HttpParserUpgrade:
            self._leaves = True
        except httptools().HttpParserError:
            self._refused = True


@cache
def httptools() -> ModuleType:
    """httptools.

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
