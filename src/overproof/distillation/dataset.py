"""Split events into what a run learns from, validates with and is measured on, and describe them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.distillation.training_set import UNLABELLED, Examples
from overproof.errors import InputError
from overproof.events.contradictions import contradictory, outvoted
from overproof.events.families import families_of, labelled_events
from overproof.events.feedback import WEIGHT
from overproof.events.schema import fingerprint as of_events
from overproof.events.split import leaked, split_events, templates
from overproof.events.tables import LABELLED_BY
from overproof.events.templates import kind_of

# One split for all runs, whatever their --seed: what `teach` held out, `compress` holds out too, so that a
# teacher is never measured on rows it was trained on.
SPLIT_SEED = 0
SURE = 0.99  # of an analyst's label, where it stands for the teacher's answer


@dataclass(frozen=True)
class DatasetSplits:
    """Events of one run.

    Attributes
    ----------
    train, validation, test
        Event tables; unlabelled events are in `train` alone.
    benign
        The labels that are benign, of those that occur.
    labels
        All labels that occur, sorted.
    leaked_templates
        Templates of the test events that the other events have too.
    skipped
        Reason to number of records that could not be read.
    labelled_by
        The teacher whose verdicts the labels are, since no event had one; None where they had.
    truth_known
        Whether the labels of the test events are their own.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    benign: tuple[str, ...]
    labels: tuple[str, ...]
    leaked_templates: int
    skipped: dict[str, int]
    labelled_by: str | None = None
    truth_known: bool = True

    def describe(self) -> dict[str, object]:
        """Return rows, fingerprint and quality of the data, for manifest and report."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        sources = {s for p in parts.values() if "source" in p.column_names for s in p["source"].unique().to_pylist()}
        labellers = self._labellers()
        return {
            "rows": {name: part.num_rows for name, part in parts.items()},
            "unlabelled": self.train["label"].null_count,
            "kinds": self._kinds(),
            "sha256": {name: fingerprint(part) for name, part in parts.items()},
            "leaked_templates": self.leaked_templates,
            "contradictory": contradictory(self.train),
            "skipped": self.skipped,
            "simulated": "simulated" in sources,
            **({"labelled_by": labellers} if labellers else {}),
        }

    def _kinds(self) -> dict[str, int]:
        """Count the kinds of record that a student is taught and its thresholds are set by."""
        texts = (text for part in (self.train, self.validation) for text in part["text"].to_pylist())
        return dict(Counter(map(kind_of, texts)).most_common())

    def _labellers(self) -> list[str]:
        """List whose labels there are, apart from the events' own: alerts', a teacher's."""
        parts = (self.train, self.validation, self.test)
        columns = [part[LABELLED_BY] for part in parts if LABELLED_BY in part.column_names]
        said = {by for column in columns for by in column.unique().to_pylist()}
        return sorted({str(by) for by in {*said, self.labelled_by} if by})


@dataclass(frozen=True)
class EventTables:
    """Events as they were read.

    Attributes
    ----------
    events
        Labelled events, to learn from and to validate with.
    test
        Events to measure on; None holds a fifth of `events` out.
    unlabelled
        More events to learn from through the teacher alone; their labels are ignored.
    skipped
        Reason to number of records that could not be read.
    labelled_by
        The teacher that labelled `events`, none of which had a label; None where they had.
    truth_known
        Whether the labels of what is measured on are its own.
    """

    events: pa.Table
    test: pa.Table | None = None
    unlabelled: pa.Table | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    labelled_by: str | None = None

    truth_known: bool = True


