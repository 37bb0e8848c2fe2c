"""Measure what a threshold of the full model does in front of the quantized student."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import FULL, QUANTIZED, CheckContext, GateResult, decided, unmeasured
from overproof.checks.calibration.result import SwappedThreshold
from overproof.checks.formatting import among, change_within, percent
from overproof.checks.pairs import loss_measured, paired
from overproof.checks.stats import Interval, clopper_pearson
from overproof.results.operating_points import threshold_at
from overproof.results.typed_json import NotMeasured

KEY = "calibration/threshold-drift"
LEAST_BENIGN = 100  # a false-positive rate of 1 % is one of so many
GATED_RATE = 1e-2


def threshold_drift(context: CheckContext) -> tuple[GateResult, tuple[SwappedThreshold, ...] | NotMeasured]:
    """Put the quantized student behind the thresholds that the full model has on these benign events.

    Returns
    -------
    tuple
        What the gate came to at a rate of 1 %, and the table of all rates that these events can show.
    """
    gate, benign = context.gate(KEY), context.benign_events
    n = int(benign.sum())
    why, needed = None, None
    for model in (FULL, QUANTIZED):
        if why is None and model not in rates.answering(context):
            why = rates.why_not(context, model)
    if why is None and n < LEAST_BENIGN:
        why, needed = f"{n:,} events labelled benign, needs {LEAST_BENIGN}", LEAST_BENIGN
    if why:
        return unmeasured(KEY, why, gate, events=n, needed=needed), NotMeasured(why)
    scores = context.attack(FULL), context.attack(QUANTIZED)
    table = tuple(row for rate in rates.FALSE_POSITIVE_RATES if (row := _swapped(context, *scores, rate)))
    full, student = (attack[benign] > table[0].full_threshold for attack in scores)
    pairs = paired(student, full, context.units.take(benign))
    of = among(n, "benign events", pairs.units.count)
    message = f"behind the full model's threshold for {percent(GATED_RATE)} false positives the quantized student "
    message += f"flags {pairs.full_only:,} of {of} that the full model does not, and leaves alone "
    message += f"{pairs.student_only:,} that it flags: {change_within(pairs.loss, 'more', 'fewer')}"
    return decided(KEY, message, gate, loss_measured(pairs, gate.limit)), table


def _swapped(
    context: CheckContext, full: NDArray[np.float64], student: NDArray[np.float64], rate: float
) -> SwappedThreshold | None:
    """Both models behind the full model's threshold; None where there are too few benign events for the rate."""
    benign, attacks = context.benign_events, context.attacks
    threshold, own = threshold_at(full[benign], rate), threshold_at(student[benign], rate)
    if threshold is None:
        return None
    return SwappedThreshold(
        fpr=rate,
        full_threshold=threshold,
        own_threshold=own,
        fpr_full=_share(full[benign] > threshold),
        fpr_swapped=_share(student[benign] > threshold),
        tpr_full=_share(full[attacks] > threshold),
        tpr_swapped=_share(student[attacks] > threshold),
    )


def _share(flagged: NDArray[np.bool_]) -> Interval | None:
    return clopper_pearson(int(flagged.sum()), len(flagged)) if len(flagged) else None
