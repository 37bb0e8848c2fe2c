"""Fit output to the terminal it goes to: its width, and colour where colour is wanted."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import lru_cache
from typing import IO, Any, TypeAlias

from overproof.folding import cells
from overproof.progress import one_line

WIDTH = 100  # cells of a line where no terminal says how many it has
Paint: TypeAlias = Callable[[str, str], str]


def width_of(file: IO[Any]) -> int:
    """Return the cells of a line: what COLUMNS says, else the terminal, else `WIDTH`."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said[:5]) > 0:
        return int(said[:5])
    try:
        return os.get_terminal_size(file.fileno()).columns or WIDTH
    except (OSError, ValueError, io.UnsupportedOperation):
        return WIDTH


def is_coloured(file: IO[Any]) -> bool:
    """Tell whether colour is wanted: on a terminal that has it, unless NO_COLOR (https://no-color.org) is set."""
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return file.isatty() and not dumb and not os.environ.get("NO_COLOR")


def plain(text: str, style: str) -> str:
    """Leave a text as it is, whatever its style."""
    return text


def painter(file: IO[Any]) -> Paint:
    """Return what gives a text a style, such as `bold red`: by escapes where colour is wanted, else `plain`."""
    return _painted if is_coloured(file) else plain


def fitted(text: str, room: int) -> str:
    """Put a text on one line of so many cells: what is longer ends in …, what is shorter is filled up."""
    shown = one_line(text[: 2 * room + 1])
    if cells(shown) > room:
        from rich.cells import set_cell_size

        shown = set_cell_size(shown, room - 1) + "…" if room > 0 else ""
    return shown + " " * (room - cells(shown))


def _painted(text: str, style: str) -> str:
    from rich.color import ColorSystem

    return _style(style).render(text, color_system=ColorSystem.STANDARD) if text else ""


@lru_cache
def _style(style: str) -> Any:
    from rich.style import Style  # rich takes a tenth of a cold start to import

    return Style.parse(style)
