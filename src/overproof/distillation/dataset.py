"""What a run learns from and is measured on: loaded, split, fingerprinted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.distillation.training_set import UNLABELLED, Examples
from overproof.errors import InputError
from overproof.events.schema import fingerprint as of_events
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.split import leaked, split_events
from overproof.progress import Console

# One split for all runs, whatever their --seed: what `teach` held out, `compress` holds out too, so that a
# teacher is never measured on rows it was trained on.
SPLIT_SEED = 0

Events: TypeAlias = Sequence[str | Path] | pa.Table


@dataclass(frozen=True)
class DatasetSplits:
    """Events of one run.

    Attributes
    ----------
    train, validation, test
        Event tables; unlabelled events are in `train` alone.
    benign
        The labels that are harmless, of those that occur.
    labels
        All labels that occur, sorted.
    leaked_templates
        Templates of the test events that the other events have too.
    skipped
        Reason to number of records that could not be read.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    benign: tuple[str, ...]
    labels: tuple[str, ...]
    leaked_templates: int
    skipped: dict[str, int]

    def describe(self) -> dict[str, object]:
        """Rows, fingerprint and quality of the data, for manifest and report."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        sources = {s for p in parts.values() if "source" in p.column_names for s in p["source"].unique().to_pylist()}
        return {
            "rows": {name: part.num_rows for name, part in parts.items()},
            "unlabelled": self.train["label"].null_count,
            "sha256": {name: fingerprint(part) for name, part in parts.items()},
            "leaked_templates": self.leaked_templates,
            "skipped": self.skipped,
            "simulated": "simulated" in sources,
        }


def gather(
    events: Events,
    *,
    test: Events | None = None,
    unlabelled: Events | None = None,
    columns: Columns | None = None,
    benign: Sequence[str],
    rejects: Path | None = None,
    console: Console,
) -> DatasetSplits:
    """Load events and split them into train, validation and test.

    Without `test`, a fifth of the events is held out for it. Labels are required for at least two classes.

    Raises
    ------
    InputError
        Nothing usable, fewer than two labels, or none of `benign` among the labels.
    """
    columns = columns or Columns()
    with Rejects(rejects) as skipped:
        table = _load(events, columns, skipped)
        held_out = None if test is None else _load(test, columns, skipped)
        pool = None if unlabelled is None else _load(unlabelled, columns, skipped)
    split = split_events(table, seed=SPLIT_SEED, validation=0.1, test=0.2 if held_out is None else 0.0)
    train, tested = split.train, split.test if held_out is None else held_out
    leaks = split.leaked_templates if held_out is None else leaked(table, held_out)
    if not (split.validation.num_rows and tested.num_rows):
        raise InputError(
            f"{table.num_rows} events are too few to hold some out for validation and test: expected about 50 or more"
        )
    if pool is not None:
        pool = pool.set_column(pool.schema.get_field_index("label"), "label", pa.nulls(pool.num_rows, pa.string()))
        train = pa.concat_tables([train, pool], promote_options="default")
    labels = tuple(sorted(set(pc.unique(table["label"]).drop_null().to_pylist())))
    harmless = tuple(name for name in labels if name in benign)
    if len(labels) < 2:
        raise InputError(f"events have the labels {list(labels)}: expected at least two (see --label)")
    if not harmless or len(harmless) == len(labels):
        raise InputError(f"--benign {', '.join(benign)}: expected some, not all, of the labels {', '.join(labels)}")
    for reason, count in skipped.summary().items():
        console.say(f"skipped {count} records: {reason}")
    console.say(
        f"{train.num_rows:,} events to train, {split.validation.num_rows:,} to validate, {tested.num_rows:,} to test; "
        f"{leaks} leaked templates"
    )
    return DatasetSplits(train, split.validation, tested, harmless, labels, leaks, dict(skipped.summary()))


def targets(events: pa.Table, classes: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each event's label, UNLABELLED where it has none; shape (n,)."""
    index = pc.index_in(events["label"], pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(index, UNLABELLED).to_numpy(), dtype=np.int64)


def kinds(events: pa.Table) -> list[str | None]:
    """Family of each event, or its label where it has no family; None where it has neither."""
    return pc.coalesce(events["family"], events["label"]).to_pylist()  # type: ignore[no-any-return]


def as_examples(events: pa.Table, soft: Floats | None, classes: Sequence[str]) -> Examples:
    """Events and the teacher's logits on them, as the training loop takes them."""
    return Examples(events["text"].to_pylist(), targets(events, classes), soft, kinds(events))


def marked(events: pa.Table) -> pa.Table:
    """Simulated events whose family says if it is novel or hard benign, so that every table shows them apart."""
    family = events["family"]
    for column, mark in (("novel", " (novel)"), ("hard_benign", " (hard benign)")):
        family = pc.if_else(events[column], pc.binary_join_element_wise(family, mark, ""), family)
    return events.set_column(events.schema.get_field_index("family"), "family", family)


def fingerprint(events: pa.Table) -> str:
    """sha256 over texts and labels, in order."""
    return of_events(events["text"].to_pylist(), events["label"].to_pylist())


def _load(events: Events, columns: Columns, rejects: Rejects) -> pa.Table:
    return events if isinstance(events, pa.Table) else load_events(events, columns=columns, rejects=rejects)
