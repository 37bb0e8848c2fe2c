"""Count the rows of tables: csv by Python's reader from each row's first line, Parquet by its footer."""

from __future__ import annotations

import csv
import io
import re
from typing import NamedTuple

import pyarrow.parquet as pq

from fuzz.accounts.told import Told
from fuzz.target import require

LOST = re.compile(r"breaks off, ([0-9,]+) rows before the end of its group")
EMPTY = "empty text"
TITLE = "a line above the header"
LONGEST = 1000  # lines of a record (docs/guide/limits.md)


class _Table(NamedTuple):
    """The lines of a table, and how they are divided."""

    lines: list[str]
    delimiter: str

    def blank(self, at: int) -> bool:
        """A line that is no record."""
        line = self.lines[at].removesuffix("\n")
        return line in ("", "\r") if self.delimiter == "\t" else not line.strip("\r")

    def row(self, at: int) -> tuple[list[str], int]:
        """The row that begins at a line, and the line behind it; raises csv.Error."""
        if self.delimiter == "\t":
            return self.lines[at].removesuffix("\n").removesuffix("\r").split("\t"), at + 1
        reader = csv.reader(iter(self.lines[at : at + LONGEST + 1]), delimiter=self.delimiter, strict=True)
        return next(reader), at + reader.line_num

    def next_filled(self, at: int) -> int:
        """The first line from there on that is not blank."""
        while at < len(self.lines) and self.blank(at):
            at += 1
        return at


def require_rows_of_csv(content: bytes, told: Told) -> None:
    """Require that events and rejects are the rows, one behind the other, and of a sound table all of its rows.

    Tables that something else may divide than commas, and of which a quote may stand behind a backslash, are left to
    the tests.
    """
    if re.search(rb"[;|]|sep=", content.lstrip(b"\xef\xbb\xbf\r\n").split(b"\n")[0], re.IGNORECASE):
        return
    if b'\\"' in content or _is_other(content, told):
        return
    table = _table(content, ",")
    counted = _require_one_behind_the_other(table, told)
    try:
        rows = [row for row in csv.reader(table.lines, strict=True) if row]
    except csv.Error:
        return
    if (
        rows
        and all(len(row) == len(rows[0]) for row in rows)
        and not any(row.count("\n") >= LONGEST for row in map("".join, rows))
    ):
        require(counted == len(rows) - 1, f"csv: {counted} of {len(rows) - 1} rows are events or rejected")


def require_rows_of_tsv(content: bytes, told: Told) -> None:
    """Require that events and rejects are the lines, one behind the other."""
    if _is_other(content, told):
        return
    _require_one_behind_the_other(_table(content, "\t"), told)


def _is_other(content: bytes, told: Told) -> bool:
    """Whether titles stand above the header, or carriage returns alone may end its rows: left to the tests."""
    header = next((line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()), b"")
    return b"\r" in header.rstrip(b"\r") or any(reason == TITLE for _, reason in told.rejected)


def _table(content: bytes, delimiter: str) -> _Table:
    *lines, last = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return _Table(
        [line.decode("utf-8", "backslashreplace") + "\n" for line in (*lines, *([last] if last else []))], delimiter
    )


def _require_one_behind_the_other(table: _Table, told: Told) -> int:
    """Go from record to record; each line belongs to one of them. Returns how many there are."""
    events, rejected = dict(zip(told.places, told.column("text"), strict=True)), dict(told.rejected)
    counted = len(events) + len(rejected)
    require(counted == len(told.places) + len(told.rejected), "csv: two records of one line")
    at = table.next_filled(0)
    header, at = table.row(at) if at < len(table.lines) else ([], at)
    while (at := table.next_filled(at)) < len(table.lines):
        line = at + 1
        if line in events:
            row, at = table.row(at)
            require(
                len(row) == len(header) and events.pop(line) in row, f"csv: another row than the event's: at {line}"
            )
        else:
            require(line in rejected, f"csv: a line that is neither event nor rejected: {line}")
            at = table.row(at)[1] if rejected.pop(line) == EMPTY else at + 1
    require(not events and not rejected, f"csv: records inside of others: {[*events, *rejected][:5]}")
    return counted


def require_rows_of_parquet(content: bytes, told: Told) -> None:
    """Require as many events and rejects as the footer says that there are rows."""
    rows = pq.ParquetFile(io.BytesIO(content)).metadata.num_rows
    lost = [LOST.search(reason) for reason, _ in told.skipped]
    counted = len(told.places) + sum(int(one[1].replace(",", "")) if one else 1 for one in lost)
    require(counted == rows, f"parquet: {counted} of {rows} rows are events or rejected")
