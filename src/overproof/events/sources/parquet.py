"""Read parquet tables, streamed by row batches."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.batch import event_batch, extra_names
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.stream import KEPT, LONGEST, READ_ERRORS, decoded

# what a damaged file was seen to raise, beside the errors of reading itself
_DAMAGED = (*READ_ERRORS, ValueError, TypeError, NotImplementedError, RuntimeError)


def read_parquet(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a parquet table; see `interface.Source`. The places in origins are rows, from 1."""
    import pyarrow.parquet as pq  # slow to import, and seldom needed

    if source.path is None:
        raise InputError(f"{source.name}: parquet is read from an uncompressed file only, not from a stream")
    try:
        file = pq.ParquetFile(source.path)
        schema = file.schema_arrow
    except _DAMAGED as error:
        raise InputError(f"{source.name}: not a readable parquet file ({error})") from None
    with file:
        layout = options.columns.table_layout(schema.names, f"{source.name}:1")
        kind = schema.types[schema.names.index(layout.text or "")]
        if pa.types.is_nested(kind):
            raise InputError(f"{source.name}:1: text column {layout.text!r} holds {kind}; expected strings")
        wanted = None if options.extra else sorted({name for name in layout if name})
        row = 0
        try:
            for batch in file.iter_batches(options.batch_rows, columns=wanted, use_threads=False):
                yield from _events(source.name, row, batch, options)
                row += batch.num_rows
        except _DAMAGED as error:
            options.on_skip(Skipped(f"the input breaks off: {error}", f"{source.name}:{row + 1}", ""))


def _events(name: str, before: int, batch: pa.RecordBatch, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the usable rows of a batch that has `before` rows ahead of it in its file."""
    found = batch.schema.names
    layout = options.columns.layout(found)
    blank = [None] * batch.num_rows
    fields = [blank if field is None else _strings(batch.column(found.index(field))) for field in layout]
    extras = (
        {key: _sound(batch.column(index)) for index, key in extra_names(found, layout).items()} if options.extra else {}
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


def _sound(array: pa.Array) -> pa.Array:
    """Return the array as it is, but strings as UTF-8."""
    return pa.array(_strings(array), array.type) if array.type in (pa.string(), pa.large_string()) else array


def _strings(array: pa.Array) -> list[str | None]:
    """Convert values of any type to text; a parquet string need not be UTF-8."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        return [None if value is None else json.dumps(value, default=str) for value in array.to_pylist()]
    if pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    elif not _BYTES.intersection({array.type}):
        array = array.cast(pa.string())
    return [None if value is None else decoded(value) for value in array.cast(pa.large_binary()).to_pylist()]


_BYTES = {pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()}
