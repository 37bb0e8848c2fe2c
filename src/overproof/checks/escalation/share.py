"""Measure which share of the events the policy sends to the full model, and what that means for the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overproof.checks.base import CONFIDENCE, Bools, CheckContext, Measured
from overproof.checks.escalation.result import SentShare
from overproof.checks.formatting import percent, percent_within
from overproof.checks.interval_width import needed_units
from overproof.checks.pairs import share_measured
from overproof.checks.stats import Interval, share_within

BOTH = "Bonferroni, attacks and benign events"


@dataclass(frozen=True)
class Sent:
    """What is sent on, as the gate is decided by it.

    Attributes
    ----------
    share
        The share and what it is of.
    measured
        The same with its numbers of events.
    message
        The same in words.
    """

    share: SentShare
    measured: Measured
    message: str


def sent_on(context: CheckContext, sent: Bools, rows: Bools, limit: float) -> Sent | str:
    """Measure the share of some events that the policy sends on, or say why it cannot be measured.

    Where the user has said which share of the field's events are attacks, that of attacks and that of benign events
    are weighted by it; the interval is that of both at once (Bonferroni). Otherwise it is the share of these events.

    Parameters
    ----------
    sent
        Which events are sent on, shape (n,).
    rows
        Which events are measured, shape (n,).
    """
    if not rows.any():
        return "no event is left to verify with"
    prevalence = context.operation.prevalence
    if prevalence is not None:
        return _weighted(context, sent, rows, (prevalence, limit))
    attacks, labelled = int((rows & context.attacks).sum()), int((rows & context.labelled).sum())
    found = attacks / labelled if labelled else None
    measured = share_measured(sent[rows], context.units.take(rows), limit)
    of = "" if found is None else f", {percent(found)} of them attacks,"
    message = (
        f"of the events that did not choose the threshold{of} {percent_within(measured.figure)} go to the full model"
    )
    return Sent(SentShare(measured.figure, found, weighted=False), measured, message)


def _weighted(context: CheckContext, sent: Bools, rows: Bools, wanted: tuple[float, float]) -> Sent | str:
    prevalence, limit = wanted
    kinds = [
        (weight, rows & mask, what)
        for weight, mask, what in (
            (prevalence, context.attacks, "attack"),
            (1 - prevalence, context.benign_events, "benign event"),
        )
        if weight
    ]
    absent = next((what for _, mask, what in kinds if not mask.any()), None)
    if absent:
        return f"no {absent} is left to verify with, and {percent(prevalence)} of the field's events are attacks"
    parts = [(weight, sent[mask], context.units.take(mask)) for weight, mask, _ in kinds]
    confidence = 1 - (1 - CONFIDENCE) / len(parts)

    def bound(times: float) -> Interval:
        found = [(weight, share_within(hit, units, confidence, times)) for weight, hit, units in parts]
        value, low, high = (
            sum(weight * getattr(figure, end) for weight, figure in found) for end in ("value", "low", "high")
        )
        return Interval(value, low, high)

    mask = np.logical_or.reduce([mask for _, mask, _ in kinds])
    count = context.units.take(mask).count
    correction = BOTH if len(parts) > 1 else ""
    measured = Measured(bound(1), int(mask.sum()), needed_units(bound, limit, count), count, correction)
    message = f"in the field, where {percent(prevalence)} of the events are attacks, "
    message += f"{percent_within(measured.figure, correction)} of them go to the full model"
    return Sent(SentShare(measured.figure, prevalence, weighted=True), measured, message)
