"""Recognize one HTTP request by its first line, read it with llhttp or by a plain split, and write it as an event."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from overproof.events import templates
from overproof.events.sources.pcap.charsets import in_charset
from overproof.events.sources.pcap.codings import LONGEST_CODED, codings, undone
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded

HTTP2 = b"PRI * HTTP/2"
LONGEST_HEAD = 64 << 10  # bytes of a request's head that are read
LONGEST_BODY = 8 << 10  # bytes of its body that are kept

_METHODS = (
    b"GET POST HEAD PUT DELETE OPTIONS TRACE CONNECT PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT"
).split()
_KNOWN = re.compile(rb"(?i:(?:%b)[ \t]+(?:[/*.%%\\?]|https?:|[\w.-]+:\d))" % b"|".join(_METHODS))
_METHOD = re.compile(rb"(?:%b)[ \t]" % b"|".join(_METHODS))
_VERSION = re.compile(rb"[ \t]HTTP/\d")
REQUEST_LINE = re.compile(rb"[^\s\x00-\x1f]{1,64}[ \t][^\r\n]*HTTP/\d")
_OTHER = re.compile(rb"[ \t](?:RTSP|SIP|ICE)/\d")
_NUMBER = re.compile(rb"\d{1,15}")
_CODINGS = (b"content-encoding", b"transfer-encoding")  # in the order in which they are applied
_SEPARATORS = {b"cookie": "; "}


def begins_http(data: bytes | bytearray, *, more: bool = True) -> bool | None:
    """Tell whether bytes begin with a request; None where that depends on bytes that may still come (`more`)."""
    line, newline, _ = data[:LONGEST_HEAD].lstrip(b"\r\n").partition(b"\n")
    if newline or not more or len(data) >= LONGEST_HEAD:
        recognized = _KNOWN.match(line) and not _OTHER.search(line)
        return bool(recognized or (REQUEST_LINE.match(line) and not line.startswith(HTTP2)))
    return None if line[:1].isalpha() or not line else False


def next_request(data: bytes) -> int:
    """Find where a request begins in bytes from the middle of something; -1 where none does."""
    seen = 0
    for version in _VERSION.finditer(data):
        line = max(seen, data.rfind(b"\n", seen, version.start()) + 1)
        method = _METHOD.search(data, line, version.start())
        if method is not None:
            return method.start()
        seen = version.end()
    return -1


@dataclass
class Request:
    """A request while it is read; itself what llhttp calls back.

    Attributes
    ----------
    cut
        Whether there is more of it than is kept, or than came.
    codings
        What its body is encoded with, once its head is read.
    """

    ref: PacketRef
    raw: bytearray = field(default_factory=bytearray)  # its head
    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    cut: bool = False
    codings: list[str] = field(default_factory=list)

    def on_url(self, piece: bytes) -> None:
        self.url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, piece: bytes) -> None:
        room = (LONGEST_CODED if self.codings else LONGEST_BODY) - len(self.body)
        self.body += piece[:room]
        self.cut |= len(piece) > room

    def on_message_complete(self) -> None:
        self.complete = True

    def split(self) -> bytes:
        """Read the head without llhttp; return the method."""
        first, *lines = (line.rstrip(b"\r") for line in bytes(self.raw).split(b"\n"))
        method, *rest = first.split(None, 1)
        self.url = rest[0].rstrip() if rest else b""
        target, _, version = self.url.rpartition(b" ")
        if version[:5].upper() == b"HTTP/":
            self.url = target.rstrip()
        self.headers = []
        for place, line in enumerate(lines, 1):
            name, colon, value = line.partition(b":")
            if line[:1] in (b" ", b"\t") and self.headers:  # a folded line
                last, folded = self.headers[-1]
                self.headers[-1] = (last, folded + b" " + line.strip())
            elif colon:
                self.headers.append((name.strip().lower(), value.strip()))
            elif line.strip() and place < len(lines):  # no header, and not cut short: sent all the same
                self.headers.append((b"", line.strip()))
        return method

    def header(self, name: bytes) -> str | None:
        """Return all values of a header; None if it is not there."""
        values = [decoded(value) for key, value in self.headers if key == name]
        return _SEPARATORS.get(name, ", ").join(values) if values else None

    def content_length(self) -> int:
        """Return the bytes of body that its head states."""
        number = next((value for name, value in self.headers if name == b"content-length"), b"")
        return int(number) if _NUMBER.fullmatch(number) else 0

    def find_codings(self) -> None:
        """Note what the head says that the body is encoded with."""
        self.codings = [
            name for wanted in _CODINGS for name in codings([value for key, value in self.headers if key == wanted])
        ]

    def draft(self, method: bytes, endpoints: Endpoints) -> EventDraft:
        """Write the request as an event."""
        body = bytes(self.body)
        if self.codings and body:
            body, whole = undone(body, self.codings, LONGEST_BODY)
            self.cut |= not whole
        target, host, agent = decoded(self.url), self.header(b"host"), self.header(b"user-agent")
        text = templates.HttpRequest(
            decoded(method),
            target,
            host=host,
            agent=agent,
            cookie=self.header(b"cookie"),
            referer=self.header(b"referer"),
            headers=[(decoded(name), decoded(value)) for name, value in self.headers],
            body=in_charset(body, self.header(b"content-type") or "") or None,
        ).text
        return EventDraft(
            "http-request",
            text,
            self.ref,
            endpoints,
            "http",
            host=host,
            url=target,
            method=decoded(method),
            user_agent=agent,
            overflow=self.cut,
        )
