"""Write one JSON object a line: aside, or into a stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from overproof.errors import InputError
from overproof.files import OUTPUT, move_into_place, naming, open_named, remove, sync
from overproof.inference.sinks.interface import About, Sink, Verdict
from overproof.progress import printable_json

Shape = Callable[[Verdict, About], Mapping[str, Any]]
Encode = Callable[[Iterable[Verdict]], bytes | memoryview]


def line_sink(extension: str, shape: Shape) -> Sink:
    """Make the sink of a form for analysts: a pure function from a verdict to a JSON object."""
    sink = encoded_sink(extension, lambda about: lambda verdicts: lines(shape(verdict, about) for verdict in verdicts))
    return replace(sink, for_analysts=True)


def encoded_sink(extension: str, encoding: Callable[[About], Encode]) -> Sink:
    """Make the sink of a form from what writes many verdicts as lines."""
    return Sink(
        extension=extension,
        open=lambda aside, offset, about: LinesWriter(aside, offset, encoding(about)),
        holds=holds,
        stream=lambda file, about: StreamWriter(file, encoding(about)),
    )


def lines(objects: Iterable[Mapping[str, Any]]) -> bytes:
    """Encode JSON objects, one a line; numpy's numbers are written as numbers, NaN as null."""
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    return b"".join(orjson.dumps(each, default=str, option=option) for each in objects)


def holds(aside: Path, offset: int) -> bool:
    """Return whether the file aside goes as far as the offset, in bytes."""
    return offset == 0 or (aside.is_file() and aside.stat().st_size >= offset)


class LinesWriter:
    """Writes lines aside; offsets are bytes. See `interface.Writer`."""

    def __init__(self, aside: Path, offset: int, encode: Encode) -> None:
        self._aside, self._encode = aside, encode
        if not holds(aside, offset):
            raise InputError(f"{aside}: shorter than the {offset:,} bytes that were written there")
        try:
            if not offset:
                remove(aside)
            self._file = open_named(aside, "r+b" if offset else "wb")
        except OSError as error:
            raise InputError(f"{aside}: the verdicts cannot be written there ({error.strerror})") from None
        self._file.truncate(offset)
        self._file.seek(offset)

    def write(self, verdicts: Iterable[Verdict]) -> None:
        """Write verdicts."""
        self._file.write(self._encode(verdicts))

    def flush(self) -> int:
        """Make them durable; returns the file's bytes."""
        sync(self._file, self._aside)
        return self._file.tell()

    def finish(self, path: Path) -> None:
        """Give the file its name."""
        self.flush()
        self.close()
        move_into_place(self._aside, path, durable=True)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class StreamWriter:
    """Writes lines into an open file, or at the end of a named one; what is written is there for others to read.

    A terminal is not steered by them: it gets in JSON's escapes what could, unless the lines are `safe`. A named file
    that ends within a line, as a kill leaves it, loses that line first.
    """

    def __init__(self, file: BinaryIO | str, encode: Encode, *, safe: bool = False) -> None:
        self._encode, self._written, self._safe = encode, 0, safe
        self._opened = isinstance(file, str)
        self._name = file if isinstance(file, str) else OUTPUT
        self._file = _appended(file) if isinstance(file, str) else file

    def write(self, verdicts: Iterable[Verdict]) -> None:
        """Write verdicts, and pass them on."""
        lines = self._encode(verdicts)
        with naming(self._name):
            self._written += self._file.write(lines if self._safe or not self._file.isatty() else _spelled_out(lines))
            self._file.flush()

    def flush(self) -> int:
        """Make it durable, if it is a file of this writer's; returns the file's bytes, or those that were passed on."""
        if not (self._opened and os.path.isfile(self._name)):
            return self._written
        sync(self._file, self._name)
        return self._file.tell()

    def finish(self, path: Path) -> None:
        """Close the stream; it has no other name to be given."""
        self.close()

    def close(self) -> None:
        """Close the file, if this writer opened it."""
        if self._opened:
            self._file.close()


def _spelled_out(lines: bytes | memoryview) -> bytes:
    return printable_json(bytes(lines).decode()).encode()


def _appended(name: str) -> BinaryIO:
    try:
        if os.path.isfile(name):
            os.truncate(name, _end_of_last_line(name))
        return open_named(name, "ab")
    except OSError as error:
        raise InputError(f"{name}: the verdicts cannot be written there ({error.strerror})") from None


def _end_of_last_line(name: str, block: int = 1 << 16) -> int:
    """Return where the last whole line of a file ends."""
    with open(name, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - block)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
