"""Read the rows of a table of soft labels: csv, JSON lines or Parquet, plain or compressed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from overproof.bundle.manifest_schema import each_name_once
from overproof.distillation.teachers.contract import first_line
from overproof.errors import InputError
from overproof.events.sources.json_record import parse_pairs
from overproof.events.sources.stream import LONGEST, READ_ERRORS, decoded, open_input

Row = tuple[str, Mapping[str, Any]]  # `file:line` (of a parquet file: row), and its columns


def table_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table; texts are decoded as those of events are, so that they are equal.

    Raises
    ------
    InputError
        The file or a line of it cannot be read, or a name stands twice.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if ".parquet" in path.suffixes:
            yield from _parquet_rows(path)
            return
        with open_input(path) as source:
            content = b"".join(source.blocks)
    except READ_ERRORS as error:
        raise InputError(f"{path}: cannot be read: {first_line(error)}") from None
    yield from _csv_rows(path, decoded(content)) if ".csv" in path.suffixes else _json_rows(path, content)


def _parquet_rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        _require_each_once(str(path), file.schema_arrow.names)
        rows = file.read().to_pylist()
    yield from ((f"{path}:{i}", row) for i, row in enumerate(rows, start=1))


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))  # of the process; the module's default is 128 KiB
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    line = 1
    try:
        for row in reader:
            origin, line = f"{path}:{line}", reader.line_num + 1
            if not row:
                continue
            if not names:
                names = row
                _require_each_once(origin, names)
                continue
            if len(row) != len(names):
                raise InputError(f"{origin}: {len(row)} fields, expected {len(names)} as in the header")
            yield origin, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}:{line}: broken csv record: {error}") from None


def _require_each_once(where: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise InputError(f"{where}: a column name stands twice: {', '.join(names)}")


def _json_rows(path: Path, content: bytes) -> Iterator[Row]:
    for i, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _object(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{path}:{i}: not JSON: {first_line(error)}") from None
        except ValueError as error:
            raise InputError(f"{path}:{i}: {error}; expected each name once") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}:{i}: expected a JSON object")
        yield f"{path}:{i}", row


def _object(line: bytes) -> object:
    """Parse a line; ValueError if it is no JSON, or names something twice."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None  # as an event's, it may hold bytes that are not UTF-8, or half a character
    if isinstance(row, dict) and line.count(b'"') == 2 * (len(row) + sum(isinstance(v, str) for v in row.values())):
        return row  # so few quotes leave room for no further name
    return parse_pairs(line, each_name_once)
