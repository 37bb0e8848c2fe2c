"""Hold what the check of rare and edge cases measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.listed_event import ListedEvent
from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured

Step = Literal["distillation", "quantization", "churn"]


@dataclass(frozen=True)
class RightLabels:
    """How often a model gives the right label.

    Attributes
    ----------
    k, n
        Events with the right label, and all of them.
    wilson, clopper_pearson
        k / n with Wilson's interval, and with the exact one.
    """

    k: int
    n: int
    wilson: Interval
    clopper_pearson: Interval


@dataclass(frozen=True)
class FamilyLoss:
    """How the models do on one family, and what the quantized student loses in it.

    Attributes
    ----------
    name, n, units
        The family, how many events are of it, and how many of them are independent.
    rare
        Whether less than 1 % of the labelled events are.
    trained_on
        How many of it the student was trained on; None where that is not known.
    models
        Model to its share of right labels.
    b, c
        Events that the full model alone gets right (negative flips), and that the quantized student alone does; these
        two and what follows from them are None without a full model.
    mcnemar, holm
        Two-sided p-value of McNemar's exact test, by itself and corrected for the number of families (Holm).
    loss
        (b - c) / n, the net loss, and its interval.
    steps
        Step to [b, c] of the models before and after it; those steps whose models are both there. Churn is the student
        against itself trained again.
    """

    name: str
    n: int
    units: int
    rare: bool
    trained_on: int | None
    models: Mapping[str, RightLabels]
    b: int | None
    c: int | None
    mcnemar: float | None
    holm: float | None
    loss: Interval | None
    steps: Mapping[Step, tuple[int, int]]


@dataclass(frozen=True)
class SliceLoss:
    """What the quantized student loses in a slice of the events.

    Attributes
    ----------
    by, name
        What the slice was chosen by, and which of it.
    n, units, b, c
        Labelled events in it; how many of them are independent; those that the full model alone gets right; those that
        the student alone does.
    loss
        (b - c) / n, the net loss, and its interval.
    p, p_holm
        One-sided p-value of a loss beyond the limit, by itself and corrected for all slices that were tested (Holm).
    """

    by: str
    name: str
    n: int
    units: int
    b: int
    c: int
    loss: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class HardBenign:
    """What the quantized student loses on benign events that look like attacks.

    Attributes
    ----------
    n, b, c
        How many; those that the student alone flags; those that the full model alone does.
    loss
        (b - c) / n, the net loss, and its interval.
    how
        How they were chosen.
    """

    n: int
    b: int
    c: int
    loss: Interval
    how: str


@dataclass(frozen=True)
class Rare:
    """What the check of rare and edge cases measured.

    Attributes
    ----------
    families
        All families of the labelled events by name, benign ones too.
    slices
        The slices that lost most, the worst first.
    tested
        How many slices were tested together.
    hard_benign
        Benign events that look like attacks.
    exemplars
        Events on which full model and quantized student differ most (compression-identified exemplars).
    """

    families: tuple[FamilyLoss, ...]
    slices: tuple[SliceLoss, ...]
    tested: int
    hard_benign: HardBenign | NotMeasured
    exemplars: tuple[ListedEvent, ...]
