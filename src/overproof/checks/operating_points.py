"""Measure what models miss at the same false-positive rate, with intervals in independent units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks import rates
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED, CheckContext
from overproof.checks.context import Bools
from overproof.checks.equal_rates import difference, match
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN, NO_TRAINING
from overproof.checks.stats import Interval, Units, share_within
from overproof.report.not_measured import NotMeasured
from overproof.results.metrics import Share
from overproof.results.operating_points import (
    RATES,
    Counted,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
    attack_probability,
    benign_needed,
    threshold_at,
)
from overproof.results.roc import RocCurve, roc_curve

COMPARED = (FULL, DISTILLED, QUANTIZED, BASELINE)
RIVALS = (BASELINE, FULL)  # what the quantized student is compared with
OTHER_TEACHER = "the full model is not the teacher whose answers to the validation events are kept"


@dataclass(frozen=True)
class JudgedEvents:
    """The events that models are compared on.

    Attributes
    ----------
    attacks, benign
        Shape (n,): what is known of each; unlabelled events are neither.
    families
        Shape (n,): family of each attack.
    units
        How they hang together.
    """

    attacks: Bools
    benign: Bools
    families: NDArray[np.object_]
    units: Units

    @cached_property
    def attack_units(self) -> Units:
        """How the attacks hang together."""
        return self.units.take(self.attacks)

    @cached_property
    def benign_units(self) -> Units:
        """How the benign events hang together."""
        return self.units.take(self.benign)

    @cached_property
    def by_family(self) -> Mapping[str, Bools]:
        """Family to which of the attacks are of it."""
        found = self.families[self.attacks]
        return {name: np.asarray(found == name) for name in sorted({str(family) for family in found})}


@dataclass(frozen=True)
class AttackScores:
    """One model's attack probabilities of benign validation events, shape (v,), and of the test events, shape (n,)."""

    benign_validation: NDArray[np.float64]
    test: NDArray[np.float64]


Scores = Mapping[str, AttackScores | NotMeasured]


@dataclass(frozen=True)
class Truth:
    """Which classes are benign, shape (classes,), and which validation events, shape (v,)."""

    classes: Bools
    validation: Bools


def attack_scores(model: str, test: Floats, validation: Floats, benign: Truth) -> AttackScores | NotMeasured:
    """Score attacks from one model's logits, shape (n, classes) and (v, classes)."""
    if benign.classes.all() or not benign.classes.any():
        which = "every" if benign.classes.all() else "no"
        return NotMeasured(f"{which} class is benign, so no verdict tells attacks from others")
    kept = validation[benign.validation]
    if not all(rates.numbers(logits) for logits in (test, kept) if len(logits)):
        return NotMeasured(f"the scores of the {model} model hold NaN or infinity")
    return AttackScores(attack_probability(kept, benign.classes), attack_probability(test, benign.classes))


def operating_points(scores: Scores, events: JudgedEvents) -> OperatingPoints:
    """Put every model behind its thresholds, and the quantized student beside the linear baseline and the full model.

    Parameters
    ----------
    scores
        Model to its attack scores, or why there are none.
    """
    return OperatingPoints(tuple(_at(rate, scores, events) for rate in RATES))


def operating_points_of(context: CheckContext) -> OperatingPoints:
    """Compare the models of a check: thresholds by the validation events that are kept, the rest on its events."""
    return operating_points(scores_of(context), events_of(context))


def scores_of(context: CheckContext) -> Scores:
    """Score the events of a check, and the validation events that are kept, by each model that is compared."""
    return {name: _scores_of(context, name) for name in COMPARED}


def events_of(context: CheckContext) -> JudgedEvents:
    """Say what is known of the events of a check."""
    return JudgedEvents(context.attacks, context.benign_events, context.families, context.units)


def curves_of(context: CheckContext) -> dict[str, RocCurve]:
    """Compute the ROC curves of the full model, the quantized student and the linear baseline, where that can be."""
    judged = context.labelled
    if not (context.attacks.any() and context.benign_events.any()) or _one_kind(context.benign_classes):
        return {}
    return {
        name: roc_curve(
            attack_probability(context.models[name].logits, context.benign_classes)[judged], context.attacks[judged]
        )
        for name in (FULL, QUANTIZED, BASELINE)
        if name in rates.answering(context)
    }


