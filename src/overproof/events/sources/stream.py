"""Read bytes from files, standard input, gzip and zstd, as blocks and as numbered lines, in bounded memory.

Text in UTF-16 and UTF-32 that says so by a byte order mark, as PowerShell writes it, is read as UTF-8.
"""

from __future__ import annotations

import codecs
import gzip
import io
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.interface import Input, OnSkip
from overproof.progress import why

BLOCK = 1 << 18  # bytes read at a time
LONGEST = 16 << 20  # bytes of the longest record that is read
KEPT = 64 << 10  # bytes of a skipped record that are kept
READ_ERRORS = (OSError, EOFError, zlib.error, pa.ArrowException)

_BOM = b"\xef\xbb\xbf"
_WIDE = {  # the longer ones first
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@contextmanager
def open_input(path: str | Path) -> Iterator[Input]:
    """Open a file, or standard input for `-`, and see through gzip and zstd, known by their first bytes.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it is empty.
    """
    name = display_name(path)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_raw(path, name))
        except FileNotFoundError:
            raise InputError(f"{name}: no such file; expected a file of events, or - for standard input") from None
        magic, packed, blocks = _seen_through(file)
        head, blocks = _peek(narrowed(blocks), _several)
        if not magic:
            why = _error(blocks) or "empty"
            raise InputError(f"{name}: {why}; expected events, as csv, jsonl, parquet or plain lines")
        if head.startswith(_BOM):
            first = next(blocks)
            head, blocks = without_bom(head), chain([without_bom(first)], blocks)
        yield Input(name, None if packed or name == "-" else Path(path), head, blocks)


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a file holds, in blocks, seen through gzip and zstd."""
    return _seen_through(file)[2]


def _seen_through(file: BinaryIO) -> tuple[bytes, bool, Iterator[bytes]]:
    """Return how a file begins, whether it is compressed, and what it holds."""
    raw = _raw_blocks(file)
    magic, blocks = _peek(raw, lambda head, _: len(head) >= 4 or b"\n" in head)  # a pipe may have no more for long
    if magic.startswith(b"\x1f\x8b"):
        return magic, True, _gunzip(blocks)
    if is_zstd(magic):
        return magic, True, _unzstd(blocks)
    return magic, False, blocks


def narrowed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield text in UTF-16 or UTF-32, as its byte order mark says, in UTF-8; anything else as it is."""
    head, blocks = _peek(blocks, lambda head, _: len(head) >= 4 or b"\n" in head)
    sign = next((sign for sign in _WIDE if head.startswith(sign)), None)
    return blocks if sign is None else _decoded(blocks, _WIDE[sign])


def _decoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "backslashreplace")
    if rest := decoder.decode(b"", final=True).encode("utf-8", "backslashreplace"):
        yield rest


def display_name(path: str | Path) -> str:
    """Return what origins and messages call a file, whose name need not be UTF-8 either."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def without_bom(head: bytes) -> bytes:
    """Remove the byte order mark from the start of a text."""
    return head.removeprefix(_BOM)


def is_zstd(magic: bytes) -> bool:
    """Tell whether bytes begin zstd's frames, of which those that are skipped may be first (RFC 8878, 3.1)."""
    return magic.startswith(b"\x28\xb5\x2f\xfd") or (magic[1:4] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5)


def decisive(head: bytes) -> bool:
    """Tell whether the start of an input is enough to tell its format by: a whole line that is not blank, or none."""
    return b"\n" in head.lstrip() or (len(head) >= KEPT and b"\0" in head) or len(head) > LONGEST


def _several(head: bytes, block: bytes) -> bool:
    """Tell whether it is decisive and a good deal, or all that there is for now."""
    return decisive(head) and (not block or len(head) >= KEPT)


def lines(source: Input, on_skip: OnSkip, end: bytes = b"\n") -> Iterator[tuple[int, bytes] | None]:
    """Yield the lines of an input, numbered from 1; see `line_blocks`."""
    for block in line_blocks(source, on_skip, end):
        if block is None:
            yield None
        else:
            yield from enumerate(block[1], block[0])


