"""Reassemble one direction of a TCP connection: segments in, bytes out.

Of bytes that come twice the first copy counts, as on most receivers; a second copy that differs is an evasion
that is reported. Where bytes are missing for good (the capture lost them) the stream goes on behind the gap.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

WAITING = 256 << 10  # bytes of one stream that may wait behind a hole
PIECES = 1024  # pieces of one stream that may
FAR = 1 << 24  # a segment further ahead than this belongs to no window that anybody offers
HISTORY = 4 << 10  # bytes given out that a second copy is still compared with
_WRAP = 1 << 32


@dataclass
class Reassembly:
    """A direction's bytes in order.

    Attributes
    ----------
    begun
        Whether it is known where the stream begins.
    waiting
        Bytes that wait behind a hole.
    conflicts
        Segments so far that differ from an earlier copy of them.
    strays
        Segments so far that were too far from the stream's window to belong to it.
    early
        Segments so far with bytes from before the first one: of a capture that begins in mid-connection.
    """

    begun: bool = False
    waiting: int = 0
    conflicts: int = 0
    strays: int = 0
    early: int = 0
    _base: int = 0  # places count from here and do not wrap
    _next: int = 0
    _end: int = 0  # up to here the stream is known to go
    _history: bytes = b""
    _pieces: list[tuple[int, bytes]] = field(default_factory=list)  # in order, without overlaps

    @property
    def full(self) -> bool:
        """True if so much waits that the hole has to be given up."""
        return self.waiting > WAITING or len(self._pieces) > PIECES

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return self.waiting + len(self._history)

    @property
    def lacking(self) -> bool:
        """True if the stream is known to have gone on past all bytes that are there."""
        return self._next < self._end and not self._pieces

    def begin(self, seq: int) -> None:
        """State the sequence number of the first byte; later calls change nothing."""
        if not self.begun:
            self._base, self.begun = seq, True

    def add(self, seq: int, data: bytes, length: int = 0) -> bytes:
        """Add a segment, of `length` bytes on the wire if that is more; return the bytes that are in order now."""
        self.begin(seq)
        place = self._place(seq)
        if place is None:
            self.strays += 1
            return b""
        end = place + (length or len(data))
        if end > self._end:
            self._end = end
        if not data:
            return b""
        if place == self._next and not self._pieces:  # the usual case
            self._went(data)
            return data
        self._insert(place, data)
        return self._in_order()

    def acknowledged(self, ack: int) -> bool:
        """Tell whether the receiver has what waits here: then the capture lost the hole, and nothing will fill it."""
        place = self._place(ack) if self.begun else None
        if place is not None and place - 1 > self._end:  # a FIN takes a number of its own
            self._end = place - 1
        if not self._pieces:
            return False
        start, piece = self._pieces[0]
        return place is not None and place >= start + len(piece)

    def skip(self) -> bytes:
        """Go on behind the first hole, with what follows it."""
        if not self._pieces:
            return b""
        self._next, self._history = self._pieces[0][0], b""
        return self._in_order()

    def _place(self, seq: int) -> int | None:
        """Convert a sequence number to a place near the stream's place now."""
        ahead = (seq - self._base - self._next) % _WRAP
        ahead -= _WRAP if ahead >= _WRAP >> 1 else 0
        return self._next + ahead if abs(ahead) <= FAR else None

    def _insert(self, place: int, data: bytes) -> None:
        """Keep of a segment what is new, and compare the rest with the copy that is there."""
        differs = False
        before = self._next - place
        if before > 0:
            probe = before == 1 == len(data)  # the byte of a keep-alive is made up
            self.early += place < 0 and not probe
            differs = not probe and self._differs(place, data[:before])
            place, data = self._next, data[before:]
        fresh: list[tuple[int, bytes]] = []
        for start, piece in self._pieces:
            end = start + len(piece)
            if not data or start >= place + len(data):
                break
            if end <= place:
                continue
            if start > place:
                fresh.append((place, data[: start - place]))
                place, data = start, data[start - place :]
            earlier = piece[place - start :][: len(data)]
            differs |= not data.startswith(earlier)
            place, data = place + len(earlier), data[len(earlier) :]
        self.conflicts += differs
        for one in [*fresh, (place, data)] if data else fresh:
            insort(self._pieces, one)
            self.waiting += len(one[1])

    def _differs(self, place: int, old: bytes) -> bool:
        """Tell whether bytes given out before differ from a second copy, as far as they are remembered."""
        forgotten = max(0, self._next - len(self._history) - place)
        start = place + forgotten - (self._next - len(self._history))
        return not self._history.startswith(old[forgotten:], start)

    def _in_order(self) -> bytes:
        ready = 0
        data = bytearray()
        while ready < len(self._pieces) and self._pieces[ready][0] == self._next + len(data):
            data += self._pieces[ready][1]
            ready += 1
        del self._pieces[:ready]
        self.waiting -= len(data)
        self._went(bytes(data))
        return bytes(data)

    def _went(self, data: bytes) -> None:
        self._next += len(data)
        self._history = (self._history + data)[-HISTORY:]
