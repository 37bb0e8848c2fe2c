r"""Tell how a csv table is written, by how it begins.

Where commas divide no column of text from others, semicolons or bars may, as spreadsheets write them in many languages,
and a first line `sep=;` says so. Titles may stand above the header. Rows end with a carriage return alone where the
header does (spreadsheets for the Mac), since a header holds none. A quote inside of quotes is doubled (RFC 4180, 2.7);
MySQL and Spark write a backslash before it, which is taken for such only where nothing else can be meant.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from overproof.events.sources.interface import Columns
from overproof.events.sources.stream import decoded

SEPARATOR = re.compile(rb'"?sep=([!#-/:-@\[-`{-~\t])"?\r?', re.IGNORECASE)  # a line of Excel's, before the header
MOST_TITLES = 20  # lines above a header
_DELIMITERS = ",;|"
_ENDED_BY_CR = re.compile(rb'\s*(?:[^"\r\n]++|"[^"]*+"?)*+\r++(?!\n|\Z)')
_BACKSLASH = re.compile(r'\\(?!["\\])|(\\.)', re.DOTALL)


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes
    ----------
    delimiter
        What divides columns.
    before
        Lines before the header.
    end
        What ends a line.
    escaped
        Whether a quote inside of quotes stands behind a backslash.
    """

    delimiter: str
    before: int = 0
    end: bytes = b"\n"
    escaped: bool = False

    @property
    def quotes(self) -> bool:
        """Whether quotes are more than characters."""
        return self.delimiter != "\t"


def dialect_of(head: bytes, columns: Columns, delimiter: str | None) -> Dialect:
    """Tell the dialect of a table from its start, of which the delimiter may be known."""
    end = b"\r" if _ENDED_BY_CR.match(head) else b"\n"
    lines = head.split(end)
    if delimiter is None and (said := SEPARATOR.fullmatch(lines[0])):
        found = Dialect(said[1].decode("latin-1"), 1, end)
    else:
        found = _by_header(lines, columns, delimiter or _DELIMITERS, end)
    if not found.quotes or b'\\"' not in head:
        return found
    texts = [decoded(line) + "\n" for line in lines[found.before : len(lines) - 1 or None]]
    return Dialect(found.delimiter, found.before, end, _is_escaped(texts, found.delimiter))


def escape_quotes(line: str) -> str:
    """Write a line so that only a quote or a backslash is escaped by a backslash; any other stands for itself."""
    return _BACKSLASH.sub(lambda match: match[1] or r"\\", line)


def _by_header(lines: Sequence[bytes], columns: Columns, delimiters: str, end: bytes) -> Dialect:
    """Find the header: the first line, or one below titles, each of which has fewer cells that are filled."""
    above: dict[str, int] = dict.fromkeys(delimiters, 0)
    first = True
    for before, line in enumerate(lines[: MOST_TITLES + 1]):
        if not line.strip():
            continue
        for delimiter in delimiters:
            cells = _cells(decoded(line), delimiter)
            filled = sum(map(bool, cells))
            is_header = first or above[delimiter] < filled == len(cells)
            if is_header and columns.layout(cells).text is not None:
                return Dialect(delimiter, 0 if first else before, end)
            above[delimiter] = max(above[delimiter], filled)
        first = False
    return Dialect(delimiters[0], 0, end)


def _cells(line: str, delimiter: str, *, escaped: bool = False) -> list[str]:
    """Divide a line; one that cannot be has no cells."""
    if delimiter == "\t":
        return line.rstrip("\r\n").split("\t")
    with suppress(csv.Error):
        line = escape_quotes(line) if escaped else line
        return next(csv.reader([line], delimiter=delimiter, escapechar="\\" if escaped else None, strict=True), [])
    return []


def _is_escaped(lines: Sequence[str], delimiter: str) -> bool:
    """Tell whether a table is broken by its quotes, and none of their lines is with backslashes before them."""
    if not lines or _is_whole(lines, delimiter):
        return False
    width = len(_cells(lines[0], delimiter))
    quoted = [line for line in lines if '\\"' in line]
    return all(len(_cells(line, delimiter, escaped=True)) == width for line in quoted)


def _is_whole(lines: Sequence[str], delimiter: str) -> bool:
    """Tell whether doubled quotes are all that a table has inside of quotes; its last record may be cut."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                return False
    except csv.Error as error:
        return "unexpected end" in str(error)
    return True
