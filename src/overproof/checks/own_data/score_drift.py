"""Measure drift of the scores: how far the student's attack probabilities lie from those on validation events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks.base import QUANTIZED, CheckContext, Sample, Training
from overproof.checks.interval_width import clusters_of
from overproof.checks.own_data.distance import LEAST, Codes, distance_within, ks
from overproof.checks.own_data.result import ScoreDrift


def score_drift(context: CheckContext, training: Training, logits: Floats, mix: Codes) -> ScoreDrift:
    """Compare the quantized student's attack probabilities on validation events with those on the user's.

    Parameters
    ----------
    training
        Holds the v validation events.
    logits
        The student's logits on them, shape (v, classes).
    mix
        What `same_mix` gives for them.
    """
    before, after = context.attack_of(logits[mix]), context.attack(QUANTIZED)
    units = training.validation_units.take(mix), context.units
    edges = np.linspace(0, 1, 11)
    shares = [np.histogram(np.clip(scores, 0, 1), edges)[0] / len(scores) for scores in (before, after)]
    alone = _alone(context, training.validation, context.attack_of(logits))
    return ScoreDrift(
        edges=tuple(edges.tolist()),
        validation=tuple(shares[0].tolist()),
        events=tuple(shares[1].tolist()),
        distance=distance_within(before, after, True, clusters_of(*units), context.seed),
        p=ks(before, after, (units[0].count, units[1].count))[1],
        benign=alone.get("benign"),
        attacks=alone.get("attacks"),
    )


def _alone(context: CheckContext, validation: Sample, before: NDArray[np.float64]) -> dict[str, float]:
    """Measure the same distance by kind of event: another share of attacks moves all scores at once.

    A kind of which either side has too few events is left out.
    """
    if len(validation) != len(before):
        return {}
    after = context.attack(QUANTIZED)
    known = np.array([label is not None for label in validation.labels])
    benign = known & np.array([label in context.benign for label in validation.labels])
    kinds = {"benign": (benign, context.benign_events), "attacks": (known & ~benign, context.attacks)}
    return {kind: ks(before[a], after[b])[0] for kind, (a, b) in kinds.items() if min(a.sum(), b.sum()) >= LEAST}
