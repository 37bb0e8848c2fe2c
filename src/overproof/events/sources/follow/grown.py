"""Read one file as it grows, to its end: also after it was renamed, and on in its copy where it was truncated."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from overproof.events.sources.follow.place import (
    HEAD,
    TAIL,
    Identity,
    Position,
    Sighting,
    blocks_of,
    digest,
    is_new,
    places,
    siblings,
    whereabouts,
)
from overproof.events.sources.stream import BLOCK, LONGEST, read_some, unpacked, waiting

LINGER = 1.0  # seconds for which a renamed file must not have grown before the next one is begun

Stop = Callable[[], bool]


class Grown:
    """One of the files that a path comes to name.

    Parameters
    ----------
    file
        Opened, and closed by `close`.
    path
        What is followed.
    number
        Which of its files it is.
    passed
        Files beside it that need not be read.

    Attributes
    ----------
    replaced
        Whether it is at its end because the path names another file now, or because it was truncated.
    left_open
        Whether reading ended while it was still being written to.
    lost
        Whether it was truncated, and nothing holds what was written to it last.
    passed
        Of which its copy is one, when that was read.
    """

    def __init__(self, file: BinaryIO, path: Path, number: int, passed: tuple[Sighting, ...]) -> None:
        self.replaced = self.left_open = self.lost = False
        self.number, self.passed = number, passed
        self._file, self._path = file, path
        self._at = 0
        self._head = self._tail = b""
        self._opened = os.fstat(file.fileno())
        self._modified = self._opened.st_mtime_ns
        self._begins = os.pread(file.fileno(), HEAD, 0) if self.repeats else b""

    @property
    def repeats(self) -> bool:
        """Whether it can be read again."""
        return stat.S_ISREG(self._opened.st_mode)

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return self._opened.st_dev, self._opened.st_ino

    @property
    def is_unlinked(self) -> bool:
        """Whether no name leads to it any more."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def position(self, format: str, events: int) -> Position:
        """Return how far it was read, given how, and how many events that were."""
        return Position(
            self.number,
            self._opened.st_dev,
            self._opened.st_ino,
            self._modified,
            self._at,
            digest(self._head),
            digest(self._tail),
            format,
            events,
            self.passed,
        )

    def blocks(self, stop: Stop) -> Iterator[bytes]:
        """Yield what is written, and an empty block wherever there is nothing more for now."""
        return self._of_file(stop) if self.repeats else self._of_stream(stop)

    def _of_file(self, stop: Stop) -> Iterator[bytes]:
        until: int | None = None
        grew = time.monotonic()
        while True:
            if until is None and stop():
                until = os.fstat(self._file.fileno()).st_size  # what is written from now on is not waited for
            if self._truncated():
                if self._at:  # else nothing was read, and a copy of it is a file like any other
                    yield from self._in_copy()
                self.replaced = True
                return
            self._modified = os.fstat(self._file.fileno()).st_mtime_ns
            renamed = self._renamed()  # asked before reading: what stands there afterwards was read
            block = os.pread(self._file.fileno(), BLOCK if until is None or renamed else self._room(until), self._at)
            self._read(block)
            if block:
                grew = time.monotonic()
            elif renamed and (until is not None or self._is_quiet(grew)):
                self.replaced = True
                return
            elif until is not None and not renamed:
                yield b""  # whole records are given on before one that may be cut short
                self.left_open = True
                return
            yield block

    def _is_quiet(self, grew: float) -> bool:
        """Tell whether nobody has written to the file for a while, by when it last grew here, or by its own time."""
        return time.monotonic() - grew >= LINGER or time.time() - self._modified / 1e9 >= LINGER

    def _room(self, until: int) -> int:
        return min(BLOCK, max(0, until - self._at))

    def _read(self, block: bytes) -> None:
        self._at += len(block)
        self._head += block[: HEAD - len(self._head)]
        self._tail = (self._tail + block)[-TAIL:]

    def _in_copy(self) -> Iterator[bytes]:
        """Yield what a copy holds beyond what was read, where there is a copy."""
        position = self.position("", 0)
        copy = whereabouts(self._path, position)
        if copy is None or copy in places(self._path):
            shorter = [each for each in siblings(self._path) if self._is_copy(each, position)]
            self.lost = not shorter
            self.passed += tuple(filter(None, map(Sighting.of, shorter[:1])))
            return
        self.passed += tuple(filter(None, [Sighting.of(copy)]))
        left = self._at
        with blocks_of(copy) as blocks:
            for block in blocks:
                rest = block[left:]
                left = max(0, left - len(block))
                self._read(rest)
                if rest:
                    yield rest

    def _is_copy(self, path: Path, position: Position) -> bool:
        return is_new(path, position.modified, self.passed) and position.begins(path)

    def _of_stream(self, stop: Stop) -> Iterator[bytes]:
        while True:
            ended = stop()
            if waiting(self._file):
                block = read_some(self._file)
                if not block:
                    return
                yield block
            elif ended:
                return
            else:
                yield b""

    def _truncated(self) -> bool:
        """Tell whether the file no longer holds what was read of it: how it began, and what was read last."""
        handle = self._file.fileno()
        if not self._at:
            return os.pread(handle, len(self._begins), 0) != self._begins
        if os.pread(handle, len(self._tail), self._at - len(self._tail)) != self._tail:
            return True
        return os.pread(handle, min(TAIL, len(self._head)), 0) != self._head[:TAIL]

    def _renamed(self) -> bool:
        """Tell whether the path names another file that is being written: until then, the old one may be."""
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        here = self._opened
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) and there.st_size > 0

    def late(self) -> list[bytes]:
        """Return the lines that were written to the file after its end was reached and the next one begun."""
        if not self.repeats or not self.replaced or self._truncated():
            return []
        return os.pread(self._file.fileno(), LONGEST, self._at).splitlines()

    def sighting(self) -> Sighting:
        """Return what it is known by once it is at its end."""
        return Sighting(self._opened.st_dev, self._opened.st_ino, len(self._head), digest(self._head))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Packed(Grown):
    """A file that was compressed when it had been rotated."""

    def blocks(self, stop: Stop) -> Iterator[bytes]:
        """Yield what it holds."""
        for block in filter(None, unpacked(self._file)):
            self._read(block)
            yield block
        self.replaced = True

    def sighting(self) -> Sighting:
        """Return what the compressed file is known by."""
        head = os.pread(self._file.fileno(), HEAD, 0)
        return Sighting(self._opened.st_dev, self._opened.st_ino, len(head), digest(head))

    def late(self) -> list[bytes]:
        """Return nothing: nobody writes to it."""
        return []
