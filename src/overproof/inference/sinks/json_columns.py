"""Write columns as JSON text, value by value, without making an object of any: what orjson would write of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TEXT = pa.large_string()
Piece: TypeAlias = pa.Array | pa.Scalar | str
NULL = "null"
COMMA, QUOTE, BACKSLASH, SPACE = b',"\\ '


def dumped(value: Any) -> str:
    """Write one value; what JSON has no form for is written as its text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def joined(pieces: Sequence[Piece], *, nulls: str = "emit_null") -> pa.Array:
    """Put pieces together, row by row, at least one of them a column; a string is the same in all rows.

    A row with a null is null, or with nulls="replace" goes without it.
    """
    parts = [pa.scalar(piece, TEXT) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*parts, pa.scalar("", TEXT), null_handling=nulls)


def chosen(names: Sequence[str], places: NDArray[np.integer[Any]]) -> pa.Array:
    """Return the name at each place."""
    return pa.array(names, TEXT).take(pa.array(places))


def booleans(values: NDArray[np.bool_]) -> pa.Array:
    """Write true and false."""
    return chosen(["false", "true"], values.astype(np.int8))


def numbers(values: NDArray[np.float64]) -> pa.Array:
    """Write numbers, with as many digits as tell them apart; what is no number is null."""
    written = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    text = np.frombuffer(written, dtype=np.uint8)[1:-1]
    commas = np.flatnonzero(text == COMMA)
    bounds = np.zeros(len(values) + 1, dtype=np.int64)
    bounds[1:-1] = commas - np.arange(len(commas))
    bounds[-1] = len(text) - len(commas)
    content = text[text != COMMA].tobytes()
    return pa.Array.from_buffers(TEXT, len(values), [None, pa.py_buffer(bounds), pa.py_buffer(content)])


def strings(column: pa.Array) -> pa.Array:
    """Write text in quotes, escaped; null stays null."""
    column = column.cast(TEXT)
    if _needs_escapes(column):
        return pa.array([None if text is None else dumped(text) for text in column.to_pylist()], TEXT)
    return joined(['"', column, '"'])


def values(column: pa.Array) -> pa.Array:
    """Write any column; null stays null."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return strings(column)
    if pa.types.is_integer(kind):
        return column.cast(TEXT)
    if pa.types.is_boolean(kind):
        return pc.if_else(column, pa.scalar("true", TEXT), pa.scalar("false", TEXT))
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        written = numbers(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
        return pc.if_else(column.is_null(), pa.scalar(None, TEXT), written)
    return pa.array([None if value is None else dumped(value) for value in column.to_pylist()], TEXT)


def entries(columns: Mapping[str, pa.Array]) -> pa.Array:
    """Write one JSON object a row, of the columns that are not null there, without its braces; empty where all are."""
    named = [joined([f",{dumped(name)}:", values(column)]) for name, column in columns.items()]
    return pc.ascii_ltrim(joined(named, nulls="replace"), characters=",")  # the comma before the first


def shares(values: NDArray[np.float64], names: Sequence[str]) -> Iterator[Piece]:
    """Yield the pieces of one JSON object a row, without its braces: a number of each name, shape (n, names)."""
    written = numbers(values.T.ravel())
    for place, name in enumerate(names):
        yield f"{',' if place else ''}{dumped(name)}:"
        yield written.slice(place * len(values), len(values))


def content(column: pa.Array) -> memoryview:
    """Return a column's text, one row after the other."""
    _, bounds, data = column.buffers()
    if not len(column) or data is None:
        return memoryview(b"")
    within = np.frombuffer(bounds, dtype=np.int64)
    return memoryview(data)[within[column.offset] : within[column.offset + len(column)]]


def _needs_escapes(column: pa.Array) -> bool:
    text = np.frombuffer(content(column), dtype=np.uint8)
    return bool(((text < SPACE) | (text == QUOTE) | (text == BACKSLASH)).any())
