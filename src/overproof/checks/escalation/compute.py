"""Check 6, escalation: does handing doubtful events to the full model help, and what does it promise?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from overproof.checks.base import (
    CONFIDENCE,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    CheckResult,
    Gate,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.escalation.budgets import areas, budgets, curves
from overproof.checks.escalation.replay import Replayed, replay
from overproof.checks.escalation.result import Escalation, EscalationThreshold, FlaggedBenign, LostAttacks, SentShare
from overproof.checks.escalation.share import sent_on
from overproof.checks.escalation.threshold import Cascade, candidates, cascade_of, learned, spending, written
from overproof.checks.escalation.tiers import trade
from overproof.checks.formatting import among, percent, percent_within
from overproof.checks.pairs import share_measured, why_not
from overproof.checks.stats import Interval, difference_within, events_needed, share_within
from overproof.inference.cascade.policy import Policy
from overproof.results.typed_json import NotMeasured

KEY = "escalation"
GUARANTEE, VERIFIED, BUDGET, DEFERRED = (f"{KEY}/{gate}" for gate in ("guarantee", "verified", "budget", "deferred"))
GATES = (GUARANTEE, VERIFIED, BUDGET, DEFERRED)
ONE_SIDED = 2 * CONFIDENCE - 1  # a two-sided interval with this confidence, each end of which holds alone with 95 %
WARNING = (
    "The guarantee holds for events drawn like these, copies and events of one group counted once, with the policy "
    "and the budget that were replayed, and as long as nothing is deferred: not under attack, where events are made to "
    "be missed, and not after drift. Events that come in bursts may exceed a budget that they keep on average. Measure "
    "it again on new events."
)


def escalation(context: CheckContext) -> CheckResult[Escalation]:
    """Choose a threshold on one half of the events, and count on the other half what the cascade misses.

    An event goes to the full model if the policy that is to be deployed says so: for its confidence, which lies below
    the threshold, or for any other reason, whatever the label. What is promised is a share of the attacks that the
    full model detects. The other half is replayed with the budget.
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
            tiers=trade(context, 0.0 if isinstance(threshold, NotMeasured) else threshold.value),
        ),
    )


def _threshold(context: CheckContext) -> tuple[tuple[GateResult, ...], EscalationThreshold | NotMeasured]:
    why = why_not(context, FULL, QUANTIZED) or _unknown(context)
    cascade = None if why else cascade_of(context)
    if cascade is not None and not cascade.detected.any():
        why = "there is no attack that the full model detects" if context.attacks.any() else "there are no attacks"
    if why or cascade is None:
        return tuple(unmeasured(key, why or "", _gate(context, key)) for key in GATES), NotMeasured(why or "")
    guarantee, threshold = _guarantee(context, cascade)
    if threshold is None:
        rest = (unmeasured(key, "no threshold was found", _gate(context, key)) for key in GATES[1:])
        return (guarantee, *rest), NotMeasured(guarantee.message.removeprefix("unmeasured: "))
    trial = _Trial(context, cascade, threshold, replay(context, threshold, ~cascade.choosing))
    affordable, sent = _affordable(trial)
    return (guarantee, _verified(trial), affordable, _deferred(trial)), _found(trial, sent)


def _unknown(context: CheckContext) -> str | None:
    """Say what the policy decides by and is not known of the events; None where all is."""
    if context.policy.ood_distance is not None and context.models[QUANTIZED].ood_distance is None:
        return "how far these events lie from all training events is not known, and the policy decides by it"
    return None


def _gate(context: CheckContext, key: str) -> Gate:
    """Return a gate; of that on what is sent on the limit, or what the user grants where that is less."""
    gate = context.gate(key)
    return replace(gate, limit=min(gate.limit, context.operation.budget)) if key == BUDGET else gate


def _guarantee(context: CheckContext, cascade: Cascade) -> tuple[GateResult, float | None]:
    """Find the threshold, and what was shown of it on the half that chose it; None where only escalating all helps."""
    gate, chosen = context.gate(GUARANTEE), cascade.detected & cascade.choosing
    all_detected, units = int(cascade.detected.sum()), cascade.units.take(cascade.detected).count
    if not gate.limit:
        return unmeasured(GUARANTEE, "no number of events shows that nothing is lost", gate, events=all_detected), None
    thresholds = candidates(cascade, gate.limit)
    index = _learned(cascade, thresholds, gate.limit)
    if index is None:
        needed = _needed(cascade, gate.limit, 0)
        why = (
            f"{among(all_detected, 'attacks', units)} that the full model detects, needs {needed:,} independent ones: "
        )
        why += f"the half of them that chooses a threshold cannot show that at most {percent(gate.limit)} are lost"
        found = unmeasured(GUARANTEE, why, gate, events=all_detected, needed=needed)
        return replace(found, units=units), None
    threshold = thresholds[max(index, 1)]
    if index:
        threshold = max(threshold, spending(cascade, _gate(context, BUDGET).limit))
    lost, hung = cascade.lost(threshold)[chosen], cascade.units.take(chosen)
    figure = share_within(lost, hung, ONE_SIDED)
    message = f"an event of which the student is less sure than {written(threshold)} goes to the full model, and so "
    message += f"does what the policy sends on for another reason: of {among(len(lost), 'attacks', hung.count)} that "
    message += f"it detects in the half of the events that chose this, {int(lost.sum()):,} are lost: "
    message += (
        f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)}, either end with 95 % confidence"
    )
    message += ")" if index else "), too many: only escalating everything keeps the limit"
    more = None if index else _needed(cascade, gate.limit, int(lost.sum()))
    return decided(GUARANTEE, message, gate, Measured(figure, all_detected, more, units)), threshold if index else None


