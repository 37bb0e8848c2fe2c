"""Define the event, one thing to judge, and the Arrow schema that every source yields.

A source may append its own columns after these; nothing below may be missing. `label` is what the
model predicts, `family` the finer kind of attack, `group` what splits are made by (flow, host,
session, template), `origin` where the event was read (`file:line`), `overflow` whether the source cut its
content: the text is not all of it (docs/guide/limits.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SCHEMA = pa.schema(
    [
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("family", pa.string()),
        pa.field("time", pa.string()),
        pa.field("group", pa.string()),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("overflow", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Skipped:
    """A record that could not become an event: why, where it stood, and its content."""

    reason: str
    origin: str
    raw: str


def overflowed(batch: pa.RecordBatch | pa.Table) -> NDArray[np.bool_]:
    """Return of which events the source cut the content, shape (n,); of none where a table does not say."""
    if "overflow" not in batch.schema.names:
        return np.zeros(batch.num_rows, dtype=np.bool_)
    return np.array(batch.column("overflow").to_pylist(), dtype=np.bool_)  # null is false


def fingerprint(texts: Sequence[str], labels: Sequence[str | None]) -> str:
    """Hash texts and labels in their order with SHA-256."""
    digest = hashlib.sha256()
    for values in (texts, labels):
        for value in values:
            digest.update(repr(value).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def unordered_fingerprint(texts: Sequence[str], labels: Sequence[str | None]) -> str:
    """Hash texts with their labels with SHA-256; the same events in another order give the same hash."""
    events = (repr(pair).encode("utf-8", "backslashreplace") for pair in zip(texts, labels, strict=True))
    digest = hashlib.sha256()
    for one in sorted(hashlib.sha256(event).digest() for event in events):
        digest.update(one)
    return digest.hexdigest()


def event_table(columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """Build an event table from column lists; absent columns are null, further ones are appended.

    Parameters
    ----------
    columns
        Column name to values, all of one length; `text` is required. `origin` defaults to
        `event:1`, `event:2`, …, `overflow` to false.
    """
    count = len(columns["text"])
    data = dict(columns)
    data.setdefault("origin", [f"event:{i + 1}" for i in range(count)])
    data.setdefault("overflow", [False] * count)
    arrays = [pa.array(data.pop(f.name, [None] * count), type=f.type) for f in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    for name, values in data.items():
        table = table.append_column(name, pa.array(values))
    return table
