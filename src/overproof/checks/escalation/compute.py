"""Check 6, escalation: does handing doubtful events to the full model help, and what does it promise?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from overproof.checks.base import (
    CONFIDENCE,
    FULL,
    QUANTIZED,
    CheckContext,
    CheckResult,
    Gate,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.escalation.budgets import areas, budgets, curves
from overproof.checks.escalation.result import Escalation, EscalationThreshold, FlaggedBenign, LostAttacks
from overproof.checks.escalation.threshold import Cascade, candidates, cascade_of, learned, spending, written
from overproof.checks.formatting import among, percent, percent_within
from overproof.checks.interval_width import events_for
from overproof.checks.pairs import share_measured, why_not
from overproof.checks.stats import Interval, clopper_pearson, events_needed, lower_bound, tango, upper_bound, wilson
from overproof.results.typed_json import NotMeasured

KEY = "escalation"
GUARANTEE, VERIFIED, BUDGET = f"{KEY}/guarantee", f"{KEY}/verified", f"{KEY}/budget"
WARNING = (
    "The guarantee holds for events drawn like these: not under attack, where events are made to be missed, and not "
    "after drift. Measure it again on new events."
)


def escalation(context: CheckContext) -> CheckResult[Escalation]:
    """Choose a threshold on one half of the events, and count on the other half what the cascade misses.

    An event goes to the full model if the quantized student's confidence lies below the threshold, whatever the
    label. What is promised is a share of the attacks that the full model detects.
    """
    gates, threshold = _threshold(context)
    return CheckResult(
        key=KEY,
        title="Escalation",
        question="Does handing doubtful events to the full model help, and what can be promised then?",
        gates=gates,
        data=Escalation(
            curves=curves(context),
            augrc=areas(context),
            budgets=budgets(context),
            threshold=threshold,
            warning=WARNING,
        ),
    )


def _threshold(context: CheckContext) -> tuple[tuple[GateResult, ...], EscalationThreshold | NotMeasured]:
    why = why_not(context, FULL, QUANTIZED)
    cascade = None if why else cascade_of(context)
    if cascade is not None and not cascade.detected.any():
        why = "there is no attack that the full model detects" if context.attacks.any() else "there are no attacks"
    if why or cascade is None:
        nothing = tuple(unmeasured(key, why or "", context.gate(key)) for key in (GUARANTEE, VERIFIED, BUDGET))
        return nothing, NotMeasured(why or "")
    guarantee, threshold = _guarantee(context, cascade)
    if threshold is None:
        limits = {VERIFIED: context.gate(VERIFIED), BUDGET: _budget_gate(context)}
        rest = (unmeasured(key, "no threshold was found", gate) for key, gate in limits.items())
        return (guarantee, *rest), NotMeasured(guarantee.message.removeprefix("unmeasured: "))
    gates = (guarantee, _verified(context, cascade, threshold), _affordable(context, cascade, threshold))
    return gates, _found(context, cascade, threshold)


def _guarantee(context: CheckContext, cascade: Cascade) -> tuple[GateResult, float | None]:
    """Find the threshold, and what was shown of it on the half that chose it; None where only escalating all helps."""
    gate, all_detected = context.gate(GUARANTEE), int(cascade.detected.sum())
    if not gate.limit:
        return unmeasured(GUARANTEE, "no number of events shows that nothing is lost", gate, events=all_detected), None
    thresholds = candidates(cascade, gate.limit)
    index = _learned(cascade, thresholds, gate.limit)
    if index is None:
        needed = _needed(cascade, gate.limit, 0)
        why = f"{all_detected:,} attacks that the full model detects, needs {needed:,}: the half of them that chooses "
        why += f"a threshold cannot show that at most {percent(gate.limit)} are lost"
        return unmeasured(GUARANTEE, why, gate, events=all_detected, needed=needed), None
    threshold = thresholds[max(index, 1)]
    if index:
        threshold = max(threshold, spending(cascade, _budget_gate(context).limit))
    k, n = cascade.count(threshold, cascade.choosing)
    message = f"an event of which the student is less sure than {written(threshold)} goes to the full model: on the "
    message += f"half of the events that chose this, {k:,} of {n:,} attacks that it detects are lost, "
    shown = f"which shows at most {percent(gate.limit)} with 95 % confidence"
    message += shown if index else f"too many, and only escalating everything {shown}"
    figure = Interval(k / n, lower_bound(k, n, CONFIDENCE), upper_bound(k, n, CONFIDENCE))
    more = None if index else _needed(cascade, gate.limit, k)
    return decided(GUARANTEE, message, gate, Measured(figure, all_detected, more)), threshold if index else None


def _needed(cascade: Cascade, limit: float, losses: int) -> int:
    """Count the attacks in all with which the half that chooses could show the limit, with so many lost."""
    chosen, all_detected = int((cascade.detected & cascade.choosing).sum()), int(cascade.detected.sum())
    return math.ceil(events_needed(limit, CONFIDENCE, losses) * (all_detected / chosen if chosen else 2))


def _learned(cascade: Cascade, thresholds: list[float], limit: float) -> int | None:
    """Do as `learned`; None without an attack to learn from, and the boldest where anything may be lost."""
    if not (cascade.detected & cascade.choosing).any():
        return None
    return learned(cascade, thresholds, limit) if limit < 1 else len(thresholds) - 1


def _verified(context: CheckContext, cascade: Cascade, threshold: float) -> GateResult:
    gate = context.gate(VERIFIED)
    k, n = cascade.count(threshold, ~cascade.choosing)
    if not n:
        return unmeasured(VERIFIED, "no attack that the full model detects is left to verify with", gate, events=0)
    rows = cascade.detected & ~cascade.choosing
    measured = share_measured(cascade.lost(threshold)[rows], cascade.units.take(rows), gate.limit)
    attacks = among(n, "attacks", cascade.units.take(rows).count)
    message = f"of {attacks} that the full model detects and that did not choose the threshold {k:,} are lost: "
    message += percent_within(measured.figure)
    return decided(VERIFIED, message, gate, measured)


def _budget_gate(context: CheckContext) -> Gate:
    """Return the gate on what is escalated: its limit, or what the user grants where that is less."""
    gate = context.gate(BUDGET)
    return replace(gate, limit=min(gate.limit, context.operation.budget))


def _affordable(context: CheckContext, cascade: Cascade, threshold: float) -> GateResult:
    gate, rows = _budget_gate(context), ~cascade.choosing
    if not rows.any():
        return unmeasured(BUDGET, "no event is left to verify with", gate, events=0)
    figure = _escalated(cascade, threshold)
    message = f"{percent_within(figure)} of the events that did not choose the threshold go to the full model"
    n = int(rows.sum())
    return decided(BUDGET, message, gate, Measured(figure, n, events_for(figure, gate.limit, n)))


def _escalated(cascade: Cascade, threshold: float) -> Interval:
    """Return the share of verifying events below the threshold; below 0 lies none, which needs no counting."""
    if not threshold:
        return Interval(0.0, 0.0, 0.0)
    sent = cascade.sure[~cascade.choosing] < threshold
    return wilson(int(sent.sum()), len(sent))


def _found(context: CheckContext, cascade: Cascade, threshold: float) -> EscalationThreshold:
    verifying = ~cascade.choosing
    k, n = cascade.count(threshold, verifying)
    return EscalationThreshold(
        value=threshold,
        limit=context.gate(GUARANTEE).limit,
        confidence=CONFIDENCE,
        chosen_on=cascade.count(threshold, cascade.choosing)[1],
        verified_on=n,
        escalated=_escalated(cascade, threshold) if verifying.any() else None,
        missed=LostAttacks(k, n, clopper_pearson(k, n) if n else None),
        flagged=_flagged(context, cascade, threshold),
    )


def _flagged(context: CheckContext, cascade: Cascade, threshold: float) -> FlaggedBenign | None:
    """Count benign events that the cascade flags and the full model leaves alone, and the reverse, with the net share.

    No benign event chose the threshold, so all of them count; None without any.
    """
    rows = context.benign_events & (cascade.sure >= threshold)
    n = int(context.benign_events.sum())
    if not n:
        return None
    full, student = context.detected(FULL), context.detected(QUANTIZED)
    b, c = int(np.sum(rows & student & ~full)), int(np.sum(rows & full & ~student))
    return FlaggedBenign(n, b, c, tango(b, c, n))
