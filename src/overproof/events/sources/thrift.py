"""Read structs of Thrift's compact protocol, as far as Parquet's footer and page headers need it.

Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Kept: TypeAlias = "Mapping[int, Kept]"  # of a struct, or of each in a list, by the numbers of its fields

_BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 16


class Compact:
    """Reads from the start of some bytes.

    Attributes
    ----------
    place
        How many bytes were read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def struct(self, kept: Kept, depth: int = 0) -> dict[int, Any]:
        """Return numbers, structs and lists of structs that are wanted of a struct, by the numbers of their fields.

        Parameters
        ----------
        kept
            Which are wanted: others may take much more memory than they have bytes.

        Raises
        ------
        ValueError
            The bytes end before it does, or are none.
        """
        if depth > _DEEPEST:
            raise ValueError("structs in one another")
        found: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else _signed(self._varint())
            value = self._value(kind, kept.get(number, {}), depth, alone=True)
            if number in kept:
                found[number] = value
        return found

    def _value(self, kind: int, kept: Kept, depth: int, *, alone: bool) -> Any:
        if kind in (1, 2):  # a boolean, which is its type where it is a field
            return kind == 1 if alone else self._byte() == 1
        if kind == _BYTE:
            return self._byte()
        if kind in (4, 5, 6):
            return _signed(self._varint())
        if kind == _STRUCT:
            return self.struct(kept, depth + 1)
        if kind in (_DOUBLE, _BINARY):
            return self._pass(8 if kind == _DOUBLE else self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            items = (self._value(head & 15, kept, depth + 1, alone=False) for _ in self._times(count))
            return [item for item in items if kept]
        if kind == _MAP:
            count = self._varint()
            kinds = self._byte() if count else 0
            for _ in self._times(count):
                self._value(kinds >> 4, {}, depth + 1, alone=False)
                self._value(kinds & 15, {}, depth + 1, alone=False)
            return None
        raise ValueError(f"no type {kind}")

    def _times(self, count: int) -> range:
        if count > len(self._data):
            raise ValueError("more items than bytes")
        return range(count)

    def _pass(self, count: int) -> None:
        if count > len(self._data) - self.place:
            raise ValueError("the bytes end too early")
        self.place += count

    def _byte(self) -> int:
        self._pass(1)
        return self._data[self.place - 1]

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
            if shift > 63:
                raise ValueError("a number of more than 64 bits")


def _signed(number: int) -> int:
    return (number >> 1) ^ -(number & 1)
