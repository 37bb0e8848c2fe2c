"""Send what code that is not ours prints to standard error, while it runs: our own standard output may be JSON."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

_lock = threading.Lock()
_inside = threading.local()
_running = 0
_installed: _Parted | None = None


class _Parted(io.TextIOBase):
    """Stands for `sys.stdout` while foreign code runs anywhere: what that writes goes to standard error.

    That is what the threads that run it write, and those that it has started: any but the main one. Its other
    attributes are the standard output's, but for a buffer that foreign code asks for.
    """

    def __init__(self, own: TextIO) -> None:
        self.own = own

    def _target(self) -> TextIO | None:
        foreign = getattr(_inside, "depth", 0) or threading.current_thread() is not threading.main_thread()
        return sys.stderr if foreign else self.own

    def write(self, text: str) -> int:
        target = self._target()
        return len(text) if target is None else target.write(text)

    def flush(self) -> None:
        target = self._target()
        if target is not None:
            target.flush()

    def writable(self) -> bool:
        return True

    def __getattribute__(self, name: str) -> Any:
        if name in ("buffer", "encoding", "errors", "fileno", "isatty", "closed"):
            return getattr(self._target() or self.own, name)
        return super().__getattribute__(name)


@contextmanager
def on_standard_error() -> Iterator[None]:
    """Send what this thread prints to standard error until the block ends; may be nested, and in several threads."""
    global _running, _installed
    with _lock:
        _running += 1
        if _installed is None and sys.stdout is not None:
            _installed = _Parted(sys.stdout)
            sys.stdout = _installed
    _inside.depth = getattr(_inside, "depth", 0) + 1
    # while another thread runs foreign code, the main one may write verdicts
    alone = threading.current_thread() is threading.main_thread() and _inside.depth == 1
    try:
        with _number_one() if alone else nullcontext():
            yield
    finally:
        _inside.depth -= 1
        with _lock:
            _running -= 1
            if not _running and _installed is not None:
                if sys.stdout is _installed:
                    sys.stdout = _installed.own
                _installed = None


@contextmanager
def _number_one() -> Iterator[None]:
    """Let the number of standard output be standard error: libraries and child processes write to it as it is."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of the two is closed
        yield
        return
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
