"""Read a TLS client's first message (RFC 8446, 4.1.2), and write the session as an event."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.events import templates
from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.stream import decoded

LONGEST = 1 << 14  # bytes that are waited for

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _VERSIONS = 0, 16, 43
_SHORT = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}


@dataclass(frozen=True)
class ClientHello:
    """A ClientHello.

    Attributes
    ----------
    name
        The server's name (SNI), if it was sent.
    shape
        Version, whether there was a name, counts of ciphers and extensions, first ALPN value: the readable
        part of a JA4 fingerprint (github.com/FoxIO-LLC/ja4), `t13d1516h2`.
    """

    name: str | None
    ja4_a: str


def client_hello(data: bytes) -> ClientHello | None:
    """Parse the ClientHello at the start of a TLS client's bytes; None where there is no whole one."""
    try:
        return _hello(_Cursor(_handshake(data)))
    except (IndexError, ValueError):
        return None


class _Cursor:
    """Bytes that are taken from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise IndexError
        self._at += count
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Take as many bytes as a length of that size states."""
        return self.take(self.number(size))


def _handshake(data: bytes) -> bytes:
    """Join the content of the handshake records at the start: a message may be cut into several."""
    records, content = _Cursor(data), bytearray()
    try:
        while records and records.number(1) == _HANDSHAKE:
            records.take(2)
            content += records.vector(2)
    except IndexError:
        pass  # the last one is cut short
    return bytes(content)


def _hello(message: _Cursor) -> ClientHello:
    if message.number(1) != _CLIENT_HELLO:
        raise ValueError
    body = _Cursor(message.vector(3))
    version = body.number(2)
    body.take(32)
    body.vector(1)
    suites = _numbers(body.vector(2))
    body.vector(1)
    extensions: dict[int, bytes] = {}
    rest = _Cursor(body.vector(2) if body else b"")
    while rest:
        kind = rest.number(2)
        extensions.setdefault(kind, rest.vector(2))
    name, alpn = None, b""
    if _SERVER_NAME in extensions:
        names = _Cursor(_Cursor(extensions[_SERVER_NAME]).vector(2))
        names.take(1)
        name = decoded(names.vector(2))
    if _ALPN in extensions:
        alpn = _Cursor(_Cursor(extensions[_ALPN]).vector(2)).vector(1)
    if _VERSIONS in extensions:
        version = max(_numbers(_Cursor(extensions[_VERSIONS]).vector(1)), default=version)
    alpn_ends = decoded(alpn[:1] + alpn[-1:]) if alpn and alpn.isascii() else "00"
    count = len([kind for kind in extensions if not _grease(kind)])
    where = "i" if name is None else "d"
    ja4_a = f"t{_SHORT.get(version, '00')}{where}{min(len(suites), 99):02}{min(count, 99):02}{alpn_ends}"
    return ClientHello(name, ja4_a)


def _numbers(data: bytes) -> list[int]:
    numbers = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    return [number for number in numbers if not _grease(number)]


def _grease(number: int) -> bool:
    """Recognize values that clients send so that servers learn to ignore them (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


class TlsReader:
    """Read a ClientHello and write the session when it is over; see `event_draft.Reader`."""

    protocol: str | None = "tls"

    def __init__(self, endpoints: Endpoints, ref: PacketRef) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._ref = ref
        self._data = b""
        self._enough = 0
        self._hello: ClientHello | None = None

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read a ClientHello; see `event_draft.Reader`."""
        self._data += data
        if len(self._data) >= self._enough:  # not at every byte of one that comes byte by byte
            self._enough = len(self._data) * 5 // 4
            self._hello = client_hello(self._data)
            self.done = self._hello is not None or len(self._data) >= LONGEST
        return []

    def gap(self) -> list[EventDraft] | None:
        """Leave the message as it is, which is marked if it is not whole; see `event_draft.Reader`."""
        return []

    def finish(self, total: int) -> list[EventDraft]:
        """Return the session; see `event_draft.Reader`."""
        hello = self._hello or client_hello(self._data)
        name = "-" if hello is None else hello.name or "-"
        ja4_a = None if hello is None else hello.ja4_a
        text = templates.TlsSession(self._endpoints.source, sni=name, hello=ja4_a, bytes=total).text
        host, unread = None if name == "-" else name, hello is None  # too long, cut, or none at all
        return [EventDraft("tls", text, self._ref, self._endpoints, "tls", host=host, overflow=unread)]
