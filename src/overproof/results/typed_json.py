"""Read and write frozen dataclasses as plain JSON, strictly: what does not fit its type is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from overproof.report.not_measured import NotMeasured

__all__ = ["NotMeasured", "difference", "from_json", "json_schema", "to_json"]

T = TypeVar("T")
_AS_IT_IS = frozenset({int, float, bool, type(None)})
LONGEST = 120  # characters of a place or a value that a message shows
# For the dataclasses inside as well: no entry may be missing, unknown, of another kind, or no number at all.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def to_json(value: object) -> Any:
    """Return a value as plain JSON: dataclasses and mappings as objects, tuples as lists, everything else as it is.

    A lone surrogate, which no JSON parser takes, becomes its escape in letters (`\\udc80`).
    """
    kind = type(value)
    if kind in _AS_IT_IS:  # asked first: nearly all that there is is one of these, and an abstract class is slow to ask
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if kind is list:
        return [to_json(entry) for entry in value]  # type: ignore[attr-defined]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {to_json(str(name)): to_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    return value


def from_json(kind: type[T], data: object) -> T:
    """Read back what `to_json` gave for a value of this type.

    Parameters
    ----------
    kind
        A dataclass, or any type made of dataclasses, tuples, mappings and plain values.

    Raises
    ------
    ValueError
        An entry that is missing, unknown or of another kind; the message says where, in one line.
    """
    try:
        value: T = _adapter(kind).validate_json(json.dumps([to_json(data)]))[0]
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    return value


def difference(expected: object, given: object) -> str | None:
    """Say in one line where plain JSON differs first from what is expected, and how; None if it does not."""
    return _difference(expected, given, ())


def _difference(expected: object, given: object, place: tuple[str, ...]) -> str | None:
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        missing = next((name for name in expected if name not in given), None)
        if missing is not None:
            return f"{_place((*place, missing))}: missing"
        pairs = [(str(name), expected.get(name), entry) for name, entry in given.items()]
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        pairs = [(str(i), *pair) for i, pair in enumerate(zip(expected, given, strict=True))]
    else:
        return None if expected == given else f"{_place(place)}: contradicts the rest, expected {_short(expected)}"
    return next((found for name, a, b in pairs if (found := _difference(a, b, (*place, name)))), None)


def _place(steps: tuple[str, ...]) -> str:
    text = ".".join(steps) or "the whole"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type, with the docstrings of its dataclasses as descriptions."""
    return TypeAdapter(kind).json_schema()


_ADAPTERS: dict[object, TypeAdapter[Any]] = {}  # building one takes as long as reading a file with it


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        # In a tuple: pydantic takes no configuration for a dataclass itself, but hands that of its container down.
        _ADAPTERS[kind] = TypeAdapter(tuple[kind], config=STRICT)
    return _ADAPTERS[kind]


def _first(error: ValidationError) -> str:
    """Say the error that lies deepest: of several types that were tried it is the one that fitted best."""
    errors = error.errors(include_url=False)
    found = max(errors, key=lambda entry: len(entry["loc"]))
    place = _place(tuple(str(step) for step in found["loc"][1:] if not _is_type(step)))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{place}: {found['msg']}{more}"


def _is_type(step: object) -> bool:
    """Tell the names of types, which pydantic puts among the keys, from keys."""
    return isinstance(step, str) and (step[:1].isupper() or step.startswith(("tuple[", "dict[", "union[")))
