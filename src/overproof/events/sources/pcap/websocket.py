"""Read the messages that a client sends over a WebSocket (RFC 6455, 5), unmasked and, where they are, inflated.

A client masks what it sends, so that no byte of it stands in the capture as it was said. Compressed messages (RFC 7692)
may refer to those before them, so all are inflated as they come, of a long one no more than is bounded.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.payload import FIRST, payload

MOST_INFLATED = 1 << 20  # bytes of one message; behind a longer one nobody can tell what compressed ones refer to
_FINAL, _COMPRESSED, _RESERVED, _OPCODE = 0x80, 0x40, 0x30, 0x0F
_CONTINUED, _CONTROL = 0x0, 0x8
_OPCODES = {0x0, 0x1, 0x2, 0x8, 0x9, 0xA}
_MASKED, _LENGTH = 0x80, 0x7F
_LENGTHS = {126: 2, 127: 8}  # bytes that the length takes instead
_FLUSHED = b"\x00\x00\xff\xff"  # which the sender leaves out (RFC 7692, 7.2.1)


@dataclass
class _Message:
    """A message so far: the first bytes of it as they were sent, and whether there is more."""

    ref: PacketRef
    compressed: bool = False
    data: bytearray = field(default_factory=bytearray)
    inflated: int = 0
    cut: bool = False


@dataclass
class _Frame:
    """A frame: whose it is, what is left of it, and by what it is masked from here on."""

    message: _Message
    final: bool
    control: bool
    left: int
    mask: bytes


class WebSocketReader:
    """Read messages, each of which is a payload; see `event_draft.Reader`. Bytes that are no frame are left as rest."""

    protocol: str | None = "websocket"

    def __init__(self, endpoints: Endpoints) -> None:
        self.rest: bytes | None = None
        self.done = False
        self._endpoints = endpoints
        self._buffer = bytearray()
        self._message: _Message | None = None  # of which more frames are to come
        self._frame: _Frame | None = None
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._lost = False  # what compressed messages refer to

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._buffer) + (0 if self._message is None else len(self._message.data))

    def feed(self, data: bytes, ref: PacketRef) -> list[EventDraft]:
        """Read frames; see `event_draft.Reader`."""
        self._buffer += data
        drafts: list[EventDraft] = []
        while frame := self._frame or self._begin(ref):
            part = bytes(self._buffer[: frame.left])
            del self._buffer[: len(part)]
            self._add(frame, part)
            self._frame = frame if frame.left else None
            if frame.left:
                break
            if frame.final or frame.control:
                drafts += self._ended(frame.message)
                self._message = self._message if frame.control else None
        return drafts

    def gap(self) -> list[EventDraft] | None:
        """End a message before the gap, behind which nobody can tell frames; see `event_draft.Reader`."""
        drafts = self.finish(0)
        self.rest = b""
        return drafts or None

    def finish(self, total: int) -> list[EventDraft]:
        """Return the last message as far as it went; see `event_draft.Reader`."""
        begun = [self._message, None if self._frame is None else self._frame.message]
        self._message = self._frame = None
        found = {id(message): message for message in begun if message is not None}
        for message in found.values():
            message.cut = True
        return [draft for message in found.values() for draft in self._ended(message)]

    def _begin(self, ref: PacketRef) -> _Frame | None:
        """Read the head of a frame, if it is there."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[:2]
        opcode, masked, length = first & _OPCODE, second & _MASKED, second & _LENGTH
        continues = opcode == _CONTINUED
        if first & _RESERVED or opcode not in _OPCODES or (opcode < _CONTROL and continues == (self._message is None)):
            self.rest = bytes(self._buffer)
            return None
        size = _LENGTHS.get(length, 0)
        end = 2 + size + (4 if masked else 0)
        if len(self._buffer) < end:
            return None
        length = int.from_bytes(self._buffer[2 : 2 + size]) if size else length
        mask = bytes(self._buffer[2 + size : end]) if masked else bytes(4)
        del self._buffer[:end]
        message = self._message
        if message is None or opcode >= _CONTROL:
            message = _Message(ref, bool(first & _COMPRESSED))
        if opcode < _CONTROL:
            self._message = message
        return _Frame(message, bool(first & _FINAL), opcode >= _CONTROL, length, mask)

    def _add(self, frame: _Frame, part: bytes) -> None:
        """Add bytes of a frame to its message."""
        said = _unmasked(part, frame.mask)
        turn = len(part) % 4
        frame.mask, frame.left = frame.mask[turn:] + frame.mask[:turn], frame.left - len(part)
        message = frame.message
        if message.compressed and not self._lost:
            said = self._inflated(message, said)
        room = FIRST - len(message.data)
        message.cut |= len(said) > room or (message.compressed and self._lost)
        message.data += said[:room]

    def _inflated(self, message: _Message, said: bytes) -> bytes:
        """Inflate what comes next; once that fails, or is too much, what is there stays as it is."""
        try:
            found = self._inflate.decompress(said, MOST_INFLATED + 1 - message.inflated)
        except zlib.error:
            self._lost = True
            return said
        message.inflated += len(found)
        self._lost = message.inflated > MOST_INFLATED
        return found

    def _ended(self, message: _Message) -> list[EventDraft]:
        if message.compressed and not self._lost:
            rest = self._inflated(message, _FLUSHED)
            message.cut |= len(rest) > FIRST - len(message.data)
            message.data += rest[: FIRST - len(message.data)]
        if not message.data:
            return []
        return [payload(bytes(message.data), message.ref, self._endpoints, self.protocol, cut=message.cut)]


def _unmasked(data: bytes, mask: bytes) -> bytes:
    """Undo the mask (RFC 6455, 5.3)."""
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(len(data))
