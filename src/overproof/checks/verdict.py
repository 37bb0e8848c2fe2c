"""Decide whether the student may be deployed, alone or with the full model behind it, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from overproof.checks.base import FAILED, PASSED, UNMEASURED, CheckResult, GateResult
from overproof.checks.escalation.result import Escalation, EscalationThreshold, SentShare
from overproof.checks.escalation.threshold import written
from overproof.checks.formatting import percent
from overproof.checks.suitability import Answer, Overall, Use, uses_of

Verdict = Literal["deploy alone", "deploy with escalation", "do not deploy"]
ALONE: Verdict = "deploy alone"
ESCALATED: Verdict = "deploy with escalation"
NOT: Verdict = "do not deploy"
PUBLISHED, FULL_MODEL = "own-data/published", "own-data/full-model"
MISSES, FALSE_POSITIVES = "held-out/misses", "held-out/false-positives"
GROUNDS = (PUBLISHED, FULL_MODEL)  # of whose events and against which model: without these nothing else says much
CASCADE = ("escalation/guarantee", "escalation/verified", "escalation/budget", "escalation/deferred")
STANDS = (*GROUNDS, MISSES, FALSE_POSITIVES)  # for "alone" these pass, whatever a gate file leaves unrequired
# What asking the full model mends, besides boundary/*: all else that fails forbids to deploy (docs/decisions/010).
CURABLE = {
    MISSES,
    "held-out/novel",
    "held-out/family",
    *CASCADE,
    "calibration/against-full",
    "calibration/threshold-drift",
    "own-data/field-drift",
    "own-data/score-drift",
    # no cure, but what edited attacks get past it forbids the use against adversaries, and to stand alone, not triage
    "redteam/exclusive",
    "redteam/cascade-bypass",
    "explanation/unfaithful",  # forbids to rely on explanations: verdicts are no worse for it
}

OF_PUBLIC = " All of this is of public or simulated events: nothing is known of your own."
NAMED = 3  # gates of a kind that the sentence names

GateResults = Mapping[str, GateResult]


@dataclass(frozen=True)
class Decision:
    """What the eight checks come to.

    Attributes
    ----------
    decision
        `deploy alone`, `deploy with escalation` or `do not deploy`.
    sentence
        The same with its reason, for who reads one sentence.
    threshold
        Confidence below which an event is escalated; None unless it is deployed so.
    because
        Keys of the gates that decide.
    uses
        What the bundle is good for, use by use.
    """

    decision: Verdict
    sentence: str
    threshold: float | None
    because: tuple[str, ...]
    uses: tuple[Use, ...] = ()


def decide(checks: Sequence[CheckResult[Any]]) -> Decision:
    """Decide by the gates of all checks; the threshold is the one that the escalation check found.

    Alone if no gate is closed. Otherwise with escalation, if that was shown to work and nothing failed that it cannot
    cure. Otherwise not.

    Parameters
    ----------
    checks
        All eight; a gate that is missing counts as not measured.
    """
    gates = {key: GateResult(key, UNMEASURED, f"unmeasured: no gate {key}") for key in (*STANDS, *CASCADE)}
    gates |= {result.key: result for check in checks for result in check.gates}
    threshold = threshold_of(checks)
    works = _works(gates, threshold)
    closed = [result for result in gates.values() if result.closed]
    unshown = [key for key in STANDS if not _passed(gates, key)]
    incurable = [f for f in gates.values() if f.status == FAILED and not _curable(f, threshold)]
    if incurable:
        decision = _refused(incurable, "; escalation does not cure that", ())
    elif not closed and not unshown:
        decision = _alone(gates)
    elif threshold is not None and works and all(_passed(gates, key) for key in GROUNDS):
        decision = _with_escalation(gates, threshold, closed or _at(gates, unshown))
    else:
        lacking = [key for key in (*GROUNDS, *CASCADE) if not _passed(gates, key)]
        decision = _refused(_at(gates, lacking), "", closed or _at(gates, unshown))
    overall = Overall(_answer(decision, gates), decision.because[0], works)
    sentence = decision.sentence + (OF_PUBLIC if gates[PUBLISHED].waived else "")
    return Decision(decision.decision, sentence, decision.threshold, decision.because, uses_of(gates, overall))


def threshold_of(checks: Sequence[CheckResult[Any]]) -> EscalationThreshold | None:
    """Return the threshold that the escalation check found; None where it found none."""
    found = next((check.data.threshold for check in checks if isinstance(check.data, Escalation)), None)
    return found if isinstance(found, EscalationThreshold) else None


def _works(gates: GateResults, threshold: EscalationThreshold | None) -> bool:
    """Say whether escalation was shown to work; a threshold below which nothing lies is none."""
    escalated = None if threshold is None else threshold.escalated
    return escalated is not None and escalated.share.value > 0 and all(_passed(gates, key) for key in CASCADE)


def _curable(result: GateResult, threshold: EscalationThreshold | None) -> bool:
    """Say whether asking the full model mends what failed.

    False positives are no part of the guarantee: they are mended if those of the cascade, counted on all benign
    events, would pass the gate that the student failed. Without a threshold that is not known.
    """
    key = result.key.partition(":")[0]
    if key == FALSE_POSITIVES:
        flagged = None if threshold is None else threshold.flagged
        return flagged is None or (result.limit is not None and flagged.loss.high <= result.limit)
    return key in CURABLE or key.startswith("boundary/")


def _passed(gates: GateResults, key: str) -> bool:
    """Say whether nothing stands in the way there: it passed, or the user judges all the same."""
    return gates[key].status == PASSED or gates[key].waived


def _at(gates: GateResults, keys: Sequence[str]) -> list[GateResult]:
    return [gates[key] for key in keys]


def _alone(gates: GateResults) -> Decision:
    sentence = f"Deploy alone: no gate is closed; {gates[MISSES].message}."
    return Decision(ALONE, sentence, None, STANDS)


def _with_escalation(gates: GateResults, threshold: EscalationThreshold, kept: Sequence[GateResult]) -> Decision:
    """Let it through by the gates of escalation; `kept` is what keeps the student from standing alone."""
    value, sent = threshold.value, threshold.escalated
    sentence = (
        f"Deploy with escalation at confidence {written(value)}: {_sent(sent)} go to the full model, and at most "
    )
    sentence += f"{percent(threshold.limit)} of the attacks that it detects are lost ({100 * threshold.confidence:g} % "
    sentence += "confidence, copies and events of one group counted once, for events like these under the policy that "
    sentence += (
        f"was replayed{_budget(threshold)}); what exceeds the budget is deferred, and nothing is promised of it; "
    )
    sentence += f"not alone: {_listed(kept)}."
    return Decision(ESCALATED, sentence, value, _keys([*kept, *_at(gates, CASCADE)]))


def _sent(sent: SentShare | None) -> str:
    """Say which share of the events goes to the full model, and for which share of attacks."""
    share = percent(0.0 if sent is None else sent.share.value)
    if sent is None or sent.prevalence is None:
        return f"{share} of the events"
    return f"{share} of the events, where {percent(sent.prevalence)} are attacks,"


def _budget(threshold: EscalationThreshold) -> str:
    return "" if threshold.replay is None else f" with a budget of {percent(threshold.replay.budget)}"


def _refused(reasons: Sequence[GateResult], after: str, kept: Sequence[GateResult]) -> Decision:
    """Refuse for these reasons, with "yet" where nothing failed; `kept` keeps it from standing alone besides."""
    decisive = reasons or kept
    others = [result for result in kept if result not in decisive]
    yet = "" if any(result.status == FAILED for result in decisive) else " yet"
    alone = f"; not alone: {_first(others)}" if others else ""
    sentence = f"Do not deploy{yet}: {_first(decisive)}{after}{alone}."
    return Decision(NOT, sentence, None, (*_keys(decisive), *_keys(others)))


def _ordered(reasons: Sequence[GateResult]) -> list[GateResult]:
    """Sort what failed before what was not measured, and what matters most first of each."""
    return sorted(reasons, key=lambda result: (result.status != FAILED, result.key not in STANDS))


def _first(reasons: Sequence[GateResult]) -> str:
    """Return the first reason in its own words, and how many more there are."""
    more = len(_keys(reasons)) - 1
    others = f" (and {more} more gate{'s' if more > 1 else ''})" if more > 0 else ""
    return f"{_ordered(reasons)[0].message}{others}"


def _listed(reasons: Sequence[GateResult]) -> str:
    """List which gates failed, and which were not measured; the check's box and section say the rest."""
    parts = []
    for status in (FAILED, UNMEASURED):
        keys = _keys([result for result in reasons if result.status == status])
        if keys:
            more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
            parts.append(f"{', '.join(keys[:NAMED])}{more} {status}")
    return "; ".join(parts)


def _keys(reasons: Sequence[GateResult]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(result.key for result in _ordered(reasons)))


def _answer(decision: Decision, gates: GateResults) -> Answer:
    """Return the decision as an answer to "may it be used?"; what decides comes first."""
    if decision.decision != NOT:
        return "alone" if decision.decision == ALONE else "with escalation"
    return "no" if gates[decision.because[0]].status == FAILED else "unmeasured"
