"""Join event batches of several files, whose further columns may differ, into one table."""

from __future__ import annotations

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.progress import why


def join_batches(batches: list[pa.RecordBatch]) -> pa.Table:
    """Join batches into one table; a column whose batches disagree becomes float64 if all are numbers, else strings."""
    types: dict[str, set[pa.DataType]] = {}
    for field in (field for batch in batches for field in batch.schema):
        types.setdefault(field.name, set()).add(field.type)
    wanted = {name: _common(kinds - {pa.null()}) for name, kinds in types.items() if name not in SCHEMA.names}
    schema = pa.schema([*SCHEMA, *(pa.field(name, kind) for name, kind in wanted.items())])
    try:
        return pa.concat_tables([_conformed(batch, schema) for batch in batches]).combine_chunks()
    except pa.ArrowException as error:
        raise InputError(
            f"{batches[0].column('origin')[0]}: the files disagree on a column's type ({why(error)})"
        ) from None


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
