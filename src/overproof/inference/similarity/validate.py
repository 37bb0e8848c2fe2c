"""Measure on validation events what is close: read, placed among the known events, compared kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from overproof.bundle.tiers import Student
from overproof.events.templates import kind_of
from overproof.inference.similarity.closeness import Closeness, closeness
from overproof.inference.similarity.integers import Integers, numbers, rounded
from overproof.inference.similarity.spelling import spelling
from overproof.inference.similarity.writer import Writer


def validated(
    batches: Iterable[pa.RecordBatch], known: Writer, scorer: Student, placed: Callable[[str], Integers]
) -> dict[str, Closeness]:
    """Return from where on the known events of each kind are close.

    A validation event that is known itself, by text, label and family, tells nothing and is left out.

    Parameters
    ----------
    placed
        Where the known events of a kind lie, shape (rows, width).
    """
    rows: dict[str, list[Integers]] = {kind: [] for kind in known.kinds}
    names: dict[str, list[int]] = {kind: [] for kind in known.kinds}
    for batch in batches:
        events = zip(*(batch.column(name).to_pylist() for name in ("text", "label", "family")), strict=True)
        new = [event for event in dict.fromkeys(events) if not known.holds(*event) and kind_of(event[0]) in rows]
        if not new:
            continue
        texts = [text for text, _, _ in new]
        where = rounded(known.space.place(numbers(scorer.embed(texts)), spelling(texts)))
        for (text, label, family), row in zip(new, where, strict=True):
            rows[kind_of(text)].append(row)
            names[kind_of(text)].append(known.code_of(family or label))
    return {
        kind: closeness(np.array(rows[kind]), np.array(names[kind], np.int64), placed(kind), known.names_of(kind))
        if rows[kind]
        else Closeness(None, 0)
        for kind in known.kinds
    }
