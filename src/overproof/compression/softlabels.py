"""The teacher's soft labels: asked once, kept, and shown where they say more than a hard label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overproof.compression.augment import transfer_texts
from overproof.compression.material import kinds
from overproof.compression.teachers import Teacher, align, cached_logits
from overproof.event import event_table
from overproof.progress import Console
from overproof.report.compression import SoftLabel
from overproof.scores import Floats, entropy_bits, softmax

TEMPERATURES = (1, 2, 4)


def ask(
    teacher: Teacher, events: pa.Table, classes: Sequence[str], *, cache: Path | None, what: str, console: Console
) -> Floats:
    """The teacher's logits in the order of `classes`, shape (n, classes); computed once, then from the cache."""
    with console.progress(f"teacher judges {what}", events.num_rows) as advance:
        logits = cached_logits(teacher, events, cache, advance)
    return align(logits, teacher.classes, classes)


def boundary_events(events: pa.Table, logits: Floats, classes: Sequence[str], count: int = 4) -> tuple[SoftLabel, ...]:
    """The events whose two best classes the teacher finds hardest to tell apart, one for each pair of classes.

    Source of the insight: Hinton, Vinyals, Dean 2015, section 1 ("dark knowledge").
    """
    probabilities = softmax(logits)
    two = np.argsort(-probabilities, axis=1)[:, :2]
    rows = np.arange(len(two))
    gap = probabilities[rows, two[:, 0]] - probabilities[rows, two[:, 1]]
    texts, labels = events["text"], events["label"]
    shown: dict[tuple[int, ...], SoftLabel] = {}
    for i in np.argsort(gap, kind="stable"):
        pair = tuple(sorted(two[i].tolist()))
        if pair in shown or len(texts[int(i)].as_py()) > 400:
            continue
        soft = {f"{t:g}": softmax(logits[i : i + 1], t) for t in TEMPERATURES}
        shown[pair] = SoftLabel(
            texts[int(i)].as_py(),
            labels[int(i)].as_py(),
            tuple(classes),
            {t: tuple(map(float, p[0])) for t, p in soft.items()},
            {t: float(entropy_bits(p)[0]) for t, p in soft.items()},
        )
        if len(shown) == count:
            break
    return tuple(shown.values())


def transfer_set(teacher: Teacher, train: pa.Table, *, per_event: float, seed: int) -> pa.Table | None:
    """Unlabelled events made from the training events, for the teacher to label; None if it cannot."""
    count = int(per_event * train.num_rows)
    if not teacher.labels_new_events or not count:
        return None
    known = train.filter(pc.is_valid(train["label"]))
    texts = transfer_texts(known["text"].to_pylist(), [k or "" for k in kinds(known)], count=count, seed=seed)
    return event_table({"text": texts, "origin": [f"transfer:{i + 1}" for i in range(len(texts))]})
