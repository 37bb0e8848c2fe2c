"""Run the command line: `overproof`, or `python -m overproof`."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from os import _exit  # as it is before code that is not ours runs
from typing import NoReturn, TextIO

from overproof.errors import ExitCode
from overproof.files import OUTPUT, OwnOutput, keep_output, open_named

FOREIGN = "overproof.distillation.teachers.callable"  # imported only where code that is not ours runs
AT_EXIT = 5.0  # seconds for what such code asked to be run when the program ends


def main() -> None:
    """Run it; where a package that it needs is missing or broken, say so and end with 2: it is no decision."""
    _hold_closed_streams()
    sys.stdout = _named(sys.stdout)
    try:
        from overproof.cli import main as run
    except ImportError as error:
        print(f"error: overproof is not wholly installed ({error}); expected `pip install overproof`", file=sys.stderr)
        sys.exit(ExitCode.UNUSABLE)
    except KeyboardInterrupt:
        _interrupted()
    try:
        run()
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as ended:
        if FOREIGN in sys.modules:
            _leave(ended.code if isinstance(ended.code, int) else ExitCode.FAILED)
        raise


def _interrupted() -> NoReturn:
    """End by Ctrl-C before a command has begun, or when it is over."""
    _exit(ExitCode.INTERRUPTED)


def _leave(code: int) -> NoReturn:
    """End the process now that all is written, whatever threads and children a teacher's module has left running.

    What it prints at exit goes to standard error; its children that do not end are ended, as they may hold our output.
    """
    sys.stdout = sys.stderr
    ending = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    with suppress(BaseException):
        ending.start()
        ending.join(AT_EXIT)
        if (processes := sys.modules.get("multiprocessing")) is not None:
            for child in processes.active_children():
                child.kill()
        sys.stderr.flush()
    _exit(code)


def _hold_closed_streams() -> None:
    """Open the standard streams that are closed: else files of ours get their numbers, and what is meant for them.

    What is said on a closed standard error goes nowhere. Writing to a closed standard output fails, as it has to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _named(stream: TextIO) -> TextIO:
    """Return standard output such that a full disk's error names it.

    It gets a number of its own: code that is not ours, and what that starts, prints to number 1.
    """
    try:
        file = open_named(os.dup(stream.fileno()), "wb", OUTPUT)
    except (OSError, ValueError):  # somebody else's stream, which is no file
        return stream
    # what the terminal's encoding lacks is spelled out: a result is no mistake for that
    own = OwnOutput(file, stream.encoding, "backslashreplace", newline="\n", line_buffering=stream.isatty())
    keep_output(own)
    return own


if __name__ == "__main__":
    main()
