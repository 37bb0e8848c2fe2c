"""Open files to write to, whose errors name them, and make what was written durable."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from overproof.files.names import open_number

_OF_RUST = re.compile(r"\(os error ([0-9]+)\)")  # as std::io::Error is written


def open_named(path: Path | str | int, mode: str, name: Path | str | None = None) -> BinaryIO:
    """Open a file to write bytes to; what the system says against writing names it (a full disk names nothing).

    Parameters
    ----------
    path
        Or the number of an open file, which stays open.
    name
        What it is called in that case; None is its path.
    """
    called = str(path) if name is None else name
    number = None if isinstance(path, int) else open_number(path)
    return cast(BinaryIO, io.BufferedWriter(_Named(path, mode, called) if number is None else _Shared(number, called)))


@contextmanager
def naming(name: Path | str) -> Iterator[None]:
    """Name a file in errors of the system that name none, such as those of a full disk.

    What a library of Rust (safetensors, tokenizers) says of them is such an error again.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(name)
        raise
    except Exception as error:
        said = _OF_RUST.search(str(error))
        if said is None:
            raise
        raise OSError(int(said[1]), os.strerror(int(said[1])), str(name)) from error


class _Named(io.FileIO):
    """A file whose errors name it."""

    def __init__(self, path: Path | str | int, mode: str, name: Path | str) -> None:
        self._called = name
        with naming(name):
            super().__init__(path, mode, closefd=not isinstance(path, int))

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        with naming(self._called):
            return super().write(data)


class _Shared(_Named):
    """An open file of the process, such as /dev/stdout: opened by its name it would be cut off, as `>>` must not be."""

    def __init__(self, number: int, name: Path | str) -> None:
        self._called = name
        with naming(name):
            io.FileIO.__init__(self, os.dup(number), "wb")


def sync(file: BinaryIO, name: Path | str) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    with naming(name):
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (`fsync(2)`: syncing a file does not sync its name)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
