"""Hold the lesson's blocks: sentences, tables and drawings, which the terminal and the page show alike."""

from __future__ import annotations

from dataclasses import dataclass

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first one the head; `prose` if its last column is sentences."""

    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


@dataclass(frozen=True)
class Drawing:
    """Text whose columns matter."""

    text: str


Block = str | Table | Drawing
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
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    own: tuple[Block, ...] = ()


def bits(value: float) -> str:
    """Write an amount of information."""
    return f"{value:.3f} bits"


def count(value: int | None) -> str:
    """Write a count, or that there is none."""
    return NOT_MEASURED if value is None else f"{value:,}"


def as_printed(printed: str, right: bool) -> str:
    """Write what the tutorial prints; ≠ marks what its arithmetic does not give."""
    return printed if right else f"≠ {printed}"
