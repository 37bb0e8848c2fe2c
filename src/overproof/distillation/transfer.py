"""The teacher's soft labels: asked once, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from overproof.bundle.scores import Floats
from overproof.distillation.augment import transfer_texts
from overproof.distillation.dataset import kinds
from overproof.distillation.teachers import Teacher, align, cached_logits
from overproof.events.schema import event_table
from overproof.progress import Console


def query_teacher(
    teacher: Teacher, events: pa.Table, classes: Sequence[str], *, cache: Path | None, what: str, console: Console
) -> Floats:
    """The teacher's logits in the order of `classes`, shape (n, classes); computed once, then from the cache."""
    with console.progress(f"teacher judges {what}", events.num_rows) as advance:
        logits = cached_logits(teacher, events, cache, advance)
    return align(logits, teacher.classes, classes)


def transfer_set(teacher: Teacher, train: pa.Table, *, per_event: float, seed: int) -> pa.Table | None:
    """`edited_events` for the teacher to label; None if it cannot."""
    if not teacher.labels_new_events or not int(per_event * train.num_rows):
        return None
    return edited_events(train, per_event=per_event, seed=seed)


def edited_events(train: pa.Table, *, per_event: float, seed: int) -> pa.Table:
    """Unlabelled events made from the training events (see `augment.transfer_texts`)."""
    count = int(per_event * train.num_rows)
    known = train.filter(pc.is_valid(train["label"]))
    texts = transfer_texts(known["text"].to_pylist(), [k or "" for k in kinds(known)], count=count, seed=seed)
    return event_table({"text": texts, "origin": [f"transfer:{i + 1}" for i in range(len(texts))]})
