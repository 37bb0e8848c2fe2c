"""Read soft labels that somebody else computed: a file of them, or columns of the events themselves.

A black box cannot be queried again, so these teachers label no new events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.contract import SUM_TOLERANCE
from overproof.distillation.teachers.interface import (
    Report,
    TeacherCard,
    fingerprint_files,
    log_probabilities,
    texts_of,
)
from overproof.distillation.teachers.order import rows_by_order
from overproof.distillation.teachers.softrows import Row, table_rows
from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.sources.interface import DEFAULT_NAMES, Columns, listed

TABLES = (".csv", ".jsonl", ".ndjson", ".parquet")
PACKED = (".gz", ".zst")

_LARGEST = float(np.finfo(np.float32).max)  # beyond it a logit became infinite, and its row's loss no number


@dataclass(frozen=True)
class FileTeacher:
    """Soft labels of a file, joined to events by text, or where it has no texts by the order they were read in."""

    classes: tuple[str, ...]
    card: TeacherCard
    values: Floats
    row_of_text: Mapping[str, int] | None
    labels_new_events: bool = False

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Look up the file's rows for these events; an event without one is an InputError."""
        if self.row_of_text is None:
            rows = rows_by_order(events, len(self.values), self.card.name)
        else:
            rows = self._rows_by_text(events)
        if report is not None:
            report(events.num_rows)
        return self.values[rows]

    def _rows_by_text(self, events: pa.Table) -> NDArray[np.intp]:
        known = self.row_of_text or {}
        rows = np.array([known.get(text, -1) for text in texts_of(events)], dtype=np.intp)
        absent = np.flatnonzero(rows < 0)
        if len(absent):
            origin = events.column("origin")[int(absent[0])].as_py()
            raise InputError(
                f"{self.card.name}: {len(absent)} of {len(rows)} events have no soft label there, the first is {origin}"
            )
        return rows


@dataclass(frozen=True)
class ColumnTeacher:
    """Soft labels that stand in the events' own table, one column a class."""

    classes: tuple[str, ...]
    card: TeacherCard
    prefix: str
    are_logits: bool
    labels_new_events: bool = False

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Read the columns `prefix + class` of these events; a broken row is an InputError that names its origin."""
        names = [self.prefix + name for name in self.classes]
        missing = [name for name in names if name not in events.column_names]
        if missing:
            raise InputError(f"the events have no column {', '.join(missing)}, which columns:{self.prefix} needs")
        columns = [events.column(name).to_pylist() for name in names]
        origins = events.column("origin").to_pylist()
        rows = [
            (origin, dict(zip(names, row, strict=True)))
            for origin, row in zip(origins, zip(*columns, strict=True), strict=True)
        ]
        values = _values(rows, names, self.are_logits)
        if report is not None:
            report(events.num_rows)
        return values


def is_table(path: Path) -> bool:
    """Return whether the name ends like a table of soft labels (`.csv`, `.jsonl.gz`, …)."""
    name = path.name.lower()
    return name.endswith(tuple(t + p for t in TABLES for p in ("", *PACKED)))


def load_file(path: Path, *, are_logits: bool = False) -> FileTeacher:
    """Read a csv, jsonl or parquet file of soft labels.

    If any column begins with `p_` (of logits: `z_`), those are the classes; otherwise all columns
    but the text and the other event columns are. The text is found as in any table of events.

    Raises
    ------
    InputError
        Unreadable file, a name that stands twice, a class that some rows lack, a value that is no number, a row that is
        no distribution (`file:line`), one text with two different soft labels, or no column of a usual name for the
        text while another one may be it.
    """
    rows = list(table_rows(path))
    if not rows:
        raise InputError(f"{path}: has no rows")
    first = _first_values(rows)
    text = _text_column(first)
    columns, classes = _class_columns(path, first, text, "z_" if are_logits else "p_")
    values = _values(rows, columns, are_logits)
    by_text = None if text is None else _by_text(rows, text, values)
    # Without texts nothing is cached: the cache knows events by their texts, and these labels hang on their order.
    fingerprint = None if by_text is None else fingerprint_files(path)
    card = TeacherCard("soft labels", str(path), None, None, "computed elsewhere", fingerprint)
    return FileTeacher(classes, card, values, by_text)


def from_columns(prefix: str, columns: Sequence[str], *, are_logits: bool = False) -> ColumnTeacher:
    """Take the columns that begin with `prefix` as soft labels.

    Parameters
    ----------
    columns
        Names of the events table's columns.

    Raises
    ------
    InputError
        Fewer than two columns begin so, or one nearly does.
    """
    beginning = _beginning(f"columns:{prefix}", [name for name in columns if name != prefix], prefix)
    classes = tuple(name.removeprefix(prefix) for name in beginning)
    if not prefix or len(classes) < 2:
        raise InputError(
            f"columns:{prefix}: expected two or more columns of that prefix, the events have {', '.join(columns)}"
        )
    # No fingerprint: the cache knows events by their texts, and these labels are not in the texts.
    card = TeacherCard("soft labels", f"columns:{prefix}", None, None, "computed elsewhere", None)
    return ColumnTeacher(classes, card, prefix, are_logits)


def _first_values(rows: Sequence[Row]) -> dict[str, Any]:
    """Return all columns, each with the first value that it has: in JSON they come and go between lines."""
    first: dict[str, Any] = {}
    for _, row in rows:
        for name, value in row.items():
            first.setdefault(name, value)
    return first


def _text_column(first: Mapping[str, Any]) -> str | None:
    """Find the text as in a table of events; a column of numbers is a class that has such a name."""
    numbers = [name for name, value in first.items() if name != "text" and not _is_words(value)]
    found = Columns().layout(list(first), numbers).text
    return None if found in numbers else found


def _class_columns(
    path: Path, first: Mapping[str, Any], text: str | None, prefix: str
) -> tuple[list[str], tuple[str, ...]]:
    columns = _beginning(str(path), list(first), prefix)
    of_events = {*SCHEMA.names, text}
    if not columns:
        prefix, columns = "", [name for name in first if name not in of_events]
    if len(columns) < 2:
        raise InputError(f"{path}: expected one column a class, two or more; it has {', '.join(first)}")
    others = [name for name in first if name not in columns and name not in of_events and _is_words(first[name])]
    if text is None and others:
        raise InputError(
            f"{path}: no text column: looked for {', '.join(DEFAULT_NAMES['text'])}; if {listed(others)} is the text, "
            "name it `text`; to join by order, leave it out"
        )
    return columns, tuple(name.removeprefix(prefix) for name in columns)


def _beginning(where: str, names: Sequence[str], prefix: str) -> list[str]:
    """Return the names that begin with a prefix; InputError if further ones nearly do: they were left out."""

    def plain(name: str) -> str:
        return name.strip().casefold().replace("-", "_")

    found = [name for name in names if name.startswith(prefix)]
    nearly = [name for name in names if name not in found and plain(name).startswith(plain(prefix))]
    if found and nearly:
        raise InputError(
            f"{where}: column {listed(nearly)} nearly begins with {prefix}, as {listed(found)} do; expected {prefix} "
            "before each class, and before nothing else"
        )
    return found


def _is_words(value: object) -> bool:
    """Tell whether a value may be an event's text, and is no number."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return isinstance(value, str) and bool(value)
    return False


