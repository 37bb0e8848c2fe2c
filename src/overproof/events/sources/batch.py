"""Build event batches from what a source has read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from overproof.events.schema import SCHEMA

BATCH_BYTES = 4 << 20  # a batch ends here even before it has its rows, so that memory stays flat
FURTHER = "further"  # the column in the place of too many
MOST_COLUMNS = 4096  # of a table, or a record of JSON; of one with more, what is no field is one column
NOTHING_YET = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in SCHEMA], schema=SCHEMA)

T = TypeVar("T")
Row = tuple[int, int, T]  # the place of an event in its input, its size in bytes, and what the source makes of it
Run = tuple[Iterable[int], int, Iterable[T]]  # the same of several rows, their sizes together


def batched(
    rows: Iterable[Row[T] | None], batch_rows: int, make: Callable[[list[int], list[T]], pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Gather rows into batches of at most `batch_rows` rows and about `BATCH_BYTES` bytes.

    Parameters
    ----------
    rows
        Rows as they are read; None where there is nothing more for now, so that no event is held back.
    make
        Makes the batch of some rows, given their places and values.

    Yields
    ------
    pa.RecordBatch
        `NOTHING_YET` where there is nothing more for now and no row waits.
    """
    places: list[int] = []
    values: list[T] = []
    size = 0
    for row in rows:
        if row is not None:
            place, taken, value = row
            places.append(place)
            values.append(value)
            size += taken
            if size < BATCH_BYTES and len(places) < batch_rows:
                continue
        yield make(places, values) if places else NOTHING_YET
        places.clear()  # at once: what is read next finds their memory still in the processor's cache
        values.clear()
        size = 0
    if places:
        yield make(places, values)


def gathered_runs(runs: Iterable[Run[T] | None], batch_rows: int) -> Iterator[tuple[list[int], list[T]]]:
    """Yield the places and values of the rows of each batch, as `batched` makes them, of rows that come several a time.

    Both are empty where there is nothing more for now and no row waits.
    """
    places: list[int] = []
    values: list[T] = []
    size = 0
    for run in runs:
        if run is not None:
            places += run[0]
            size += run[1]
            values += run[2]
        while run is None or len(places) >= batch_rows or (places and size >= BATCH_BYTES):
            yield places[:batch_rows], values[:batch_rows]
            del places[:batch_rows], values[:batch_rows]
            size = 0
            if not places:
                break
    if places:
        yield places, values


def event_batch(
    name: str,
    places: Sequence[int],
    fields: Sequence[Sequence[str | None]],
    extras: Mapping[str, pa.Array] | None = None,
    overflow: Sequence[bool] | None = None,
) -> pa.RecordBatch:
    """Make a batch of n events.

    Parameters
    ----------
    name
        The input's name; with the place it makes the origin.
    places
        Shape (n,): line or row of each event.
    fields
        Texts, labels, families, times and groups, n of each; the empty string is null.
    extras
        The input's other columns.
    overflow
        Whether the content of each event was cut; None if none was.
    """
    text, *optional = fields
    count = len(places)
    origins = pc.binary_join_element_wise(pa.scalar(name), pa.array(places, pa.int64()).cast(pa.string()), ":")
    columns = [text, *map(_filled, optional)]
    arrays = [
        *(
            pa.nulls(count, field.type) if values is None else pa.array(values, field.type)
            for values, field in zip(columns, SCHEMA, strict=False)
        ),
        origins,
        pa.array(overflow, pa.bool_()) if overflow and any(overflow) else pa.repeat(pa.scalar(False), count),
    ]
    extras = extras or {}
    schema = pa.schema([*SCHEMA, *(pa.field(key, array.type) for key, array in extras.items())])
    return pa.RecordBatch.from_arrays([*arrays, *extras.values()], schema=schema)


def _filled(values: Sequence[str | None]) -> Sequence[str | None] | None:
    """Return values of which the empty ones are None; None where all are."""
    if not any(values):
        return None
    return values if "" not in values else [value or None for value in values]


def further(columns: int, rows: int) -> dict[str, pa.Array]:
    """Return the column that stands for those of a table with too many, of which its fields alone are read."""
    said = f"({columns:,} columns, more than {MOST_COLUMNS:,}: not read)"
    return {FURTHER: pa.repeat(pa.scalar(said, pa.string()), rows)}


def extra_names(found: Sequence[str], used: Sequence[str | None]) -> dict[int, str]:
    """Name the columns that no field uses, by index; names already taken get `source_` before them."""
    taken, claimed = set(SCHEMA.names), {name for name in used if name}
    names: dict[int, str] = {}
    for index, column in enumerate(found):
        if column in claimed:
            claimed.remove(column)  # of two columns of one name, the first is used
            continue
        name = column
        while name in taken:
            name = f"source_{name}"
        taken.add(name)
        names[index] = name
    return names


def plain(value: object) -> str | None:
    """Convert a value to text: strings stay, null is None, lists and objects become JSON."""
    if value is None or isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"


def extra_array(values: Sequence[object]) -> pa.Array:
    """Convert values of mixed origin to an Arrow array: numbers and booleans if all are, else strings."""
    kinds = set(map(type, values)) - {type(None)}
    types = {
        frozenset({str}): pa.string(),
        frozenset({bool}): pa.bool_(),
        frozenset({int}): pa.int64(),
        frozenset(): pa.null(),
    }
    numeric = pa.float64() if kinds <= {int, float} else None
    wanted = types.get(frozenset(kinds), numeric)
    if wanted is not None:
        try:
            return pa.array(values, wanted)
        except (pa.ArrowException, OverflowError):
            pass  # an integer that Arrow cannot hold is kept as its digits
    return pa.array([plain(value) for value in values], pa.string())
