"""Events in: files and standard input of any known format, as Arrow batches of one schema.

`FORMATS` is the whole list of formats; one module each.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import pyarrow as pa

from overproof.errors import InputError
from overproof.event import SCHEMA, Skipped
from overproof.sources.csv import read_csv
from overproof.sources.interface import DEFAULT_NAMES, Columns, Input, OnSkip, Source
from overproof.sources.jsonl import read_jsonl
from overproof.sources.lines import read_lines
from overproof.sources.parquet import read_parquet
from overproof.sources.rejects import Rejects
from overproof.sources.stream import decoded, open_input

__all__ = ["FORMATS", "Columns", "Rejects", "load_events", "read_events"]

FORMATS: dict[str, Source] = {
    "csv": read_csv,
    "tsv": partial(read_csv, delimiter="\t"),
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "lines": read_lines,
}

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "lines",
    ".log": "lines",
}

# first bytes of what people pass by mistake, and what it is
_UNREADABLE = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"BZh91AY": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}

Paths = str | Path | Sequence[str | Path]


def read_events(
    paths: Paths,
    *,
    columns: Columns | None = None,
    format: str = "auto",
    on_skip: OnSkip,
    batch_rows: int = 2048,
    extra: bool = True,
) -> Iterator[pa.RecordBatch]:
    """Stream events from files, in their order; memory stays flat on any length.

    Parameters
    ----------
    paths
        Files; `-` is standard input. gzip and zstd are seen through.
    columns
        Which columns hold what; None looks for the usual names.
    format
        A key of `FORMATS`, or `auto`: by the extension, else by the content.
    on_skip
        Called with every record that could not become an event.
    batch_rows
        The most events in one batch.
    extra
        Whether the input's other columns follow those of `SCHEMA`.

    Yields
    ------
    pa.RecordBatch
        Columns of `SCHEMA`, then the others. `origin` is `file:line` (parquet: `file:row`).

    Raises
    ------
    InputError
        If a file cannot be read, lacks a needed column, or holds no usable event.
    """
    if format != "auto" and format not in FORMATS:
        raise InputError(f"format {format!r}: expected auto or one of {', '.join(FORMATS)}")
    for path in [paths] if isinstance(paths, str | Path) else paths:
        yield from _read_one(path, columns or Columns(), format, on_skip, batch_rows, extra)


def load_events(
    paths: Paths, *, columns: Columns | None = None, format: str = "auto", rejects: Rejects | None = None
) -> pa.Table:
    """Load whole files of events into one table, with all their columns.

    Parameters
    ----------
    paths, columns, format
        As for `read_events`.
    rejects
        Receives the records that could not become events. Without it they are told of in a warning.

    Raises
    ------
    InputError
        As for `read_events`; also if there are no files, or they disagree on the type of a column.
    """
    skipped = Rejects() if rejects is None else rejects
    batches = list(read_events(paths, columns=columns, format=format, on_skip=skipped, batch_rows=1 << 16))
    if not batches:
        raise InputError("no files of events were given")
    if rejects is None and skipped.total:
        warnings.warn(f"records of the events: {skipped}", stacklevel=2)
    return _joined(batches)


def _read_one(
    path: str | Path, columns: Columns, format: str, on_skip: OnSkip, batch_rows: int, extra: bool
) -> Iterator[pa.RecordBatch]:
    reasons: Counter[str] = Counter()

    def counted(skipped: Skipped) -> None:
        reasons[skipped.reason] += 1
        on_skip(skipped)

    with open_input(path) as source:
        read = FORMATS[_format(source, columns) if format == "auto" else format]
        usable = 0
        for batch in read(source, columns, on_skip=counted, batch_rows=batch_rows, extra=extra):
            usable += batch.num_rows
            yield batch
    if not usable:
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(10))
        raise InputError(f"{source.name}: no usable event: {why or 'it holds no records'}")


def _format(source: Input, columns: Columns) -> str:
    """The format by the extension, else by the first bytes."""
    for magic, what in _UNREADABLE.items():
        if source.head.startswith(magic):
            raise InputError(f"{source.name}: {what}; expected csv, jsonl, parquet or plain lines, in UTF-8")
    if source.head.startswith(b"PAR1"):
        return "parquet"
    suffixes = [suffix.lower() for suffix in PurePath(source.name).suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    if suffixes and suffixes[-1] in EXTENSIONS:
        return EXTENSIONS[suffixes[-1]]
    start = source.head.lstrip()
    if start.startswith(b"{"):
        return "jsonl"
    first = decoded(start.split(b"\n", 1)[0]).strip()
    known = {columns.text} if columns.text else set(DEFAULT_NAMES["text"])
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        cells = {cell.strip(' "') for cell in first.split(delimiter)}
        if known & (cells if columns.text else {cell.lower() for cell in cells}):
            return name
    return "lines"


def _joined(batches: list[pa.RecordBatch]) -> pa.Table:
    """One table; a column whose batches disagree becomes float64 if all are numbers, else strings."""
    types: dict[str, set[pa.DataType]] = {}
    for field in (field for batch in batches for field in batch.schema):
        types.setdefault(field.name, set()).add(field.type)
    wanted = {name: _common(kinds - {pa.null()}) for name, kinds in types.items() if name not in SCHEMA.names}
    schema = pa.schema([*SCHEMA, *(pa.field(name, kind) for name, kind in wanted.items())])
    try:
        return pa.concat_tables([_conformed(batch, schema) for batch in batches]).combine_chunks()
    except pa.ArrowException as error:
        raise InputError(f"{batches[0].column('origin')[0]}: the files disagree on a column's type ({error})") from None


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) <= 1:
        return next(iter(kinds), pa.string())
    numbers = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    return pa.float64() if numbers else pa.string()


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    found = batch.schema.names
    columns = [
        batch.column(found.index(field.name)).cast(field.type)
        if field.name in found
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
