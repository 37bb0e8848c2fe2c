"""End at a signal with nothing half-done: what belongs together is ended first, and no signal is lost on the way."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEAN_UP_SECONDS = 10.0  # after SIGTERM or SIGHUP; what still runs then is ended as it is
AGAIN_SECONDS = 0.05  # until a signal comes again whose exception was swallowed

_together = 0  # how deep the main thread is in steps that belong together
_waiting: list[int] = []  # signals that came meanwhile


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP came: what is half-written goes, as at Ctrl-C."""


def clean_up_at_signals() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does; one that is ignored, as under `nohup`, stays ignored."""
    for number in ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _came)
    sys.unraisablehook = _swallowed


def leave_signals() -> None:
    """Let signals end the process at once from now on: all is done, and at exit Python would show a traceback."""
    for number in ENDING:
        if signal.getsignal(number) is _came:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def together() -> Iterator[None]:
    """Let signals wait until the block has ended: what it makes is then known to whoever has to remove it."""
    global _together
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread
        return
    _together += 1
    try:
        yield
    finally:
        _together -= 1
        if _waiting and not _together:
            _end(_waiting.pop())


def _came(number: int, _: FrameType | None) -> None:
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)  # the next one ends it at once
        _later(CLEAN_UP_SECONDS, number)
    if _together:
        _waiting.append(number)
    else:
        _end(number)


def _end(number: int) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else Ended(number)


def _swallowed(ignored: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exception nobody can catch: it came to a destructor or to a callback of C."""
    if not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
    elif threading.current_thread() is threading.main_thread():
        number = ignored.exc_value.args[0] if isinstance(ignored.exc_value, Ended) else signal.SIGINT
        signal.signal(number, _came)
        _later(AGAIN_SECONDS, number)


def _later(seconds: float, number: int) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
