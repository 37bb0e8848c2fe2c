"""Read parquet tables, streamed by row batches.

A cell of any type becomes text or a plain value on its own (`cells.py`); none of them ends the reading of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.batch import event_batch, extra_names
from overproof.events.sources.cells import plain_array, texts
from overproof.events.sources.interface import Columns, Input, Layout, ReadOptions, listed
from overproof.events.sources.nested import struct_column, struct_names
from overproof.events.sources.stream import KEPT, LONGEST, READ_ERRORS
from overproof.files import utf8_path
from overproof.progress import one_line, why

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
    with file:
        layout = _layout(source.name, schema, options.columns)
        wanted = None if options.extra else sorted({name for name in layout if name})
        for row, batch in _batches(file, options.batch_rows, wanted):
            if isinstance(batch, str):
                options.on_skip(Skipped(batch, f"{source.name}:{row + 1}", ""))
            else:
                yield from _events(source.name, row, batch, layout, options)


def _batches(file: Any, rows: int, columns: list[str] | None) -> Iterator[tuple[int, pa.RecordBatch | str]]:
    """Yield an open ParquetFile's rows in batches of at most `rows`, or why some cannot be read, each at its place.

    What Arrow does not join across row groups (dictionaries inside structs) is read group by group, and so are
    the groups behind one that is damaged.
    """
    read = 0
    try:
        for batch in file.iter_batches(rows, columns=columns, use_threads=False):
            yield read, batch
            read += batch.num_rows
        return
    except _DAMAGED:
        pass  # which of the groups it is shows below
    begin = 0
    for group in range(file.num_row_groups):
        place, end = begin, begin + file.metadata.row_group(group).num_rows
        try:
            for batch in (
                file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False) if end > read else ()
            ):
                if place + batch.num_rows > read:
                    yield max(place, read), batch.slice(max(0, read - place))
                place += batch.num_rows
        except _DAMAGED as error:
            lost = end - max(place, read)
            yield max(place, read), f"the input breaks off, {lost:,} rows before the end of its group: {why(error)}"
        begin = end


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


def _events(
    name: str, before: int, batch: pa.RecordBatch, layout: Layout, options: ReadOptions
) -> Iterator[pa.RecordBatch]:
    """Yield the usable rows of a batch that has `before` rows ahead of it in its file."""
    blank = [None] * batch.num_rows
    fields = [blank if field is None else texts(struct_column(batch, field)) for field in layout]
    extras = (
        {key: plain_array(batch.column(index)) for index, key in extra_names(batch.schema.names, layout).items()}
        if options.extra
        else {}
    )
    kept = []
    for row, text in enumerate(fields[0]):
        if text and len(text) <= LONGEST:
            kept.append(row)
            continue
        reason = "text is null" if text is None else "longer than 16 MiB" if text else "empty text"
        raw = json.dumps(dict(zip(layout._fields, (values[row] for values in fields), strict=True)), ensure_ascii=False)
        options.on_skip(Skipped(reason, f"{name}:{before + row + 1}", raw[:KEPT]))
    if not kept:
        return
    places = [before + row + 1 for row in kept]
    if len(kept) < batch.num_rows:
        fields = [[values[row] for row in kept] for values in fields]
        extras = {key: array.take(pa.array(kept)) for key, array in extras.items()}
    yield event_batch(name, places, fields, extras)
