"""Name columns inside columns with dots: `event.original` of `{"event": {"original": …}}`, or of a Parquet struct.

A key that has dots of its own is found first: the name of a column is never taken apart where it stands whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ABSENT = object()
_DEEPEST = 8  # levels of objects whose keys are listed


def reach(record: Mapping[Any, Any], name: str) -> Any:
    """Return the value of a key, or of one inside objects; `ABSENT` where there is none."""
    if name in record:
        return record[name]
    for outer, rest in splits(name):
        inside = record.get(outer)
        if isinstance(inside, dict):
            found = reach(inside, rest)
            if found is not ABSENT:
                return found
    return ABSENT


def names_within(record: Mapping[Any, Any], before: str = "", levels: int = _DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield the name of every value that is no object, with the value."""
    for key, value in record.items():
        if isinstance(value, dict) and levels > 1:
            yield from names_within(value, f"{before}{key}.", levels - 1)
        else:
            yield f"{before}{key}", value


def struct_names(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Return the columns of a table and those inside its structs, by name, with their types."""
    found: dict[str, pa.DataType] = {}
    inside = [(field.name, field.type) for field in reversed(schema)]
    while inside:
        name, kind = inside.pop()
        found.setdefault(name, kind)
        if pa.types.is_struct(kind):
            inside += [(f"{name}.{field.name}", field.type) for field in reversed(list(kind))]
    return found


def struct_column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column of a batch, or one inside its structs: null where the struct is."""
    names = batch.schema.names
    if name in names:
        return batch.column(names.index(name))
    for outer, rest in splits(name):
        if outer in names and pa.types.is_struct(batch.column(names.index(outer)).type):
            found = _field(batch.column(names.index(outer)), rest)
            if found is not None:
                return found
    raise KeyError(name)


def _field(array: pa.Array, name: str) -> pa.Array | None:
    names = [field.name for field in array.type]
    if name in names:
        return pc.struct_field(array, [names.index(name)])
    for outer, rest in splits(name):
        if outer in names and pa.types.is_struct(array.type.field(names.index(outer)).type):
            found = _field(pc.struct_field(array, [names.index(outer)]), rest)
            if found is not None:
                return found
    return None


def splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and after each dot."""
    at = name.find(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.find(".", at + 1)
