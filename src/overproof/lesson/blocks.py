"""Hold the lesson's blocks: sentences, tables and drawings, which the terminal and the page show alike."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

NOT_MEASURED = "not measured"
CONTINUED = " \\"  # of a line that goes on, as a shell takes it


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first one the head; `prose` if its last column is sentences."""

    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


@dataclass(frozen=True)
class Drawing:
    """Text whose columns matter."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command line and what it does of a step.

    Attributes
    ----------
    words
        As a program is given them; `line` is what is typed.
    does
        The rest of a sentence that begins with the command.
    """

    words: tuple[str, ...]
    does: str

    @property
    def line(self) -> str:
        """The command on one line, quoted for a shell."""
        return shlex.join(self.words)

    def lines(self, width: int) -> list[str]:
        """Break the command between its words, so that it can be copied: no line is longer than its words ask for."""
        first, *others = map(shlex.quote, self.words)
        found = [first]
        for word in others:
            if len(f"{found[-1]} {word}{CONTINUED}") > width:
                found[-1] += CONTINUED
                found.append(f"  {word}")
            else:
                found[-1] += f" {word}"
        return found


@dataclass(frozen=True)
class CommandList:
    """The commands of several steps: key and title of each, and its commands."""

    steps: tuple[tuple[str, str, tuple[Command, ...]], ...]


Block = str | Table | Drawing | CommandList
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """One step: what it shows of the tutorial, and the same of one's own.

    Attributes
    ----------
    key
        Its name in the page.
    own
        The blocks about one's own data.
    commands
        What does this step for real.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    own: tuple[Block, ...] = ()
    commands: tuple[Command, ...] = ()


def bits(value: float) -> str:
    """Write an amount of information."""
    return f"{value:.3f} bits"


def count(value: int | None) -> str:
    """Write a count, or that there is none."""
    return NOT_MEASURED if value is None else f"{value:,}"


def as_printed(printed: str, right: bool) -> str:
    """Write what the tutorial prints; ≠ marks what its arithmetic does not give."""
    return printed if right else f"≠ {printed}"
