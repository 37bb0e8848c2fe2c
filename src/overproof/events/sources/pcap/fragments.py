"""Reassemble IP fragments; of bytes that come twice the first count."""

from __future__ import annotations

from dataclasses import dataclass, field

from overproof.events.schema import Skipped
from overproof.events.sources.interface import OnSkip
from overproof.events.sources.pcap.ip import Fragment, Network

MOST = 512  # packets that may wait for their pieces at one time
PATIENCE = 30.0  # seconds they wait, as in Linux
LARGEST = 1 << 16

_Key = tuple[bytes, bytes, int, int]


@dataclass
class _Waiting:
    """The pieces of one packet so far."""

    number: int
    time: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    end: int | None = None
    lacking: int = 0  # bytes of the last piece that were not captured
    differs: bool = False  # a piece differs from an earlier one that it overlaps

    def add(self, piece: Fragment) -> None:
        earlier = self.pieces.get(piece.offset)
        if earlier is not None:
            size = min(len(earlier), len(piece.data))
            self.differs |= earlier[:size] != piece.data[:size]
        elif self.size < 2 * LARGEST:
            self.pieces[piece.offset] = piece.data
            self.size += len(piece.data)
        if not piece.more and self.end is None:
            self.end, self.lacking = piece.offset + len(piece.data), piece.length - len(piece.data)

    def assembled(self) -> bytes | None:
        if self.end is None or self.size < self.end:
            return None
        data = bytearray()
        for offset, piece in sorted(self.pieces.items()):
            if offset > len(data):
                return None
            known = len(data) - offset
            self.differs |= not piece.startswith(data[offset : offset + len(piece)])
            data += piece[known:]
        return bytes(data[: self.end]) if len(data) >= self.end else None


class Fragments:
    """Collect fragments, and report packets whose rest never came."""

    def __init__(self, name: str, on_skip: OnSkip) -> None:
        self._name = name
        self._on_skip = on_skip
        self._waiting: dict[_Key, _Waiting] = {}

    def add(self, number: int, time: float, ip: Network, piece: Fragment) -> Network | None:
        """Add a piece; return the whole packet if this piece completes it."""
        self._expire(time)
        if piece.offset + len(piece.data) > LARGEST or (piece.more and not piece.data):
            self._on_skip(Skipped("an IP fragment of impossible size", f"{self._name}:packet {number}", ""))
            return None
        waiting = self._waiting.setdefault(piece.key, _Waiting(number, time))
        waiting.add(piece)
        data = waiting.assembled()
        if data is None:
            return None
        del self._waiting[piece.key]
        if waiting.differs:
            self._on_skip(Skipped("IP fragments that contradict each other", f"{self._name}:packet {number}", ""))
        return ip._replace(data=data, length=len(data) + waiting.lacking, fragment=None)

    def finish(self) -> None:
        """Report what still waits."""
        while self._waiting:
            self._drop()

    def _expire(self, time: float) -> None:
        while self._waiting and (
            len(self._waiting) >= MOST or time - next(iter(self._waiting.values())).time > PATIENCE
        ):
            self._drop()

    def _drop(self) -> None:
        waiting = self._waiting.pop(next(iter(self._waiting)))
        origin = f"{self._name}:packet {waiting.number}"
        self._on_skip(Skipped("an IP packet of which fragments are missing", origin, ""))
