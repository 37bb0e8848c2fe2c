"""Ask a teacher for soft labels, of the events at hand and of edited ones that nobody has labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.augment import transfer_texts
from overproof.distillation.teachers import Teacher, align, cached_logits
from overproof.events.families import families_of, labelled_events
from overproof.events.schema import event_table
from overproof.progress import Console


@dataclass(frozen=True)
class SoftLabelSource:
    """A teacher that is asked for soft labels.

    Attributes
    ----------
    teacher
        Who is asked.
    classes
        The columns of what it answers, which may be more than it knows.
    cache
        Folder where its answers are kept; None keeps none.
    console
        Where progress is shown.
    """

    teacher: Teacher
    classes: Sequence[str]
    cache: Path | None
    console: Console


def query_teacher(source: SoftLabelSource, events: pa.Table, what: str) -> Floats:
    """Return the teacher's logits, shape (n, classes); computed once, then from the cache.

    Parameters
    ----------
    what
        What the events are, for the progress bar.
    """
    teacher = source.teacher
    with source.console.progress(f"teacher judges {what}", events.num_rows) as advance:
        logits = cached_logits(teacher, events, source.cache, advance)
    return align(logits, teacher.classes, source.classes)


def transfer_set(teacher: Teacher, train: pa.Table, *, per_event: float, seed: int) -> pa.Table | None:
    """Return `edited_events` for the teacher to label; None if it cannot."""
    if not teacher.labels_new_events or not int(per_event * train.num_rows):
        return None
    return edited_events(train, per_event=per_event, seed=seed)


def edited_events(train: pa.Table, *, per_event: float, seed: int) -> pa.Table:
    """Make unlabelled events from the training events (see `augment.transfer_texts`)."""
    count = int(per_event * train.num_rows)
    known = labelled_events(train)
    texts = transfer_texts(
        known["text"].to_pylist(), [family or "" for family in families_of(known)], count=count, seed=seed
    )
    return event_table({"text": texts, "origin": [f"transfer:{i + 1}" for i in range(len(texts))]})
