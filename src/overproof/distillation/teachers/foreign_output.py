"""Send what code that is not ours prints to standard error, while it runs: our own standard output may be JSON."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from overproof.files import OwnOutput, results

_lock = threading.Lock()
_running = 0
_ours: tuple[TextIO, TextIO]
_number_one: int | None = None  # where it is kept meanwhile


class Aside(io.RawIOBase):
    """Bytes that end in a stream of ours, or are held back: code that is not ours may close or detach what wraps them.

    Scripts replace `sys.stdout` by a wrapper of its buffer to set an encoding; that closes the buffer with itself.
    """

    def __init__(self, through: TextIO | None, *, held: bool = False) -> None:
        self._through = through
        self._held: list[str] | None = [] if held else None

    def opened(self) -> TextIO:
        """Return a stream of text that writes here."""
        return io.TextIOWrapper(io.BufferedWriter(self), encoding="utf-8", errors="replace", line_buffering=True)

    def write(self, data: Any) -> int:
        """Pass on bytes; what a stream of ours cannot take is lost, as it is not the model's fault."""
        text = bytes(data).decode("utf-8", "replace")
        if self._held is not None:
            self._held.append(text)
        elif self._through is not None:
            with suppress(OSError):
                self._through.write(text)
                self._through.flush()
        return len(data)

    def release(self, *, shown: bool) -> str:
        """Hold nothing back any longer; return what was held."""
        text, self._held = "".join(self._held or ()), None
        if shown:
            self.write(text.encode())
        return text

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the number of the stream of ours; `io.UnsupportedOperation` if it has none."""
        return super().fileno() if self._through is None else self._through.fileno()

    def isatty(self) -> bool:
        """Say whether it ends in a terminal."""
        return self._through is not None and self._through.isatty()


@contextmanager
def on_standard_error() -> Iterator[None]:
    """Send what is printed to standard error until the block ends; may be nested, and in several threads.

    That is whatever the process prints meanwhile, but `files.results`: by `sys.stdout`, and by number 1 where our
    results have another. At the end both streams are ours again, whatever the code has made of them.
    """
    global _running, _ours
    with _lock:
        if not _running:
            _ours = sys.stdout, sys.stderr
            _move_number_one()
            sys.stdout, sys.stderr = Aside(sys.stderr).opened(), Aside(sys.stderr).opened()
        _running += 1
    lent = sys.stdout, sys.stderr
    try:
        yield
    finally:
        for stream in lent:
            with suppress(ValueError):  # it was closed, or taken apart
                stream.flush()
        with _lock:
            _running -= 1
            if not _running:
                _put_number_one_back()
                sys.stdout, sys.stderr = _ours
                if isinstance(sys.stdout, OwnOutput):
                    sys.stdout = sys.stderr  # for good: threads that were started print later on


def _move_number_one() -> None:
    """Let number 1 be standard error, where our results have another: children and libraries print to it."""
    global _number_one
    if isinstance(results(), OwnOutput):
        with suppress(OSError):  # one of the two is closed
            _number_one = os.dup(1)
            os.dup2(2, 1)


def _put_number_one_back() -> None:
    global _number_one
    if _number_one is None:
        return
    with suppress(OSError, ValueError, AttributeError):
        ctypes.CDLL(None).fflush(None)  # what C's printf still holds
        sys.__stdout__.flush()  # type: ignore[union-attr]
    os.dup2(_number_one, 1)
    os.close(_number_one)
    _number_one = None
