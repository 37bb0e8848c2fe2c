"""Read parquet tables, streamed by row batches.

A cell of any type becomes text or a plain value on its own (`cells.py`); none of them ends the reading of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.batch import BATCH_BYTES, MOST_COLUMNS, event_batch, extra_names, further
from overproof.events.sources.cells import plain_array, stored, texts
from overproof.events.sources.interface import Columns, Input, Layout, ReadOptions, listed
from overproof.events.sources.nested import struct_column, struct_names
from overproof.events.sources.parquet_pages import PAGE, chunks_of, footer, rows_at_once, unbounded
from overproof.events.sources.stream import KEPT, LONGEST, READ_ERRORS
from overproof.files import utf8_path
from overproof.portions import portions
from overproof.progress import one_line, why

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_NOT_READ = pa.scalar("(a list of more than 128 MiB: not read)", pa.large_string())

# what a damaged file was seen to raise, beside the errors of reading itself
_DAMAGED = (*READ_ERRORS, ValueError, TypeError, NotImplementedError, RuntimeError)


def read_parquet(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a parquet table; see `interface.Source`. The places in origins are rows, from 1."""
    import pyarrow.parquet as pq  # slow to import, and seldom needed

    if source.path is None:
        raise InputError(f"{source.name}: parquet is read from an uncompressed file only, not from a stream")
    try:
        with utf8_path(source.path) as path:
            file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except _DAMAGED as error:
        raise InputError(f"{source.name}: not a readable parquet file ({why(error)})") from None
    with file, open(source.path, "rb") as raw:
        layout = _layout(source.name, schema, options.columns)
        try:
            table = _Table(source.name, file, raw, layout, options)
        except (ValueError, OSError) as error:
            raise InputError(f"{source.name}: not a readable parquet file ({why(error)})") from None
        for row, batch in table.batches():
            if isinstance(batch, str):
                options.on_skip(Skipped(batch, f"{source.name}:{row + 1}", ""))
            else:
                yield from table.events(row, batch)


def _layout(name: str, schema: pa.Schema, columns: Columns) -> Layout:
    """Find the columns; those inside structs have names too."""
    found = struct_names(schema)
    nested = {name for name, kind in found.items() if pa.types.is_nested(kind)}
    layout = columns.table_layout(list(found), f"{name}:1", nested)
    if layout.text in nested:
        kind = one_line(str(found[layout.text]))[:200]
        raise InputError(
            f"{name}:1: text column {layout.text!r} holds {kind}; expected strings: name another with "
            f"--text COLUMN; found {listed([name for name in found if name not in nested])}"
        )
    return layout


class _TooLarge(Exception):
    """Signal why a row group is not read."""