def _one_kind(benign: Bools) -> bool:
    return bool(benign.all() or not benign.any())


def _scores_of(context: CheckContext, name: str) -> AttackScores | NotMeasured:
    if name not in context.models:
        return NotMeasured(context.why_absent(name))
    outputs, training = context.models[name], context.training
    if training is None or outputs.validation is None:
        return NotMeasured(NO_TRAINING)
    if name == FULL and context.same_teacher is False:
        return NotMeasured(OTHER_TEACHER)
    validation = np.array(
        [label is not None and label in context.benign for label in training.validation.labels], dtype=bool
    )
    return attack_scores(name, outputs.logits, outputs.validation, Truth(context.benign_classes, validation))


@dataclass(frozen=True)
class _Flagged:
    """The threshold of a model, and which events lie above it, shape (n,)."""

    threshold: float
    events: Bools


def _at(rate: float, scores: Scores, events: JudgedEvents) -> RatePoints:
    found = {name: _flagged(score, rate) for name, score in scores.items()}
    points = {name: _point(flagged, events) for name, flagged in found.items()}
    rivals = [name for name in RIVALS if name in found] if QUANTIZED in found else []
    return RatePoints(rate, points, {name: _difference(scores[QUANTIZED], found[name], events) for name in rivals})


def _flagged(scores: AttackScores | NotMeasured, rate: float) -> _Flagged | NotMeasured:
    if isinstance(scores, NotMeasured):
        return scores
    threshold = threshold_at(scores.benign_validation, rate)
    if threshold is None:
        n = len(scores.benign_validation)
        return NotMeasured(f"{n:,} benign validation events, needs {benign_needed(rate):,}")
    return _Flagged(threshold, np.asarray(scores.test > threshold))


def _point(flagged: _Flagged | NotMeasured, events: JudgedEvents) -> OperatingPoint | NotMeasured:
    if isinstance(flagged, NotMeasured):
        return flagged
    detected = flagged.events[events.attacks]
    return OperatingPoint(
        flagged.threshold,
        _counted(flagged.events[events.benign], events.benign_units, NO_BENIGN),
        _counted(~detected, events.attack_units, NO_ATTACKS),
        {name: Share(int(detected[rows].sum()), int(rows.sum())) for name, rows in events.by_family.items()},
    )


def _counted(hit: Bools, units: Units, none: str) -> Counted | NotMeasured:
    if not len(hit):
        return NotMeasured(none)
    share = share_within(hit, units)
    return Counted(int(hit.sum()), len(hit), units.count, share.low, share.high)


def _difference(
    student: AttackScores | NotMeasured, rival: _Flagged | NotMeasured, events: JudgedEvents
) -> Difference | NotMeasured:
    if isinstance(student, NotMeasured):
        return student
    if isinstance(rival, NotMeasured):
        return rival
    if not events.attacks.any() or not events.benign.any():
        return NotMeasured(NO_BENIGN if events.attacks.any() else NO_ATTACKS)
    attacks, benign = student.test[events.attacks], student.test[events.benign]
    missed, flagged = ~rival.events[events.attacks], rival.events[events.benign]
    at = match(benign, flagged, events.benign_units)
    if isinstance(at, NotMeasured):
        return at
    return Difference(
        Share(int(flagged.sum()), len(flagged)),
        Share(int((benign > at.matched).sum()), len(flagged)),
        _paired(difference(attacks, missed, at, events.attack_units), events.attack_units),
        {
            name: _paired(difference(attacks[rows], missed[rows], at, units), units)
            for name, rows in events.by_family.items()
            for units in (events.attack_units.take(rows),)
        },
    )


def _paired(found: tuple[NDArray[np.int8], Interval], units: Units) -> PairedDifference:
    more, bound = found
    student, other = int((more > 0).sum()), int((more < 0).sum())
    return PairedDifference(len(more), units.count, student, other, bound.value, bound.low, bound.high)
