"""Keep what code that is not ours changes of the process: where it works, what torch assumes, and that it goes on."""

from __future__ import annotations

import locale
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import numpy as np

from overproof.files import OwnOutput, results
from overproof.interrupts import ENDING

_exit = os._exit


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back the working directory, the mode of new files, what signals do, the locale, numpy's and torch's settings.

    A script that changes to its own folder must not move our outputs there, and one that switches gradients off must
    not do so for the student. `os._exit` within the block ends it as `sys.exit` does. A child that leaves the block in
    a fork ends there.
    """
    process, here, assumed = os.getpid(), _here(), _torch_settings()
    mask, language = _mask(), locale.setlocale(locale.LC_ALL)
    handlers = {each: signal.getsignal(each) for each in ENDING}

    def ended(status: int) -> NoReturn:
        if os.getpid() == process:
            raise SystemExit(status)
        _exit(status)

    os._exit = ended
    try:
        with np.errstate():
            yield
    finally:
        if os.getpid() != process:  # it has forked, and this is the child: the rest of the program is the parent's
            _exit(0)
        if not isinstance(results(), OwnOutput):  # on the command line threads that were started are ended later on
            os._exit = _exit
        if here is not None:
            os.fchdir(here)
            os.close(here)
        os.umask(mask)
        if locale.setlocale(locale.LC_ALL) != language:
            locale.setlocale(locale.LC_ALL, language)
        _set_handlers(handlers)
        _set_torch(assumed)


def _mask() -> int:
    """Return which rights new files do not get; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_handlers(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            # ValueError: of another thread than the main one; TypeError: it was set outside of Python
            with suppress(ValueError, TypeError):
                signal.signal(number, handler)


def _here() -> int | None:
    """Return a handle of the working directory; None if it is gone."""
    try:
        return os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _torch_settings() -> tuple[bool, Any] | None:
    """Return whether torch keeps gradients, and its default type; None where it is not imported yet."""
    torch = sys.modules.get("torch")
    return None if torch is None else (torch.is_grad_enabled(), torch.get_default_dtype())


def _set_torch(settings: tuple[bool, Any] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_default_dtype"):  # an import that failed leaves half of it
        return
    grad, dtype = (True, torch.float32) if settings is None else settings
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(dtype)