def _values(rows: Sequence[Row], columns: Sequence[str], are_logits: bool) -> Floats:
    """Convert rows to logits of shape (rows, columns); probabilities are made to sum to 1 first."""
    table = np.array([[_number(row, name, origin) for name in columns] for origin, row in rows], dtype=np.float64)
    table = table.reshape(len(rows), len(columns))
    if are_logits:
        large = np.argwhere(np.abs(table) > _LARGEST)
        if len(large):
            row, column = large[0]
            raise InputError(
                f"{rows[row][0]}: column {columns[column]} is {table[row, column]:g}, too large for a logit"
            )
        return table.astype(np.float32)
    sums = table.sum(axis=1)
    bad = np.flatnonzero((table < 0).any(axis=1) | (np.abs(sums - 1) > SUM_TOLERANCE))
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"{rows[row][0]}: {dict(zip(columns, table[row].tolist(), strict=True))} is no distribution; "
            f"expected values >= 0 that sum to 1 (or say that they are logits, with `logits:` in front)"
        )
    return log_probabilities(table / sums[:, None])


def _number(row: Mapping[str, Any], name: str, origin: str) -> float:
    if name not in row:
        raise InputError(f"{origin}: has no column {name}, which other rows have; expected every class in every row")
    raw = row[name]
    try:
        value = math.nan if raw is None or isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{origin}: column {name} is {raw!r}, expected a finite number "
            "(if that column is no class, begin the names of those that are with p_)"
        )
    return value


def _by_text(rows: Sequence[Row], column: str, values: Floats) -> dict[str, int]:
    found: dict[str, int] = {}
    for i, (origin, row) in enumerate(rows):
        text = row.get(column)
        if not isinstance(text, str):
            raise InputError(f"{origin}: column {column} is {text!r}, expected a string")
        first = found.setdefault(text, i)
        if first != i and not np.allclose(values[first], values[i], atol=1e-4):
            raise InputError(
                f"{origin}: another soft label for the text of {rows[first][0]}; expected one for each text"
            )
    return found
