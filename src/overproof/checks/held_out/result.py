"""Hold what the check of held-out threats measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.listed_event import ListedEvent
from overproof.checks.pairs import PairedLoss, Share
from overproof.checks.stats import Interval
from overproof.results.typed_json import NotMeasured


@dataclass(frozen=True)
class FamilyPairs:
    """What the quantized student loses against the full model on the attacks of one family.

    Attributes
    ----------
    name, n, units
        The family, how many attacks are of it, and how many of them are independent.
    both, full_only, student_only, neither
        How many of them are detected by whom.
    mcnemar, holm
        Two-sided p-value of McNemar's exact test, by itself and corrected for the number of families (Holm).
    loss
        (full_only - student_only) / n, the net loss, and its interval.
    """

    name: str
    n: int
    units: int
    both: int
    full_only: int
    student_only: int
    neither: int
    mcnemar: float
    loss: Interval
    holm: float


@dataclass(frozen=True)
class HeldOutFamily:
    """A family that all models were trained without, and then met.

    Attributes
    ----------
    family, n
        Its name, and how many attacks are of it.
    trained_without, trained_with
        Model to its share of them detected, trained without the family and with it.
    false_positives
        Model, trained without the family, to its share of the benign events flagged.
    absent
        Model to why it is missing.
    """

    family: str
    n: int
    trained_without: Mapping[str, Share]
    trained_with: Mapping[str, Share]
    false_positives: Mapping[str, Share]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class NovelFamilies:
    """Attacks of families that training never met.

    Attributes
    ----------
    families, n
        Their names, and how many attacks are of them.
    models
        Model to its share of them detected.
    loss
        Net loss of the quantized student against the full model, as a share of them, and its interval.
    """

    families: tuple[str, ...]
    n: int
    models: Mapping[str, Share]
    loss: Interval


@dataclass(frozen=True)
class Cost:
    """One figure from the full model to the quantized student; a step whose models are not both there is None.

    Attributes
    ----------
    figure
        What is counted.
    full, quantized
        Its share at the full model, and at the quantized student.
    distillation, quantization
        What either step adds: distilled student minus full model, quantized student minus distilled one.
    churn
        What training once more moves without any compression: retrained control minus distilled student.
    """

    figure: Literal["accuracy", "attacks detected", "benign left alone"]
    full: Interval | None
    distillation: Interval | None
    quantization: Interval | None
    churn: Interval | None
    quantized: Interval | None


@dataclass(frozen=True)
class HeldOutThreats:
    """What the check of held-out threats measured.

    Attributes
    ----------
    attacks, benign
        Attacks detected, and benign events left alone, by full model and quantized student.
    families
        The attacks of each family, the largest first.
    held_out
        Families that all models were trained without, and then met.
    novel
        Families of these events that training never met.
    missed_by_quantized_alone, missed_by_quantized_alone_total
        Attacks that full model and distilled student detect and the quantized student misses: the 50 of which the full
        model is surest, compared with the quantized student, and how many there are (None if unmeasured).
    missed_by_student, missed_by_student_total
        Attacks that the full model detects and the quantized student misses: as many of them, and how many there are.
    cost
        Where each figure was lost; figures without events are left out.
    """

    attacks: PairedLoss | NotMeasured
    benign: PairedLoss | NotMeasured
    families: tuple[FamilyPairs, ...]
    held_out: tuple[HeldOutFamily, ...]
    novel: NovelFamilies | NotMeasured
    missed_by_quantized_alone: tuple[ListedEvent, ...] | NotMeasured
    missed_by_quantized_alone_total: int | None
    missed_by_student: tuple[ListedEvent, ...] | NotMeasured
    missed_by_student_total: int | None
    cost: tuple[Cost, ...]
