"""Write tables as text, fitted to a line: what is too wide is wrapped, and then divided."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest

from overproof.folding import cells
from overproof.screen import WIDTH

Table = Sequence[Sequence[str]]

BETWEEN = "  "
_width = ContextVar("width", default=WIDTH)
# Blanks that no line ends at: before a unit, and within an interval.
_TIED = re.compile(r"(?<=[0-9]) (?=%|ms\b|µs\b|s\b|[kMG]?B\b|dB\b)| (?=[^\[\]]*\])")
_HARD = "\N{NO-BREAK SPACE}"


@contextmanager
def within(width: int) -> Iterator[None]:
    """Let tables have lines of at most so many cells, in place of `WIDTH`."""
    before = _width.set(width)
    try:
        yield
    finally:
        _width.reset(before)


def line_width() -> int:
    """Return the cells of a line that is written now."""
    return _width.get()


def aligned(table: Table, left: Collection[int] = (0,)) -> str:
    """Write a table as plain text, its first line a head: columns of `left` to the left, the others to the right.

    One that is wider than a line has its cells wrapped at blanks; one that is too wide even so is divided into several,
    each with the first column.
    """
    width = _width.get()
    least = [max(_least(line[i], width) for line in table) for i in range(len(table[0]))]
    parts = [[0]]
    for i in range(1, len(least)):
        if len(parts[-1]) > 1 and _total([least[k] for k in (*parts[-1], i)]) > width:
            parts.append([0])
        parts[-1].append(i)
    return "\n\n".join(
        _written([[line[i] for i in part] for line in table], {at for at, i in enumerate(part) if i in left}, width)
        for part in parts
    )


def markdown(table: Table, left: Collection[int] = (0,)) -> str:
    """Write a Markdown table, the first line a head: the columns of `left` to the left, the others to the right."""
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in table]
    rule = ["---" if i in left else "---:" for i in range(len(table[0]))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [escaped[0], rule, *escaped[1:]])


def _written(table: Table, left: Collection[int], width: int) -> str:
    """Write columns that fit into a line, if need be wrapped."""
    wrapped = _wrapped(table, width)
    widths = [max(cells(text) for line in wrapped for text in line[i]) for i in range(len(table[0]))]
    lines = []
    for line in wrapped:
        for texts in zip_longest(*line, fillvalue=""):
            lines.append(BETWEEN.join(_padded(text, widths[i], i in left) for i, text in enumerate(texts)))
        if line is wrapped[0]:
            lines.append(BETWEEN.join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _padded(text: str, width: int, to_the_left: bool) -> str:
    pad = " " * (width - cells(text))
    return text + pad if to_the_left else pad + text


def _wrapped(table: Table, width: int) -> list[list[list[str]]]:
    """Return the lines of each cell: the widest columns become narrower until all fit."""
    columns = range(len(table[0]))
    widths = [max(cells(line[i]) for line in table) for i in columns]
    if _total(widths) <= width:
        return [[[cell] for cell in line] for line in table]
    least = [max(_least(line[i], width) for line in table) for i in columns]
    while _total(widths) > width:
        widest = max((i for i in columns if widths[i] > least[i]), key=lambda i: widths[i], default=None)
        if widest is None:
            break
        widths[widest] -= 1
    return [[_lines(cell, widths[i]) for i, cell in enumerate(line)] for line in table]


def _lines(text: str, room: int) -> list[str]:
    """Wrap a text at blanks; a word that is longer than a line is broken."""
    lines = [""]
    for word in _words(text):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(joined) <= room:
            lines[-1] = joined
            continue
        pieces = _broken(word, room)
        lines = [*lines, *pieces] if lines[-1] else pieces
    return [line.replace(_HARD, " ") for line in lines]


def _broken(word: str, room: int) -> list[str]:
    pieces = [""]
    for character in word:
        if pieces[-1] and cells(pieces[-1] + character) > room:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _words(text: str) -> list[str]:
    return [word for word in _TIED.sub(_HARD, text).split(" ") if word]


def _least(text: str, width: int) -> int:
    """Return the cells of the narrowest column that a text fits into."""
    return min(max(map(cells, _words(text)), default=0), max(8, width // 3))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(BETWEEN) * (len(widths) - 1)