def _needed(cascade: Cascade, limit: float, losses: int) -> int:
    """Count the independent attacks in all with which the half that chooses could show the limit, with so many lost."""
    chosen = cascade.units.take(cascade.detected & cascade.choosing).count
    in_all = cascade.units.take(cascade.detected).count
    return math.ceil(events_needed(limit, CONFIDENCE, losses) * (in_all / chosen if chosen else 2))


def _learned(cascade: Cascade, thresholds: list[float], limit: float) -> int | None:
    """Do as `learned`; None without an attack to learn from, and the boldest where anything may be lost."""
    if not (cascade.detected & cascade.choosing).any():
        return None
    return learned(cascade, thresholds, limit) if limit < 1 else len(thresholds) - 1


@dataclass(frozen=True)
class _Trial:
    """A threshold on trial: the events, the cascade, and its replay on the verifying half."""

    context: CheckContext
    cascade: Cascade
    threshold: float
    replayed: Replayed

    @property
    def verifying(self) -> Bools:
        """The events that did not choose the threshold, shape (n,)."""
        return ~self.cascade.choosing


def _verified(trial: _Trial) -> GateResult:
    """Decide by the attacks that are lost in the replay, those among them that were over the budget too."""
    gate, rows = trial.context.gate(VERIFIED), trial.cascade.detected & trial.verifying
    if not rows.any():
        return unmeasured(VERIFIED, "no attack that the full model detects is left to verify with", gate, events=0)
    counts = trial.replayed.counts
    measured = share_measured(trial.replayed.lost[rows], trial.cascade.units.take(rows), gate.limit)
    message = (
        f"of {among(counts.attacks, 'attacks', measured.units or 0)} that the full model detects and that did not "
    )
    message += f"choose the threshold {counts.lost:,} are lost when the cascade is replayed"
    message += f", {counts.lost_deferred:,} of them over the budget" if counts.lost_deferred else ""
    return decided(VERIFIED, f"{message}: {percent_within(measured.figure)}", gate, measured)


def _affordable(trial: _Trial) -> tuple[GateResult, SentShare | None]:
    """Decide by the share of the events that the policy sends on, whatever the reason."""
    context, gate = trial.context, _gate(trial.context, BUDGET)
    found = sent_on(context, trial.cascade.sent(trial.threshold), trial.verifying, gate.limit)
    if isinstance(found, str):
        return unmeasured(BUDGET, found, gate, events=0), None
    if not context.operation.budget:  # what no event can do needs no counting
        nothing = replace(found.measured, figure=Interval(0.0, 0.0, 0.0))
        message = "no event goes to the full model, since nothing may be spent on it"
        return decided(BUDGET, message, gate, nothing), replace(found.share, share=nothing.figure)
    return decided(BUDGET, found.message, gate, found.measured), found.share


def _deferred(trial: _Trial) -> GateResult:
    """Decide by the share of the events that the policy sends on and the budget holds back."""
    gate, rows, counts = trial.context.gate(DEFERRED), trial.verifying, trial.replayed.counts
    if not rows.any():
        return unmeasured(DEFERRED, "no event is left to verify with", gate, events=0)
    measured = share_measured(trial.replayed.deferred[rows], trial.cascade.units.take(rows), gate.limit)
    message = f"of {among(counts.events, 'events', measured.units or 0)} that did not choose the threshold "
    message += f"{sum(counts.deferred.values()):,} are over a budget of {percent(counts.budget)} when the cascade is "
    message += f"replayed {counts.order}: {percent_within(measured.figure)}"
    return decided(DEFERRED, message, gate, measured)


def _found(trial: _Trial, sent: SentShare | None) -> EscalationThreshold:
    context, cascade, threshold = trial.context, trial.cascade, trial.threshold
    chosen, verified = cascade.detected & cascade.choosing, cascade.detected & trial.verifying
    lost, hung = cascade.lost(threshold)[verified], cascade.units.take(verified)
    return EscalationThreshold(
        value=threshold,
        limit=context.gate(GUARANTEE).limit,
        confidence=CONFIDENCE,
        policy=other_reasons(context.policy),
        chosen_on=int(chosen.sum()),
        chosen_units=cascade.units.take(chosen).count,
        verified_on=len(lost),
        verified_units=hung.count,
        escalated=sent,
        missed=LostAttacks(int(lost.sum()), len(lost), share_within(lost, hung) if len(lost) else None),
        flagged=_flagged(trial),
        replay=trial.replayed.counts if trial.verifying.any() else None,
    )


def other_reasons(policy: Policy) -> str:
    """List for what reasons besides confidence a policy sends an event to the full model."""
    reasons = ["scores that are no numbers"]
    if policy.margin:
        reasons.append(f"two best labels closer than {policy.margin:g}")
    if policy.ood_distance is not None:
        reasons.append(f"farther than {policy.ood_distance:.4g} from all training events")
    if policy.overflow:
        reasons.append("longer than was judged")
    if policy.never_alone:
        reasons.append(f"never decided alone: {', '.join(policy.never_alone)}")
    return "; ".join(reasons)


def _flagged(trial: _Trial) -> FlaggedBenign | None:
    """Count benign events that the cascade flags and the full model leaves alone, and the reverse, with the net share.

    No benign event chose the threshold, so all of them count; None without any.
    """
    context = trial.context
    benign = context.benign_events
    if not benign.any():
        return None
    kept = ~trial.cascade.sent(trial.threshold)
    full, student = context.detected(FULL), context.detected(QUANTIZED)
    gained = (kept & student & ~full).astype(np.int8) - (kept & full & ~student)
    found = gained[benign]
    b, c = int((found > 0).sum()), int((found < 0).sum())
    return FlaggedBenign(len(found), b, c, difference_within(found, context.units.take(benign)))
