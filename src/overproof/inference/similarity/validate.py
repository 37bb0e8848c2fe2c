"""Measure on validation events what is close: read, and compared kind by kind with how known events are spelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from overproof.events.templates import kind_of
from overproof.inference.similarity.closeness import Closeness, closeness
from overproof.inference.similarity.integers import Integers, rounded
from overproof.inference.similarity.interface import Search
from overproof.inference.similarity.spelling import WIDTH, spelling
from overproof.inference.similarity.writer import Writer


def validated(batches: Iterable[pa.RecordBatch], known: Writer, alike: Callable[[str], Search]) -> dict[str, Closeness]:
    """Return from where on the known events of each kind are close.

    A validation event that is known itself, by text, label and family, tells nothing and is left out, and so is one of
    a family that no known event of its kind has.

    Parameters
    ----------
    alike
        Opens the search among the spellings of a kind's known events.
    """
    rows: dict[str, list[Integers]] = {kind: [] for kind in known.kinds}
    names = {kind: set(known.names_of(kind).tolist()) - {-1} for kind in known.kinds}
    for batch in batches:
        events = zip(*(batch.column(name).to_pylist() for name in ("text", "label", "family")), strict=True)
        new = [
            (text, kind)
            for text, label, family in dict.fromkeys(events)
            if not known.holds(text, label, family)
            and known.code_of(family or label) in names.get(kind := kind_of(text), ())
        ]
        where = rounded(known.space.spelled(spelling([text for text, _ in new])))
        for (_, kind), row in zip(new, where, strict=True):
            rows[kind].append(row)
    return {kind: _closeness(part, alike, kind) for kind, part in rows.items()}


def _closeness(rows: list[Integers], alike: Callable[[str], Search], kind: str) -> Closeness:
    def nearest(queries: Integers) -> np.ndarray:
        search = alike(kind)
        return np.array([near.cosines[0] for near in search(queries, 1)])

    return closeness(np.array(rows, dtype=np.int8).reshape(-1, WIDTH), nearest)
