"""Hold what our readers say of a file: its events, and what they reject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa


class Told(NamedTuple):
    """Events in batches, and reason and origin of what was rejected."""

    batches: Sequence[pa.RecordBatch]
    skipped: Sequence[tuple[str, str]]

    def column(self, name: str) -> list[Any]:
        """A column of all events."""
        return [value for batch in self.batches for value in batch.column(name).to_pylist()]

    @property
    def places(self) -> list[int]:
        """The line, row or packet of each event."""
        return [place(origin) for origin in self.column("origin")]

    @property
    def rejected(self) -> list[tuple[int, str]]:
        """The line, row or packet of each that was rejected, and the reason."""
        return [(place(origin), reason) for reason, origin in self.skipped]


def place(origin: str) -> int:
    """The number that an origin ends with; 0 where there is none."""
    digits = origin.rpartition(":")[2].removeprefix("packet ")
    return int(digits) if digits.isdigit() else 0
