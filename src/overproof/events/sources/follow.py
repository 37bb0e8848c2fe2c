"""Follow files that are still being written: to their end, then as they grow, through rotation and truncation.

Every file that a path comes to name is an input of its own, whose lines are counted from 1. What is written to a
file between the last look at it and its truncation is lost, as it is for everyone who did not make the copy.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from overproof.errors import InputError
from overproof.events.sources.interface import Input
from overproof.events.sources.stream import (
    BLOCK,
    decisive,
    display_name,
    is_zstd,
    open_raw,
    read_some,
    waiting,
    without_bom,
)

POLL = 0.05  # seconds between two looks at files that did not grow
_SIGNATURE = 64  # bytes before the place reached, which a file that was truncated and written anew has otherwise
_GZIP = b"\x1f\x8b"

Stop = Callable[[], bool]


def inputs(path: str | Path, stop: Stop) -> Iterator[Input | None]:
    """Yield the inputs that a path comes to name, one after the other; None where there is nothing yet.

    Each must be read to its end before the next is asked for. A file that does not exist is waited for. Ends when
    `stop` says so, after what was written by then; standard input and pipes also end where they end.

    Raises
    ------
    InputError
        If a file is there and cannot be read, or is compressed.
    """
    name = display_name(path)
    replaced = True
    while replaced:
        ended = stop()
        try:
            with open_raw(path, name) as file:
                grown = _Grown(file, Path(path), stop)
                yield from _opened(name, grown.blocks())
                replaced = grown.replaced
        except FileNotFoundError:
            if ended:
                return
            yield None


def _opened(name: str, blocks: Iterator[bytes]) -> Iterator[Input | None]:
    """Yield the input of some blocks, as soon as its format can be detected."""
    head = b""
    for block in blocks:
        head += block
        if decisive(head):
            break
        if not block:
            yield None
    if head.startswith(_GZIP) or is_zstd(head):
        raise InputError(f"{name}: compressed; expected a plain file, which alone can be followed")
    if head := without_bom(head):
        yield Input(name, None, head, chain([head], blocks))


class _Grown:
    """One file, read as it grows.

    Attributes
    ----------
    replaced
        Whether the path names another file now, or this one was truncated.
    """

    def __init__(self, file: BinaryIO, path: Path, stop: Stop) -> None:
        self.replaced = False
        self._file, self._path, self._stop = file, path, stop
        self._at = 0
        self._before = b""

    def blocks(self) -> Iterator[bytes]:
        """Yield what is written, and an empty block wherever there is nothing more for now."""
        return self._of_file() if _is_regular(self._file) else self._of_stream()

    def _of_file(self) -> Iterator[bytes]:
        until: int | None = None
        while True:
            if until is None and self._stop():
                until = os.fstat(self._file.fileno()).st_size  # what is written from now on is not waited for
            if self._truncated():
                self.replaced = True
                return
            renamed = self._renamed()  # asked before reading: what stands there afterwards was read
            block = self._file.read(BLOCK if until is None or renamed else min(BLOCK, max(0, until - self._at)))
            self._at += len(block)
            self._before = (self._before + block)[-_SIGNATURE:]
            if not block and (renamed or until is not None):
                self.replaced = renamed
                return
            yield block

    def _of_stream(self) -> Iterator[bytes]:
        while True:
            ended = self._stop()
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
        """Tell whether the file no longer holds what was read last."""
        self._file.seek(self._at - len(self._before))
        return self._file.read(len(self._before)) != self._before

    def _renamed(self) -> bool:
        """Tell whether the path names another file that is being written: until then, the old one may be."""
        try:
            there, here = os.stat(self._path), os.fstat(self._file.fileno())
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) and there.st_size > 0


def _is_regular(file: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False
