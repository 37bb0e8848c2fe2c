"""Run the command line: `overproof`, or `python -m overproof`."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from overproof.errors import ExitCode
from overproof.files import OUTPUT, OwnOutput, open_named


def main() -> None:
    """Run it; where a package that it needs is missing or broken, say so and end with 2: it is no decision."""
    _hold_closed_streams()
    sys.stdout = _named(sys.stdout)
    try:
        from overproof.cli import main as run
    except ImportError as error:
        print(f"error: overproof is not wholly installed ({error}); expected `pip install overproof`", file=sys.stderr)
        sys.exit(ExitCode.UNUSABLE)
    try:
        run()
    finally:
        sys.stdout = sys.stderr  # whoever prints at exit, as a teacher's module may, does not do so among our output


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
    return OwnOutput(file, stream.encoding, stream.errors, newline="\n", line_buffering=stream.isatty())


if __name__ == "__main__":
    main()
