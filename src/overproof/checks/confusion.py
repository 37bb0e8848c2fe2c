"""Count what events are called: true label by the label given, and family by the label given, of teacher and student.

Labels go beyond attack or benign: a payload that is detected as the wrong family gets the wrong rule, or the wrong
analyst. What differs between the models is told from chance by paired intervals that hold for all cells at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import CONFIDENCE, FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.pairs import Share, share
from overproof.checks.stats import Interval, difference_within
from overproof.report.not_measured import NotMeasured

CALLED = (FULL, QUANTIZED)  # the teacher, and what is deployed


@dataclass(frozen=True)
class ConfusionCell:
    """How often the events of a row are given one label.

    Attributes
    ----------
    called
        The label that they are given.
    models
        Model to how many of the row's events it calls so, with Wilson's interval, as if all events were independent.
    difference
        The share that the quantized student calls so less that of the full model, paired, with the interval of
        `confidence` in independent units; None without a full model.
    """

    called: str
    models: Mapping[str, Share]
    difference: Interval | None

    def __post_init__(self) -> None:
        if QUANTIZED not in self.models or not set(self.models) <= set(CALLED):
            raise ValueError(f"{self.called}: expected {QUANTIZED}, and {FULL} at most besides")

    @property
    def differs(self) -> bool:
        """Whether the models differ by more than chance: the interval leaves zero out."""
        return self.difference is not None and (self.difference.low > 0 or self.difference.high < 0)


@dataclass(frozen=True)
class ConfusionRow:
    """What the events of one label, or of one family, are called.

    Attributes
    ----------
    name
        Of the label or the family.
    truth
        The true labels of its events: of a label's row the label itself, of a family's mostly one that is named
        otherwise.
    n, units
        Its events, and how many of them are independent.
    cells
        What any of the models calls any of them, in the order of the labels.
    """

    name: str
    truth: tuple[str, ...]
    n: int
    units: int
    cells: tuple[ConfusionCell, ...]

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"{self.name}: {self.n} events, expected one at least")
        for model in {name for cell in self.cells for name in cell.models}:
            counted = [cell.models[model] for cell in self.cells if model in cell.models]
            if sum(found.k for found in counted) != self.n or any(found.n != self.n for found in counted):
                raise ValueError(f"the labels that the {model} model gives do not add up to {self.n} events")


@dataclass(frozen=True)
class Confusion:
    """What events are called by the full model and by the quantized student.

    Attributes
    ----------
    labels
        The labels that the models give.
    rows
        For each true label what its events are called; a label that the models do not know has a row too.
    families
        The same for each family that is no label of its own.
    confidence
        Of each cell's difference, so that all of them hold together with 95 % (Bonferroni).
    """

    labels: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]
    families: tuple[ConfusionRow, ...]
    confidence: float


def confusion_of(context: CheckContext) -> Confusion | NotMeasured:
    """Count what the labelled events of a check are called, or say why that cannot be."""
    if not context.labelled.any():
        return NotMeasured("no event has a label")
    answering = rates.answering(context)
    if QUANTIZED not in answering:
        return NotMeasured(rates.why_not(context, QUANTIZED))
    called = {name: context.labels(name) for name in CALLED if name in answering}
    labels = _by_name(context.sample.labels, context.classes)
    families = {name: rows for name, rows in _by_name(context.families, ()).items() if name not in labels}
    cells = sum(len(_given(called, rows)) for rows in (*labels.values(), *families.values()))
    confidence = 1 - (1 - CONFIDENCE) / cells
    of_labels, of_families = (
        tuple(_row(context, name, rows, called, confidence) for name, rows in found.items())
        for found in (labels, families)
    )
    return Confusion(context.classes, of_labels, of_families, confidence)


def _by_name(names: Iterable[str | None], first: Sequence[str]) -> dict[str, Bools]:
    """Return which events bear each name, shape (n,): some names first, in their order, the others sorted."""
    column = np.array(list(names), dtype=object)
    found = {str(name) for name in column if name is not None}
    ordered = [name for name in first if name in found] + sorted(found - set(first))
    return {name: np.asarray(column == name, dtype=bool) for name in ordered}


def _given(called: Mapping[str, NDArray[np.intp]], rows: Bools) -> list[int]:
    """List the labels that any model gives any of some events."""
    return [int(label) for label in np.unique(np.concatenate([given[rows] for given in called.values()]))]


def _row(
    context: CheckContext, name: str, rows: Bools, called: Mapping[str, NDArray[np.intp]], confidence: float
) -> ConfusionRow:
    n, units = int(rows.sum()), context.units.take(rows)
    truth = {str(context.sample.labels[place]) for place in np.flatnonzero(rows & context.labelled).tolist()}
    cells = []
    for label in _given(called, rows):
        so = {model: np.asarray(given[rows] == label) for model, given in called.items()}
        shares = {model: share(int(hit.sum()), n) for model, hit in so.items()}
        difference = None
        if FULL in so:
            more = so[QUANTIZED].astype(np.int8) - so[FULL]
            difference = difference_within(more, units, confidence)
        cells.append(ConfusionCell(context.classes[label], shares, difference))
    return ConfusionRow(name, tuple(sorted(truth)), n, units.count, tuple(cells))