def line_blocks(source: Input, on_skip: OnSkip, end: bytes = b"\n") -> Iterator[tuple[int, list[bytes]] | None]:
    """Yield lines of an input as they are read, without what ends them, after the number of the first, from 1.

    None where there is no more for now. Of a line above `LONGEST` bytes only the start is kept: more than `LONGEST`
    bytes, so that it shows as too long. Where the input breaks off (a truncated gzip), the line cut short is skipped
    and reported.
    """
    number = 1
    pieces: list[bytes] = []
    size = 0
    try:
        for block in source.blocks:
            if not block:
                yield None
                continue
            *complete, rest = block.split(end)
            if complete:
                complete[0] = b"".join([*pieces, complete[0]])
                pieces, size = [], 0
                yield number, complete
                number += len(complete)
            if size <= LONGEST:
                pieces.append(rest)
                size += len(rest)
    except READ_ERRORS as error:
        on_skip(Skipped(f"the input breaks off: {why(error)}", f"{source.name}:{number}", excerpt(b"".join(pieces))))
        return
    if size:
        yield number, [b"".join(pieces)]


def decoded(raw: bytes) -> str:
    r"""Decode any bytes: what is not UTF-8 is kept as `\xff`, because attacks carry raw bytes."""
    return raw.decode("utf-8", "backslashreplace")


def excerpt(raw: bytes) -> str:
    """Return a skipped record as text, cut at `KEPT` bytes."""
    return decoded(raw[:KEPT])


@contextmanager
def open_raw(path: str | Path, name: str) -> Iterator[BinaryIO]:
    """Open a file as it is, or standard input, which stays open.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it cannot be read.
    """
    if name == "-":
        yield _stdin()
        return
    with open_plain(path, name) as file:
        yield file


def open_plain(path: str | Path, name: str) -> BinaryIO:
    """Open a file as it is; see `open_raw`."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise InputError(f"{name}: a folder; expected a file of events") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({why(error)}); expected a file of events") from None


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise InputError("-: there is no standard input; expected events on it")
    # unbuffered: a thread left waiting for a buffered one holds a lock that ends the interpreter with an abort
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _raw_blocks(file: BinaryIO) -> Iterator[bytes]:
    while True:
        if not waiting(file):
            yield b""
        block = read_some(file)
        if not block:
            return
        yield block


def waiting(file: BinaryIO) -> bool:
    """Tell whether a read would return at once; also True where that cannot be known."""
    try:
        return bool(select.select([file], [], [], 0)[0])
    except (OSError, ValueError, TypeError):  # no file of the system, or a system that knows it of sockets only
        return True


def read_some(file: BinaryIO) -> bytes:
    """Read what a pipe has, up to a block, so that a live stream is not held up until a block is full."""
    return file.read1(BLOCK) if isinstance(file, io.BufferedIOBase) else file.read(BLOCK)


def _peek(blocks: Iterator[bytes], enough: Callable[[bytes, bytes], bool]) -> tuple[bytes, Iterator[bytes]]:
    """Read until it is enough, by all so far and the last block; give that, and all blocks from the start.

    A read error keeps its place.
    """
    head = block = b""
    try:
        for block in blocks:
            head += block
            if enough(head, block):
                break
    except READ_ERRORS as error:
        blocks = _raising(error)
    before = [head] if block else [head, b""]  # nothing more for now, still
    return head, chain(before if head else [], blocks)


def _raising(error: BaseException) -> Iterator[bytes]:
    raise error
    yield b""


def _error(blocks: Iterator[bytes]) -> str:
    try:
        next(blocks, None)
    except READ_ERRORS as error:
        return str(error)
    return ""


class _BlockFile(io.RawIOBase):
    """Blocks as the file object that decompressors want."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(filter(None, self._blocks), b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _gunzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=_BlockFile(blocks)) as file:
        # read1: a plain read would lose what it had gathered before a broken place
        while block := file.read1(BLOCK // 4):
            yield block


def _unzstd(blocks: Iterator[bytes]) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(_BlockFile(blocks), mode="r"), "zstd") as file:
        while block := file.read(BLOCK // 4):
            yield block
