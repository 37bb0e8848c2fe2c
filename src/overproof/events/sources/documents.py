"""Read JSON that is no line a record: objects over many lines, several on one, arrays of them, and text sequences.

Each object that stands in no other is a record, whatever arrays it stands in; it is read as a line of JSON would be, in
whichever format its keys say. A broken one is counted at its line, and the next is looked for where a line begins as
that one's did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from overproof.events.schema import Skipped
from overproof.events.sources.containers import Record
from overproof.events.sources.interface import Input, OnSkip
from overproof.events.sources.json_record import record_of
from overproof.events.sources.stream import KEPT, LONGEST, READ_ERRORS, excerpt
from overproof.progress import why

_BEGINS = re.compile(rb'[\s\x1e]*(?:\[\s*)*(?:\{\s*(?:["}]|$)|$)')
_INSIDE = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+')  # of a string, which has no line break
_TOKEN = re.compile(rb'"(?:%b")?|:\s*+[{\[]|[{}\[\]]' % _INSIDE.pattern)
_COLON = ord(":")
# what stands between records and is none; GELF over TCP ends them with NUL, a sequence begins them with RS (RFC 7464)
_BETWEEN = b" \t\r\n,[]\0\x1e"
_PAIRS = {b"}": b"{", b"]": b"["}
_DEEPEST = 64  # blanks before a record
_BROKEN = "JSON does not parse"

Piece = tuple[int, bytes, str | None]  # a record's line, its bytes, and why it is none


def looks_like(head: bytes) -> bool:
    """Tell whether an input begins as such JSON does: its first object is whole, or goes on past what is known."""
    if not head.strip() or _BEGINS.match(head) is None:
        return False
    first = next(_Scanner().feed(head), None)
    return first is None or (first[2] is None and isinstance(record_of(first[1]), dict))


def documents(source: Input, on_skip: OnSkip) -> Iterator[tuple[int, bytes] | None]:
    """Yield each record as one line, numbered by where it begins; None where there is no more for now."""
    scanner = _Scanner()

    def kept(pieces: Iterator[Piece]) -> Iterator[tuple[int, bytes]]:
        for line, raw, reason in pieces:
            if reason is None:
                yield line, raw
            else:
                on_skip(Skipped(reason, f"{source.name}:{line}", excerpt(raw)))

    try:
        for block in source.blocks:
            if block:
                yield from kept(scanner.feed(block))
            else:
                yield None
        yield from kept(scanner.finish("cut short: JSON that does not end"))
    except READ_ERRORS as error:
        yield from kept(scanner.finish(f"the input breaks off: {why(error)}"))


def record(line: bytes) -> Record:
    """Take a document for what a record of a container would hold."""
    return Record(line, "", None, ends=True)


class _Scanner:
    """Find objects in blocks of bytes, in one pass over them."""

    def __init__(self) -> None:
        self._data, self._at = b"", 0  # what is still needed, and how far it is scanned
        self._start, self._open = 0, bytearray()  # of the record; which brackets are open in it
        self._in_string = False
        self._sought: re.Pattern[bytes] | None = None  # how the line begins that ends a broken record
        self._line, self._counted = 1, 0  # the line of a place in the data
        self._gap, self._gap_line, self._from = b"", 1, 0  # what stands before the next record, and where it goes on

    def feed(self, block: bytes) -> Iterator[Piece]:
        """Yield the records that end in a block, and what is none."""
        self._data += block
        while self._sought is None or self._found():
            if self._in_string:
                ends = self._string_ends()
                if ends is None:
                    break
                self._in_string = False
                if not ends and self._open:
                    yield from self._broken(self._at)
                continue
            token = _TOKEN.search(self._data, self._at)
            if token is None:
                self._at = self._looked_through()
                break
            self._at = token.end()
            if not token[0].startswith(b'"'):
                yield from self._take(token[0])
            elif len(token[0]) == 1:
                self._in_string = True
        yield from self._trimmed()

    def finish(self, cut: str) -> Iterator[Piece]:
        """Yield what the end of the input leaves, with the reason why an open record is cut."""
        if self._open:
            yield self._line_of(self._start), self._data[self._start :], cut
        elif self._sought is None:
            yield from self._between(len(self._data))

    def _take(self, token: bytes) -> Iterator[Piece]:
        mark = token[-1:]
        if not self._open:
            if mark == b"{":
                yield from self._between(self._at - 1)
                self._start, self._open = self._at - 1, bytearray(mark)
        elif mark in _PAIRS:
            yield from self._close(mark)
        elif token.startswith(b":") is (self._open[-1:] == b"{"):
            self._open += mark
        else:  # a value without its key, or a key in a list
            yield from self._broken(self._at - 1)
            if token == b"{":
                self._sought, self._open, self._start = None, bytearray(mark), self._at - 1

    def _close(self, mark: bytes) -> Iterator[Piece]:
        if self._open[-1:] != _PAIRS[mark]:
            yield from self._broken(self._at)
            return
        self._open.pop()
        if not self._open:
            raw = self._data[self._start : self._at]
            self._from = self._at
            long = "longer than 16 MiB" if len(raw) > LONGEST else None
            yield self._line_of(self._start), raw.replace(b"\n", b" "), long

    def _broken(self, end: int, reason: str = _BROKEN) -> Iterator[Piece]:
        """Give up the open record, and look for a line that begins with an object, no further in than its own."""
        indent = self._start - 1 - self._data.rfind(b"\n", 0, self._start)
        self._sought = re.compile(rb"\n[ \t\x1e]{0,%d}(?=\{)" % min(indent, _DEEPEST))
        yield self._line_of(self._start), self._data[self._start : end], reason
        self._open, self._in_string = bytearray(), False

    def _found(self) -> bool:
        match = self._sought.search(self._data, self._at) if self._sought else None
        if match is None:
            self._at = max(self._at, self._data.rfind(b"\n"))
            return False
        self._at = self._from = match.end()
        self._sought = None
        return True

    def _looked_through(self) -> int:
        """Return how far no token begins: a colon may be followed by what makes it one."""
        end = len(self._data)
        while end > self._at and self._data[end - 1 : end].isspace():
            end -= 1
        return end - 1 if end > self._at and self._data[end - 1] == _COLON else len(self._data)

    def _string_ends(self) -> bool | None:
        """Go on to the end of a string: whether it has one before its line ends, None where that is to come."""
        inside = _INSIDE.match(self._data, self._at)
        self._at = inside.end() if inside else self._at
        after = self._data[self._at : self._at + 2]
        if after in (b"", b"\\"):
            return None
        self._at += after.startswith(b'"')
        return after.startswith(b'"')

    def _between(self, end: int) -> Iterator[Piece]:
        """Yield what stands before a record, if it is anything."""
        self._gather(end)
        if self._gap:
            yield self._gap_line, self._gap.rstrip(_BETWEEN), "not an object of JSON"
            self._gap = b""

    def _gather(self, end: int) -> None:
        piece = self._data[self._from : end]
        piece = piece if self._gap else piece.lstrip(_BETWEEN)
        if piece and not self._gap:
            self._gap_line = self._line_of(end - len(piece))
        self._gap, self._from = (self._gap + piece)[:KEPT], end

    def _trimmed(self) -> Iterator[Piece]:
        """Let go of what is no longer needed."""
        if self._open and len(self._data) - self._start > LONGEST:
            yield from self._broken(len(self._data), "longer than 16 MiB")
            self._at = len(self._data)
        if not self._open and self._sought is None:
            self._gather(self._at)
        needed = self._start if self._open else self._at
        cut = max(0, needed - _DEEPEST - 1, self._data.rfind(b"\n", 0, needed)) if self._sought is None else needed
        self._line_of(cut)
        self._data = self._data[cut:]
        self._at, self._start, self._from, self._counted = self._at - cut, self._start - cut, self._from - cut, 0

    def _line_of(self, at: int) -> int:
        """Return the line of a place; those that are asked for come one after the other."""
        self._line += self._data.count(b"\n", self._counted, at) - self._data.count(b"\n", at, self._counted)
        self._counted = at
        return self._line
