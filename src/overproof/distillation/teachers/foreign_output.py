"""Send what code that is not ours prints to standard error, while it runs: our own standard output may be JSON."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from overproof.files import OwnOutput

_lock = threading.Lock()
_inside = threading.local()
_running = 0
_installed: _Parted | None = None
_number_one: int | None = None  # where standard output is kept meanwhile


class Lent(io.TextIOBase):
    """A standard stream for code that is not ours: it may wrap, detach, reconfigure or close it, and ours stays.

    Scripts replace `sys.stdout` by a wrapper of its buffer to set an encoding; that closes the buffer with itself.
    """

    def target(self) -> TextIO | None:
        """Return where it writes; None goes nowhere."""
        raise NotImplementedError

    def write(self, text: str) -> int:
        """Write text, and return its length."""
        target = self.target()
        return len(text) if target is None else target.write(text)

    def flush(self) -> None:
        """Pass on what was written."""
        target = self.target()
        if target is not None:
            target.flush()

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the target's number; `io.UnsupportedOperation` if it has none."""
        target = self.target()
        return super().fileno() if target is None else target.fileno()

    def isatty(self) -> bool:
        """Say whether it ends in a terminal."""
        target = self.target()
        return target is not None and target.isatty()

    def close(self) -> None:
        """Do nothing: it is ours."""

    def reconfigure(self, **_: Any) -> None:
        """Do nothing, as it has no settings."""

    def detach(self) -> Any:
        """Return a buffer, and go on."""
        return self.buffer

    @property
    def buffer(self) -> Any:
        """A stream of bytes that ends in this one."""
        return _LentBytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of bytes written to `buffer`."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What is done about bytes that are none of it."""
        return "replace"


class _LentBytes(io.BufferedIOBase):
    """The bytes of a lent stream."""

    def __init__(self, text: Lent) -> None:
        self._text = text

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", "replace"))
        return len(raw)

    def flush(self) -> None:
        self._text.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def isatty(self) -> bool:
        return self._text.isatty()


class _Parted(Lent):
    """Stands for `sys.stdout` while foreign code runs anywhere: what that writes goes to standard error.

    That is what the threads that run it write, and those that it has started: any but the main one. To the main
    thread its other attributes are the standard output's.
    """

    def __init__(self, own: TextIO) -> None:
        self.own = own

    def target(self) -> TextIO | None:
        return sys.stderr if _is_foreign() else self.own

    def __getattribute__(self, name: str) -> Any:
        if name in ("buffer", "encoding", "errors", "closed") and not _is_foreign():
            return getattr(self.own, name)
        return super().__getattribute__(name)


def _is_foreign() -> bool:
    return bool(depth()) or threading.current_thread() is not threading.main_thread()


def depth() -> int:
    """Return in how many blocks of foreign code this thread is."""
    return getattr(_inside, "depth", 0)


@contextmanager
def on_standard_error() -> Iterator[None]:
    """Send what this thread prints to standard error until the block ends; may be nested, and in several threads.

    Whatever the code has made of `sys.stdout` and `sys.stderr`, they are as they were at the end.
    """
    global _running, _installed
    errors = sys.stderr
    with _lock:
        _running += 1
        if _installed is None and sys.stdout is not None:
            _installed = _Parted(sys.stdout)
            sys.stdout = _installed
        _move_number_one()
    _inside.depth = depth() + 1
    try:
        yield
    finally:
        _inside.depth -= 1
        sys.stderr = errors
        with _lock:
            _running -= 1
            if _installed is not None:
                # kept where our output has a number of its own: threads that foreign code has started print later on
                sys.stdout = _installed if _running or isinstance(_installed.own, OwnOutput) else _installed.own
            if not _running:
                _installed = _installed if sys.stdout is _installed else None
                _put_number_one_back()


def _move_number_one() -> None:
    """Let the number of standard output be standard error: libraries and child processes write to it as it is.

    Our own output has another number (see `__main__`); where somebody else's has number 1, the main thread may be
    writing to it while another one runs foreign code, and it stays.
    """
    global _number_one
    own = _installed.own if _installed is not None else sys.stdout
    try:
        if _number_one is not None or own is None:
            return
        if not isinstance(own, OwnOutput) and threading.current_thread() is not threading.main_thread():
            return
        own.flush()
    except (OSError, ValueError):  # it is no file
        pass
    try:
        _number_one = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of the two is closed
        _put_number_one_back()


def _put_number_one_back() -> None:
    global _number_one
    if _number_one is not None:
        os.dup2(_number_one, 1)
        os.close(_number_one)
        _number_one = None