class _Table:
    """A Parquet file whose rows become events."""

    def __init__(self, name: str, file: ParquetFile, raw: BinaryIO, layout: Layout, options: ReadOptions) -> None:
        self._name, self._file, self._raw, self._layout, self._options = name, file, raw, layout, options
        self._groups = footer(raw)
        self._rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        if file.metadata.num_rows != sum(self._rows) or min(self._rows, default=0) < 0:
            told = f"its footer says {file.metadata.num_rows:,}, its row groups {', '.join(map(str, self._rows[:9]))}"
            raise ValueError(f"it is not clear how many rows it has: {told}")
        self._names = file.schema_arrow.names
        self._columns = file.metadata.num_columns  # those inside structs too
        few = self._columns <= MOST_COLUMNS
        self._wanted = None if options.extra and few else sorted({field for field in layout if field})
        self._unread: list[str] = []

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch | str]]:
        """Yield the rows in batches, or why some cannot be read, each at its place; groups behind those are read."""
        begin = 0
        for group in range(self._file.num_row_groups):
            place, end = begin, begin + self._rows[group]
            try:
                for batch in self.read(group):
                    yield place, batch
                    place += batch.num_rows
                if place < end:
                    raise pa.ArrowInvalid("its pages hold no more")
            except _TooLarge as error:
                yield place, str(error)
            except _DAMAGED as error:
                yield place, f"the input breaks off, {end - place:,} rows before the end of its group: {why(error)}"
            begin = end

    def read(self, group: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a row group in batches of bounded size."""
        try:
            most = self._options.batch_rows
            chunks = chunks_of(self._raw, self._groups[group], self._file.metadata.schema, self._wanted, most)
            rows = rows_at_once(chunks, most)
            self._unread = unbounded(chunks)
        except ValueError as error:
            raise pa.ArrowInvalid(f"row group {group + 1}: {error}") from None
        used = {field.partition(".")[0] for field in self._layout if field}
        if used.intersection(self._unread) or any(chunk.page > PAGE for chunk in chunks):
            lost = self._rows[group]
            raise _TooLarge(f"row group {group + 1} has a page or a list of more than 128 MiB: {lost:,} rows, not read")
        names = self._names if self._wanted is None else self._wanted
        names = [name for name in names if name not in self._unread]
        batches = self._file.iter_batches(rows, row_groups=[group], columns=names, use_threads=False)
        yield from _together(batches, self._options.batch_rows)

    def events(self, before: int, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the usable rows of a batch that has `before` rows ahead of it in its file."""
        batch = _flat(batch)
        if batch.nbytes <= BATCH_BYTES:
            yield from self._events(before, batch)
            return
        sizes = [batch.slice(row, 1).nbytes for row in range(batch.num_rows)]
        for part in portions(sizes, BATCH_BYTES):
            start, rows = part.start, part.stop - part.start
            if max(sizes[part]) <= LONGEST:
                yield from self._events(before + start, batch.slice(start, rows))
                continue
            for row in range(start, part.stop):
                if sizes[row] <= LONGEST:
                    yield from self._events(before + row, batch.slice(row, 1))
                else:
                    self._options.on_skip(Skipped("longer than 16 MiB", f"{self._name}:{before + row + 1}", ""))

    def _events(self, before: int, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        name, layout, options = self._name, self._layout, self._options
        blank = [None] * batch.num_rows
        fields = [blank if field is None else texts(struct_column(batch, field)) for field in layout]
        extras = (
            {key: plain_array(batch.column(index)) for index, key in extra_names(batch.schema.names, layout).items()}
            if options.extra
            else {}
        )
        if options.extra:
            extras |= {column: pa.repeat(_NOT_READ, batch.num_rows) for column in self._unread if column not in extras}
            if self._columns > MOST_COLUMNS:
                extras |= further(self._columns, batch.num_rows)
        unusable = _unusable(fields[0])
        for row, reason in unusable.items():
            raw = json.dumps(
                dict(zip(layout._fields, (values[row] for values in fields), strict=True)), ensure_ascii=False
            )
            options.on_skip(Skipped(reason, f"{name}:{before + row + 1}", raw[:KEPT]))
        rows: Sequence[int] = range(batch.num_rows)
        if unusable:
            rows = [row for row in rows if row not in unusable]
            fields = [[values[row] for row in rows] for values in fields]
            extras = {key: array.take(pa.array(rows, pa.int64())) for key, array in extras.items()}
        if rows:
            yield event_batch(name, [before + row + 1 for row in rows], fields, extras)


def _unusable(texts: Sequence[str | None]) -> dict[int, str]:
    """Tell by their rows why texts are no events'."""
    if all(texts) and max(map(len, filter(None, texts)), default=0) <= LONGEST:  # at once, as nearly always
        return {}
    return {
        row: "text is null" if text is None else "longer than 16 MiB" if text else "empty text"
        for row, text in enumerate(texts)
        if not text or len(text) > LONGEST
    }


def _together(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Put small batches together, to about so many rows, or to `BATCH_BYTES`."""
    held: list[pa.RecordBatch] = []
    held_rows = held_bytes = 0
    for batch in batches:
        if not held and batch.num_rows >= rows:
            yield batch
            continue
        held.append(flat := _flat(batch))
        held_rows, held_bytes = held_rows + flat.num_rows, held_bytes + flat.nbytes
        if held_rows >= rows or held_bytes >= BATCH_BYTES:
            yield _joined(held)
            held, held_rows, held_bytes = [], 0, 0
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose columns hold their values themselves, so that rows have sizes of their own."""
    columns = [stored(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
