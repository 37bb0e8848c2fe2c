"""Make one object of JSON in which a key stands several times: whoever writes both values would else hide the first."""

from __future__ import annotations

from itertools import chain
from typing import Any

import orjson

from overproof.events.sources.batch import plain

_COLON, _BACKSLASH = b":", ord("\\")
_SCALARS = (str, int, float, bool)


class RepeatedKey(ValueError):
    """Signal that a key stands twice, and that no value is both."""


def has_repeated(line: bytes, record: object) -> bool:
    """Tell whether a line may have a key that its record lost: it has a colon more than the record has, written anew.

    A colon is one in either, or it is escaped, and then the answer is yes.
    """
    try:
        written = orjson.dumps(record)
    except orjson.JSONEncodeError:  # it is nested too deeply for that
        return True
    if line.count(_COLON) != written.count(_COLON):
        return True
    return _BACKSLASH in line and (line.find(rb"\u003a") >= 0 or line.find(rb"\u003A") >= 0)


class Merging:
    """Make objects of their pairs, as `json.loads` takes them.

    Attributes
    ----------
    differing
        The keys that stood in one object with several values.
    """

    def __init__(self) -> None:
        self.differing: set[str] = set()

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object: of texts under one key all lines, of objects one, of lists one, of numbers the last.

        Raises
        ------
        RepeatedKey
            If an object or a list, and something else, have the same key.
        """
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        held: dict[str, list[Any]] = {}
        for key, value in pairs:
            held.setdefault(key, []).append(value)
        return {key: values[0] if len(values) == 1 else self._one(key, values) for key, values in held.items()}

    def _one(self, key: str, values: list[Any]) -> Any:
        given = [value for value in values if value is not None]
        if all(value == values[0] and type(value) is type(values[0]) for value in values) or not given:
            return values[0]
        self.differing.add(key)
        kinds = {*map(type, given)}
        if kinds == {dict}:
            return self(list(chain.from_iterable(value.items() for value in given)))
        if kinds == {list}:
            return list(chain.from_iterable(given))
        if not kinds <= {*_SCALARS}:
            raise RepeatedKey(f"the key {key[:60]!r} stands twice, and its values are of several kinds")
        return "\n".join(dict.fromkeys(map(str, map(plain, given)))) if str in kinds else given[-1]
