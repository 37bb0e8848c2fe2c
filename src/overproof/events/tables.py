"""Write events as a table that can be labelled and learned from: csv, JSON lines or Parquet, batch by batch.

`FORMS` is the whole list of forms. Every form has the same columns, whatever the events were read from; what is read
back has the same texts. An event that a form cannot hold is rejected, never changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from overproof.errors import InputError
from overproof.events.schema import SCHEMA, Skipped
from overproof.events.sources.csv import MOST_LINES
from overproof.events.sources.interface import TABLES, OnSkip
from overproof.events.sources.stream import KEPT, LONGEST
from overproof.events.sources.structured import STRUCTURED_COLUMNS
from overproof.events.sources.values import integer

LABELLED_BY = "labelled_by"  # whose the label is, where it is not the table's own
SOURCE = "source"  # what the record was, else how it was read, as in a verdict
COLUMNS = pa.schema(
    [
        *SCHEMA,
        pa.field(LABELLED_BY, pa.string()),
        pa.field(SOURCE, pa.string()),
        *(pa.field(name, kind) for name, kind in STRUCTURED_COLUMNS.items() if name != "kind"),
    ]
)
GROUP_ROWS, GROUP_BYTES = 1 << 17, 64 << 20  # of a row group of Parquet
_LONG, _MANY = 1 << 20, MOST_LINES // 2  # characters and line ends of a text from which on a record is measured
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".zip")


class Writer(Protocol):
    """Writes batches that have the columns of a schema."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch."""
        ...

    def close(self) -> None:
        """Write what is left; the file stays open."""
        ...


@dataclass(frozen=True)
class Form:
    """One form of a table.

    Attributes
    ----------
    extension
        The end of the names of its files.
    open
        `open(file, schema)`: a writer into an open file.
    measure
        Bytes and lines of the record of an event.
    most_lines
        Lines of a record that can be read again; None where they do not matter.
    """

    extension: str
    open: Callable[[BinaryIO, pa.Schema], Writer]
    measure: Callable[[pa.RecordBatch], tuple[int, int]]
    most_lines: int | None = None

    def refused(self, batch: pa.RecordBatch, row: int, text: str) -> str | None:
        """Say why an event cannot be read again from this form; None where it can."""
        if len(text) < _LONG and text.count("\n") < _MANY:
            return None
        size, lines = self.measure(batch.slice(row, 1))
        if size > LONGEST:
            return f"longer than 16 MiB in the form {self.extension}"
        if self.most_lines is not None and lines > self.most_lines:
            return f"more than {self.most_lines:,} lines, as no record of {self.extension} has: expected --to jsonl"
        return None


def form_of(to: str | None, out: str) -> str:
    """Return the form of a table, a key of `FORMS`: what was asked for, else by the output's name, else csv.

    Raises
    ------
    InputError
        If there is no such form, or the name promises a compressed file.
    """
    if out.lower().endswith(_COMPRESSED):
        raise InputError(f"{out}: events are not written compressed, expected another name, or - and a pipe")
    if to is not None and to not in FORMS:
        raise InputError(f"form {to!r}: expected one of {', '.join(FORMS)}")
    return to or next((name for name, form in FORMS.items() if out.lower().endswith(form.extension)), "csv")


def table_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of a source with the columns of `COLUMNS`; a table's others are left out."""
    read_as = (batch.schema.metadata or {}).get(b"format", b"events").decode()
    columns: dict[str, pa.Array] = {}
    for field in COLUMNS:
        found = batch.column(field.name) if field.name in batch.schema.names else pa.nulls(batch.num_rows)
        columns[field.name] = _as(found, field.type)
    if read_as not in TABLES:  # whose own column it is
        kinds = batch.column("kind") if "kind" in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
        columns[SOURCE] = kinds
    columns[SOURCE] = pc.coalesce(columns[SOURCE], pa.scalar(read_as, pa.string()))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=COLUMNS)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert a column, which in a table may have any type; a value that has none of this one is null."""
    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except pa.ArrowException:
        values = column.to_pylist()
        return pa.array([integer(value) for value in values] if pa.types.is_integer(kind) else map(str, values), kind)


def writable(batch: pa.RecordBatch, form: Form, on_skip: OnSkip) -> pa.RecordBatch:
    """Return the events of a batch that can be read again from a form; the others are reported."""
    kept = []
    for row, text in enumerate(batch.column("text").to_pylist()):
        reason = form.refused(batch, row, text)
        if reason is None:
            kept.append(row)
        else:
            on_skip(Skipped(reason, batch.column("origin")[row].as_py(), text[:KEPT]))
    return batch if len(kept) == batch.num_rows else batch.take(pa.array(kept, pa.int64()))


class _Lines:
    """Writes what becomes bytes batch by batch."""

    def __init__(self, file: BinaryIO, encode: Callable[[pa.RecordBatch], bytes], header: bytes = b"") -> None:
        self._file, self._encode = file, encode
        file.write(header)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, and pass it on: a reader behind a pipe may wait for it."""
        self._file.write(self._encode(batch))
        self._file.flush()

    def close(self) -> None:
        """Pass on what is left."""
        self._file.flush()


def _csv(batch: pa.RecordBatch) -> bytes:
    """Write every text in quotes, doubled inside (RFC 4180), so that its line ends stay; null is nothing at all."""
    from pyarrow import csv

    written = pa.BufferOutputStream()
    csv.write_csv(batch, written, csv.WriteOptions(include_header=False))
    return written.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _json_lines(batch: pa.RecordBatch) -> bytes:
    import orjson

    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist())


class _Parquet:
    """Writes row groups of many batches."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep a batch until there are enough for a row group."""
        self._held.append(batch)
        self._rows, self._bytes = self._rows + batch.num_rows, self._bytes + batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
        self._held, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        """Write what is left, and the file's end."""
        self._flush()
        self._writer.close()


def _measured(encode: Callable[[pa.RecordBatch], bytes]) -> Callable[[pa.RecordBatch], tuple[int, int]]:
    def measure(batch: pa.RecordBatch) -> tuple[int, int]:
        written = encode(batch)
        return len(written), written.count(b"\n")

    return measure


FORMS: dict[str, Form] = {
    "csv": Form(
        ".csv",
        lambda file, schema: _Lines(file, _csv, (",".join(f'"{name}"' for name in schema.names) + "\n").encode()),
        _measured(_csv),
        MOST_LINES,
    ),
    "jsonl": Form(".jsonl", lambda file, schema: _Lines(file, _json_lines), _measured(_json_lines)),
    "parquet": Form(".parquet", _Parquet, lambda batch: (batch.nbytes, 1)),
}
