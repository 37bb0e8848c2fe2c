"""Say what a student is good for: the uses that suit small models, and those that one is warned against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.base import FAILED, PASSED, GateResult

Answer = Literal["alone", "with escalation", "no", "unmeasured"]
Kind = Literal["good fit", "warned against"]
ALONE: Answer = "alone"
ESCALATED: Answer = "with escalation"
NO: Answer = "no"
UNMEASURED: Answer = "unmeasured"
GOOD: Kind = "good fit"
WARNED: Kind = "warned against"
MISSES, FALSE_POSITIVES = "held-out/misses", "held-out/false-positives"
NOVEL, FAMILY, GUARANTEE = "held-out/novel", "held-out/family:", "escalation/guarantee"
BOUNDARY = ("boundary/edits", "boundary/neighbours")
EXPLAINED = "explanation/unfaithful"
ATTACKED = ("redteam/exclusive", "redteam/cascade-bypass")

GateResults = Mapping[str, GateResult]


@dataclass(frozen=True)
class Overall:
    """The decision, as far as uses hang on it.

    Attributes
    ----------
    answer
        "alone", "with escalation", "no", or "unmeasured" where nothing failed.
    because
        Key of the first gate that decides.
    escalation
        Whether escalation was shown to work.
    """

    answer: Answer
    because: str | None
    escalation: bool

    @property
    def deployed(self) -> bool:
        """True if it may be deployed at all."""
        return self.answer in (ALONE, ESCALATED)


@dataclass(frozen=True)
class Use:
    """One use.

    Attributes
    ----------
    use
        What for.
    kind
        "good fit" or "warned against", for small models in general.
    answer
        "alone", "with escalation", "no" or "unmeasured", for this one.
    because
        Key of the gate that decides; None where none does.
    message
        The reason in a sentence.
    """

    use: str
    kind: Kind
    answer: Answer
    because: str | None
    message: str


def uses_of(gates: GateResults, overall: Overall) -> tuple[Use, ...]:
    """List all uses, the good fits first. None is answered better than the decision on the whole."""
    return (
        _as_decided("high-volume log triage", gates, overall, ""),
        _as_decided("first-pass scanning", gates, overall, " What it lets pass is seen by nobody else.", MISSES),
        Use(
            "embeddings for similarity",
            GOOD,
            UNMEASURED,
            None,
            "No check measures embeddings: distances may change where verdicts do not.",
        ),
        _as_decided(
            "edge and endpoint",
            gates,
            overall,
            " Size and speed stand in the comparison; escalation needs a way to the full model.",
        ),
        _as_decided(
            "real-time classification",
            gates,
            overall,
            " Size and speed stand in the comparison; an escalated event waits for the full model.",
        ),
        _novel(gates, overall),
        _final(overall),
        _costly(gates, overall),
        _adversarial(gates, overall),
        _explained(gates, overall),
    )


DECIDED = {
    ALONE: "The student may judge every event by itself.",
    ESCALATED: "The student judges what it is sure of, the full model the rest.",
    NO: "What failed forbids to deploy it.",
    UNMEASURED: "What deployment needs was not measured.",
}


def _as_decided(use: str, gates: GateResults, overall: Overall, more: str, key: str | None = None) -> Use:
    """Answer a use that hangs on the decision alone; `key` is the gate that matters most to it once it is deployed."""
    because = key if overall.deployed and key in gates else overall.because
    return Use(use, GOOD, overall.answer, because, DECIDED[overall.answer] + more)


def _novel(gates: GateResults, overall: Overall) -> Use:
    """Answer never alone, and with escalation only where new families were met and not lost."""
    families = [result for key, result in gates.items() if key.startswith(FAMILY)]
    asked = [*([gates[NOVEL]] if NOVEL in gates else []), *families]
    failed = [result for result in asked if result.status == FAILED]
    held = bool(families) and all(result.status == PASSED for result in families)
    pooled = NOVEL in gates and gates[NOVEL].status == PASSED
    if failed:
        answer, message = NO, "It misses more than is allowed of families that are new to it."
    elif held or pooled:
        answer, message = ESCALATED, "New families cost it no more than is allowed; a new threat may be unlike them."
    elif families:
        answer, message = UNMEASURED, "Of some family that it was trained without there are too few events to tell."
    else:
        answer, message = UNMEASURED, "No new family tells what it does with what nobody has seen."
    shown = {NO: FAILED, ESCALATED: PASSED, UNMEASURED: UNMEASURED}[answer]
    deciding = [result for result in asked if result.status == shown] or asked
    return _warned("novel threats", answer, deciding[0].key if deciding else None, message, overall)


def _final(overall: Overall) -> Use:
    message = "Never alone: the full model must be able to overrule it where it is unsure, and a person both."
    return _warned("final verdicts", ESCALATED, GUARANTEE, message, overall)


def _costly(gates: GateResults, overall: Overall) -> Use:
    found = gates.get(FALSE_POSITIVES)
    if found is not None and found.status == PASSED:
        answer, message = ALONE, "It flags hardly more benign events than the full model does."
    elif found is not None and found.status == FAILED:
        cured = overall.answer == ESCALATED  # an uncured one would have forbidden it
        answer = ESCALATED if cured else NO
        message = "It flags more benign events than is allowed" + (
            ", unless the unsure ones are sent on." if cured else "."
        )
    else:
        answer, message = UNMEASURED, "How many benign events it flags beyond the full model was not shown."
    return _warned("costly false positives", answer, None if found is None else found.key, message, overall)


def _adversarial(gates: GateResults, overall: Overall) -> Use:
    """Answer at best with escalation, and only where it held near the boundary and against the red team."""
    near, attacked = ([gates[key] for key in keys if key in gates] for keys in (BOUNDARY, ATTACKED))
    asked = [*attacked, *near]
    failed = [result for result in asked if result.status == FAILED]
    unshown = [result for result in asked if result.status != PASSED]
    if failed:
        flips = "Near the boundary its verdicts flip already without an attacker."
        answer, message = NO, flips if failed[0] in near else "Edited attacks get past it more often than is allowed."
    elif len(asked) == len(BOUNDARY) + len(ATTACKED) and not unshown:
        answer, message = ESCALATED, "Edits hardly flip its verdicts, and within what was tried hardly evade it."
    else:
        bare = "What inputs that are made to evade it do was not shown."
        near_shown = len(near) == len(BOUNDARY) and all(result.status == PASSED for result in near)
        answer, message = UNMEASURED, bare if near_shown else "How its verdicts hold near the boundary was not shown."
    deciding = failed or unshown or asked
    return _warned("adversarial input", answer, deciding[0].key if deciding else None, message, overall)


def _explained(gates: GateResults, overall: Overall) -> Use:
    """Answer by whether what explains a verdict was shown to carry it."""
    found = gates.get(EXPLAINED)
    if found is not None and found.status == PASSED:
        answer = ALONE
        message = "What explains a verdict carries it; it is the student's reason, also where the full model decides."
    elif found is not None and found.status == FAILED:
        answer, message = NO, "Too often what explains a verdict carries no more of it than any other part."
    else:
        answer, message = UNMEASURED, "Whether what explains its verdicts carries them was not shown."
    return _warned("need for explanation", answer, None if found is None else found.key, message, overall)


def _warned(use: str, answer: Answer, because: str | None, message: str, overall: Overall) -> Use:
    """Answer a use by its own answer, or by that of the decision where that is worse."""
    if not overall.deployed and answer != NO:
        return Use(use, WARNED, overall.answer, overall.because, DECIDED[overall.answer])
    if answer == ESCALATED and not overall.escalation:
        return Use(use, WARNED, UNMEASURED, GUARANTEE, f"{message} Escalation was not shown to work.")
    if answer == ALONE:
        answer = overall.answer
    return Use(use, WARNED, answer, because, message)
