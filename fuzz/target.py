"""Define what is fuzzed: a target makes an input from a random source, and tries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

Files = dict[str, bytes]  # an input: file name (with folders) to content


class Broken(Exception):
    """What an input breaks: an invariant of the target, in one line."""


@dataclass(frozen=True)
class Target:
    """One way into the program.

    Attributes
    ----------
    name
        Its name, which begins the names of kept inputs.
    share
        Of all inputs, relative to those of the other targets.
    make
        `make(random)`: an input. It hangs on the random source and the corpus alone.
    run
        `run(files, folder)`: tries an input, in an empty folder of its own. Raises `Broken` where an invariant does not
        hold. The program itself may raise an `OverproofError` whose message is one line, and nothing else.
    """

    name: str
    share: int
    make: Callable[[Random], Files]
    run: Callable[[Files, Path], None]


def require(holds: object, broken: str) -> None:
    """Raise `Broken` unless an invariant holds."""
    if not holds:
        raise Broken(broken)
