"""Fit text to the lines of a terminal: how many cells it takes, and where a line that is too long is broken."""

from __future__ import annotations

import re

_BEGUN = re.compile(r" *(?:\S+ {2,})?")


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def folded(text: str, width: int) -> str:
    """Break lines of more cells than that between words; what goes on stands below where it began.

    Where it began is behind the name that a line starts with, if two blanks or more are between.
    """
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if cells(line) <= width:
        return [line]
    from textwrap import TextWrapper

    begun = _BEGUN.match(line)
    indent = begun.end() if begun and begun.end() <= width // 2 else 0
    wrapper = TextWrapper(width, subsequent_indent=" " * indent, expand_tabs=False, replace_whitespace=False)
    wrapper.break_long_words = wrapper.break_on_hyphens = False  # paths and hashes are copied from there
    return wrapper.wrap(line)
