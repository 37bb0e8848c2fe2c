"""Make text, or plain values, of table cells of any Arrow type, cell by cell: none of them ends a run.

A plain value is what every output can write: null, a boolean, a number, text in UTF-8, and lists and structs of those.
Times and dates become Arrow's text of them, durations `5 ns`, bytes their text, and what has no plain form (a struct
with one name twice) the JSON text of it.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from overproof.events.sources.stream import decoded

TEXT = pa.large_string()
_STRINGS = {pa.string(), pa.large_string(), pa.string_view()}
_VIEWS = {pa.string_view(), pa.binary_view()}
_BYTES = {*_STRINGS, pa.binary(), pa.large_binary(), pa.binary_view()}
# what Arrow was seen to raise for a value that has no Python or text form
_NO_FORM = (ValueError, OverflowError, TypeError, KeyError, NotImplementedError, pa.ArrowException)


def texts(array: pa.Array) -> list[str | None]:
    """Convert cells of any type to text; null stays None, lists and structs become JSON."""
    array = stored(array)
    if array.type in _BYTES:
        return _decoded(array.cast(pa.large_binary()))
    if pa.types.is_fixed_size_binary(array.type):
        return texts(array.cast(pa.large_binary()))
    if pa.types.is_nested(array.type):
        return [None if cell is None else _json(cell) for cell in map(_value, array)]
    try:
        found: list[str | None] = _without_bad_zone(array).cast(TEXT).to_pylist()
    except _NO_FORM:
        return [_shown(cell) for cell in array]
    unit = _unit(array.type)
    return [None if text is None else text + unit for text in found] if unit else found


def _decoded(array: pa.LargeBinaryArray) -> list[str | None]:
    try:  # all at once takes a quarter of the time
        found: list[str | None] = array.cast(TEXT).to_pylist()
    except (pa.ArrowException, UnicodeError):  # one of them is not UTF-8
        return [None if cell is None else decoded(cell) for cell in array.to_pylist()]
    return found


def plain_array(array: pa.Array) -> pa.Array:
    """Convert an array to plain values; one that has none but these stays as it is."""
    array = stored(array)
    wanted = _plain(array.type)
    if wanted == array.type and (not _has_text(wanted) or _is_valid(array)):
        return array
    if not pa.types.is_nested(wanted):
        return array.cast(wanted) if pa.types.is_floating(wanted) else pa.array(texts(array), wanted)
    return pa.array([_as(cell, wanted) for cell in array], wanted)


def stored(array: pa.Array) -> pa.Array:
    """Return the values themselves of a dictionary, of an extension type or of a view."""
    if array.type == pa.uuid():
        return pa.array([None if cell is None else str(cell) for cell in array.to_pylist()], TEXT)
    if isinstance(array, pa.ExtensionArray):
        return stored(array.storage)
    if pa.types.is_dictionary(array.type):
        return stored(_within(array).dictionary_decode())
    return array.cast(pa.large_binary()) if array.type in _VIEWS else array


def _within(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a dictionary's array in which what is beyond the dictionary, of a damaged file, is null."""
    indices = array.indices
    beyond = pc.or_(pc.less(indices, 0), pc.greater_equal(indices, len(array.dictionary)))
    if not pc.any(beyond).as_py():
        return array
    nothing = pa.scalar(None, indices.type)
    return pa.DictionaryArray.from_arrays(pc.if_else(beyond, nothing, indices), array.dictionary)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the plain values that a type becomes."""
    types = pa.types
    if kind in (pa.string(), TEXT) or types.is_null(kind) or types.is_boolean(kind) or types.is_integer(kind):
        return kind
    if types.is_floating(kind):
        return pa.float32() if types.is_float16(kind) else kind
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inside = kind.value_field.with_type(_plain(kind.value_type))
        return pa.large_list(inside) if types.is_large_list(kind) else pa.list_(inside)
    if types.is_struct(kind) and len({field.name for field in kind}) == kind.num_fields:
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return TEXT


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_has_text(kind.field(i).type) for i in range(kind.num_fields))
    return kind in _STRINGS


def _is_valid(array: pa.Array) -> bool:
    """Tell whether every text is UTF-8, which neither Parquet nor Arrow makes sure of."""
    try:
        array.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _as(cell: pa.Scalar, wanted: pa.DataType) -> Any:
    """Convert a cell to a value of a plain type."""
    if not cell.is_valid:
        return None
    if pa.types.is_struct(wanted):
        return {field.name: _as(cell[i], field.type) for i, field in enumerate(wanted)}
    if pa.types.is_nested(wanted):
        return [_as(each, wanted.value_type) for each in cell.values]
    return _leaf(cell, wanted)


def _leaf(cell: pa.Scalar, wanted: pa.DataType) -> Any:
    value = _value(cell)
    return value if wanted != TEXT or isinstance(value, str) else _json(value)


def _value(cell: pa.Scalar) -> Any:
    """Convert a cell to what JSON has a form for."""
    kind = cell.type
    if not cell.is_valid:
        return None
    if isinstance(cell, pa.DictionaryScalar) and not 0 <= cell.index.as_py() < len(cell.dictionary):
        return None  # of a damaged file
    if isinstance(cell, pa.ExtensionScalar | pa.DictionaryScalar):
        return _value(cell.value)
    if pa.types.is_struct(kind):
        pairs = [(field.name, _value(cell[i])) for i, field in enumerate(kind)]
        return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else pairs
    if pa.types.is_nested(kind):
        return [_value(each) for each in cell.values]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return cell.as_py()
    return _shown(cell)


def _shown(cell: pa.Scalar) -> str | None:
    """Convert a flat cell to text on its own."""
    if not cell.is_valid:
        return None
    if cell.type in _BYTES or pa.types.is_fixed_size_binary(cell.type):
        return decoded(cell.as_buffer().to_pybytes())
    try:
        return str(cell.cast(TEXT).as_py()) + _unit(cell.type)
    except _NO_FORM:
        pass
    try:
        return str(cell.as_py())
    except _NO_FORM:
        return f"({cell.type} without a text)"


def _unit(kind: pa.DataType) -> str:
    return f" {kind.unit}" if pa.types.is_duration(kind) else ""


def _without_bad_zone(array: pa.Array) -> pa.Array:
    """Return times in UTC where their zone is one that this machine does not know."""
    if not pa.types.is_timestamp(array.type) or array.type.tz is None:
        return array
    try:
        array[:1].cast(TEXT)
    except pa.ArrowException:
        return array.cast(pa.timestamp(array.type.unit, "UTC"))
    return array


def _json(value: Any) -> str:
    return json.dumps(value, default=str)