def split_dataset(tables: EventTables, benign: Sequence[str]) -> DatasetSplits:
    """Split events into train, validation and test.

    Raises
    ------
    InputError
        Too few events, fewer than two labels, or none of `benign` among the labels.
    """
    events, test = tables.events, tables.test
    split = split_events(events, seed=SPLIT_SEED, validation=0.1, test=0.2 if test is None else 0.0)
    tested = split.test if test is None else test
    leaks = split.leaked_templates if test is None else leaked(events, test)
    if not (split.validation.num_rows and tested.num_rows):
        raise InputError(_too_few(events))
    train = split.train
    if tables.unlabelled is not None:
        train = pa.concat_tables([train, _without_labels(tables.unlabelled)], promote_options="default")
    labels = tuple(sorted(set(pc.unique(events["label"]).drop_null().to_pylist())))
    occurring = tuple(name for name in labels if name in benign)
    if len(labels) < 2:
        raise InputError(f"events have the labels {list(labels)}: expected at least two (see --label)")
    if not occurring or len(occurring) == len(labels):
        raise InputError(f"--benign {', '.join(benign)}: expected some, not all, of the labels {', '.join(labels)}")
    return DatasetSplits(
        train,
        split.validation,
        tested,
        occurring,
        labels,
        leaks,
        dict(tables.skipped),
        tables.labelled_by,
        tables.truth_known,
    )


def _too_few(events: pa.Table) -> str:
    """Say why no event can be held out: those without a label cannot be, nor what hangs together with them."""
    known = labelled_events(events)
    if not known.num_rows:
        return (
            f"none of the {events.num_rows:,} events has a label (see --label): expected labels, or `overproof "
            "compress` with a teacher that needs none; `overproof events` labels by alerts, or by a teacher"
        )
    some = "" if known.num_rows == events.num_rows else f" with a label, of {events.num_rows:,} events"
    return (
        f"{known.num_rows:,} events{some}, of {len(set(templates(known))):,} templates, are too few to hold some out "
        "for validation and test: expected about 50 or more that differ by more than digits and case"
    )


def targets(events: pa.Table, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the class index of each event's label, UNLABELLED where it has none; shape (n,)."""
    index = pc.index_in(events["label"], pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(index, UNLABELLED).to_numpy(), dtype=np.int64)


def as_examples(events: pa.Table, soft: Floats | None, classes: Sequence[str]) -> Examples:
    """Join events with the teacher's logits on them, as the training loop takes them.

    An event whose text has another label at least as often counts to no family: shown more often, as a rare family's
    events are, it would teach that what is mostly the other is this, and no model gets it right.
    """
    families = families_of(events)
    for row in outvoted(events):
        families[row] = None
    return Examples(events["text"].to_pylist(), targets(events, classes), soft, families, weights_of(events))


def weights_of(events: pa.Table) -> NDArray[np.float64] | None:
    """Return how often each event is shown, shape (n,); None where analysts corrected none of them."""
    if WEIGHT not in events.column_names:
        return None
    return np.asarray(pc.fill_null(events[WEIGHT], 1.0).to_numpy(), dtype=np.float64)


def corrected(soft: Floats, events: pa.Table, classes: Sequence[str]) -> Floats:
    """Return the teacher's logits with the analyst's label in place of its answer wherever it contradicts one.

    Where both agree the teacher's answer stays: it says more. A label alone is `SURE` of itself, as teachers are.
    """
    if WEIGHT not in events.column_names:
        return soft
    wanted, given = targets(events, classes), pc.is_valid(events[WEIGHT]).to_numpy()
    wrong = np.flatnonzero(given & (wanted != UNLABELLED) & (soft.argmax(axis=1) != wanted))
    soft = soft.copy()
    soft[wrong] = np.log((1 - SURE) / max(1, soft.shape[1] - 1))
    soft[wrong, wanted[wrong]] = np.log(SURE)
    return soft


def marked(events: pa.Table) -> pa.Table:
    """Mark novel and hard benign families of simulated events in their names, so that every table shows them apart."""
    family = events["family"]
    for column, mark in (("novel", " (novel)"), ("hard_benign", " (hard benign)")):
        family = pc.if_else(events[column], pc.binary_join_element_wise(family, mark, ""), family)
    return events.set_column(events.schema.get_field_index("family"), "family", family)


def fingerprint(events: pa.Table) -> str:
    """Return the sha256 over texts and labels, in order."""
    return of_events(events["text"].to_pylist(), events["label"].to_pylist())


def _without_labels(events: pa.Table) -> pa.Table:
    place = events.schema.get_field_index("label")
    return events.set_column(place, "label", pa.nulls(events.num_rows, pa.string()))
