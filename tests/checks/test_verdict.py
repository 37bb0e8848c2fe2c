"""The verdict: what closes it, what escalation cures, and what it is good for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from overproof.checks.base import DISTILLED, FULL, QUANTIZED, CheckContext, CheckResult, GateResult, Operation, Status
from overproof.checks.escalation.compute import escalation
from overproof.checks.escalation.result import (
    Escalation,
    EscalationThreshold,
    FlaggedBenign,
    LostAttacks,
    Replay,
    SentShare,
)
from overproof.checks.gates import DEFAULTS, MARGIN
from overproof.checks.held_out.compute import held_out
from overproof.checks.rare.compute import rare
from overproof.checks.stats import Interval
from overproof.checks.verdict import Decision, decide
from overproof.results.typed_json import NotMeasured, to_json

Make = Callable[..., CheckContext]

FAMILIES = {"rare/family": "rare/family:ssti", "held-out/family": "held-out/family:xss"}
CASCADE = ["escalation/guarantee", "escalation/verified", "escalation/budget", "escalation/deferred"]
CURABLE = [
    MARGIN,
    "held-out/novel",
    "held-out/family:xss",
    "boundary/edits",
    "boundary/neighbours",
    "boundary/quantization",
    "calibration/against-full",
    "calibration/threshold-drift",
    "own-data/field-drift",
    "own-data/score-drift",
    "redteam/exclusive",
    "redteam/cascade-bypass",
]
INCURABLE = [
    "own-data/published",
    "own-data/full-model",
    "own-data/leaked",
    "calibration/error",
    "rare/pooled",
    "rare/family:ssti",
    "rare/slices",
    "rare/hard-benign",
    "held-out/quantized-alone",
    "redteam/flood",
]


def found(
    changed: dict[str, Status] | None = None,
    *,
    threshold: float | None = 0.93,
    escalated: float = 0.02,
    flagged: float = 0.001,
    leave_out: tuple[str, ...] = (),
    required: bool | None = None,
) -> list[CheckResult]:
    """Seven checks whose findings all passed but for those that are changed."""
    changed = changed or {}
    keys = {FAMILIES.get(key, key): default.required for key, default in DEFAULTS.items()} | {MARGIN: True}
    assert set(changed) <= set(keys)
    by_check: dict[str, list[GateResult]] = {}
    for key, needed in keys.items():
        if key not in leave_out:
            status = changed.get(key, "passed")
            result = GateResult(
                key, status, f"what {key} says", limit=0.005, required=needed if required is None else required
            )
            by_check.setdefault(key.partition("/")[0], []).append(result)
    chosen = NotMeasured("none") if threshold is None else chosen_threshold(threshold, escalated, flagged)
    none = NotMeasured("not asked for")
    data = {"escalation": Escalation(none, {}, none, chosen, "")}
    return [CheckResult(check, check, "?", tuple(group), data.get(check)) for check, group in by_check.items()]


def chosen_threshold(value: float, escalated: float, flagged: float) -> EscalationThreshold:
    """A threshold that escalates a share of the events, and may flag one of the benign events."""
    return EscalationThreshold(
        value=value,
        limit=0.005,
        confidence=0.95,
        policy="longer than was judged",
        chosen_on=1000,
        chosen_units=1000,
        verified_on=1000,
        verified_units=1000,
        escalated=SentShare(Interval(escalated, 0, 0.03), 0.5, weighted=False),
        missed=LostAttacks(0, 1000, Interval(0, 0, 0.003)),
        flagged=FlaggedBenign(1000, 0, 0, Interval(0, 0, flagged)),
        replay=Replay(2000, "at random", 0.05, {"doubt": 40}, {"doubt": 0}, 1000, 0, 0, 1000, 3),
    )


def answers(decision: Decision) -> dict[str, str]:
    return {use["use"]: use["answer"] for use in plain(decision)["uses"]}


def plain(decision: Decision) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(to_json(decision), allow_nan=False))
    return data


def test_alone_if_every_gate_is_open() -> None:
    decision = decide(found())
    assert decision.decision == "deploy alone" and decision.threshold is None
    assert decision.sentence == f"Deploy alone: no gate is closed; what {MARGIN} says."
    assert set(decision.because) >= {"own-data/published", MARGIN}
    data = plain(decision)
    assert list(data) == ["decision", "sentence", "threshold", "because", "uses"]
    assert answers(decision) == {
        "high-volume log triage": "alone",
        "first-pass scanning": "alone",
        "embeddings for similarity": "unmeasured",
        "edge and endpoint": "alone",
        "real-time classification": "alone",
        "novel threats": "with escalation",
        "final verdicts": "with escalation",
        "costly false positives": "alone",
        "adversarial input": "with escalation",
        "need for explanation": "alone",
    }
    keys = {result.key for check in found() for result in check.gates}
    assert {use["because"] for use in data["uses"]} <= keys | {None}
    assert [use["kind"] for use in data["uses"]] == ["good fit"] * 5 + ["warned against"] * 5
    # a gate that is not required may stay unmeasured
    assert decide(found({"boundary/neighbours": "unmeasured"})).decision == "deploy alone"


@pytest.mark.parametrize("key", CURABLE)
def test_escalation_cures(key: str) -> None:
    decision = decide(found({key: "failed"}))
    assert decision.decision == "deploy with escalation" and decision.threshold == 0.93
    assert decision.sentence == (
        "Deploy with escalation at confidence 0.930: 2.00 % of the events, where 50.0 % are attacks, go to the full "
        "model, and at most 0.50 % of the attacks that it detects are lost (95 % confidence, copies and events of one "
        "group counted once, for events like these under the policy that was replayed with a budget of 5.00 %); what "
        f"exceeds the budget is deferred, and nothing is promised of it; not alone: {key} failed."
    )
    assert decision.because == (key, *CASCADE)
    assert answers(decision)["high-volume log triage"] == "with escalation"
    assert answers(decision)["costly false positives"] == "with escalation"
    # without escalation there is nothing to cure it with
    for broken in (
        found({key: "failed", "escalation/verified": "unmeasured"}),
        found({key: "failed"}, escalated=0.0),
        found({key: "failed", "own-data/published": "unmeasured"}),
        found({key: "failed", "escalation/guarantee": "unmeasured"}, threshold=None),
    ):
        assert decide(broken).decision == "do not deploy"


@pytest.mark.parametrize("key", INCURABLE)
def test_escalation_does_not_cure(key: str) -> None:
    decision = decide(found({key: "failed", MARGIN: "failed"}))
    assert decision.decision == "do not deploy" and decision.threshold is None
    assert decision.because == (key,)
    assert decision.sentence == f"Do not deploy: what {key} says; escalation does not cure that."
    assert set(answers(decision).values()) == {"no", "unmeasured"}
    assert answers(decision)["high-volume log triage"] == "no"


def test_what_was_not_measured_keeps_it_from_standing_alone() -> None:
    for key in ("own-data/leaked", "rare/pooled", "calibration/error"):
        decision = decide(found({key: "unmeasured"}))
        assert decision.decision == "deploy with escalation" and decision.because[0] == key
    for key in ("own-data/published", "own-data/full-model", *CASCADE):
        decision = decide(found({key: "unmeasured"}))
        assert decision.decision == "do not deploy" and key in decision.because
        assert decision.sentence == f"Do not deploy yet: what {key} says."
        assert answers(decision)["high-volume log triage"] == "unmeasured"
    both = decide(found({"escalation/budget": "unmeasured", MARGIN: "failed"}))
    assert both.sentence == f"Do not deploy yet: what escalation/budget says; not alone: what {MARGIN} says."


def test_gates_that_require_nothing_do_not_let_the_unmeasured_stand_alone() -> None:
    everything: dict[str, Status] = dict.fromkeys([*INCURABLE, *CURABLE, *CASCADE], "unmeasured")
    assert decide(found(everything, required=False, threshold=None)).decision == "do not deploy"
    assert decide(found({MARGIN: "unmeasured"}, required=False)).decision == "deploy with escalation"
    assert decide(found(leave_out=(MARGIN,))).decision == "deploy with escalation"


@pytest.mark.parametrize("changed", [{}, {MARGIN: "failed"}, {MARGIN: "failed", CASCADE[0]: "unmeasured"}])
def test_a_verdict_on_public_events_says_so(changed: dict[str, Status]) -> None:
    checks = found({"own-data/published": "unmeasured", **changed})
    waived = [
        replace(check, gates=tuple(replace(gate, waived=gate.key == "own-data/published") for gate in check.gates))
        for check in checks
    ]
    own, public = decide(found(changed)), decide(waived)
    assert (public.decision, public.threshold) == (own.decision, own.threshold)
    said = " All of this is of public or simulated events: nothing is known of your own."
    assert public.sentence == own.sentence + said
    assert waived[0].status == "unmeasured" and waived[0].message == "what own-data/published says"


def test_nothing_at_all_is_no_reason_to_deploy() -> None:
    for checks in ([], [CheckResult("escalation", "", "", (), {})]):
        decision = decide(checks)
        assert decision.decision == "do not deploy" and decision.because[0] == "own-data/published"
        assert decision.sentence.startswith("Do not deploy yet: unmeasured: no gate own-data/published (and 5 more")
        assert answers(decision)["need for explanation"] == "unmeasured"
        plain(decision)


def test_false_positives_are_cured_only_if_the_cascade_has_few() -> None:
    key = "held-out/false-positives"
    cured = decide(found({key: "failed"}, flagged=0.004))
    assert cured.decision == "deploy with escalation"
    assert answers(cured)["costly false positives"] == "with escalation"
    decision = decide(found({key: "failed"}, flagged=0.02))
    assert decision.decision == "do not deploy" and decision.because == (key,)
    assert answers(decision)["costly false positives"] == "no"
    unknown = decide(found({key: "failed", "escalation/guarantee": "unmeasured"}, threshold=None))
    assert unknown.sentence == f"Do not deploy yet: what escalation/guarantee says; not alone: what {key} says."
    assert answers(decide(found({key: "unmeasured"})))["costly false positives"] == "unmeasured"


def test_more_than_one_reason_is_counted_and_the_gravest_comes_first() -> None:
    decision = decide(found({"own-data/field-drift": "failed", MARGIN: "failed", "own-data/leaked": "unmeasured"}))
    assert decision.because[:3] == (MARGIN, "own-data/field-drift", "own-data/leaked")
    assert decision.sentence.endswith(f"not alone: {MARGIN}, own-data/field-drift failed; own-data/leaked unmeasured.")


def test_novel_threats() -> None:
    def novel(changed: dict[str, Status], *leave_out: str) -> tuple[str, str | None]:
        use = next(u for u in decide(found(changed, leave_out=leave_out)).uses if u.use == "novel threats")
        return use.answer, use.because

    pooled, family = "held-out/novel", "held-out/family:xss"
    assert novel({}) == ("with escalation", pooled)
    assert novel({}, pooled) == ("with escalation", family)
    assert novel({pooled: "unmeasured"}) == ("with escalation", family)
    assert novel({family: "unmeasured"}) == ("with escalation", pooled)
    assert novel({family: "failed"}) == ("no", family)
    assert novel({pooled: "failed"}) == ("no", pooled)
    assert novel({pooled: "unmeasured"}, family) == ("unmeasured", pooled)
    assert novel({}, pooled, family) == ("unmeasured", None)


def test_adversarial_input_is_never_answered_better_than_with_escalation() -> None:
    def asked(**changed: Any) -> tuple[str, str]:
        use = next(u for u in decide(found(**changed)).uses if u.use == "adversarial input")
        return use.answer, use.message

    assert asked() == ("with escalation", "Edits hardly flip its verdicts, and within what was tried hardly evade it.")
    for key in ("boundary/edits", "boundary/neighbours", "redteam/exclusive", "redteam/cascade-bypass"):
        assert asked(changed={key: "failed"})[0] == "no"
        assert asked(changed={key: "unmeasured"})[0] == "unmeasured"
        assert asked(leave_out=(key,))[0] == "unmeasured"
    assert "without an attacker" in asked(changed={"boundary/edits": "failed"})[1]
    assert "get past it more often than is allowed" in asked(changed={"redteam/exclusive": "failed"})[1]
    assert "made to evade it do was not shown" in asked(changed={"redteam/exclusive": "unmeasured"})[1]


@pytest.mark.parametrize("key", ["redteam/exclusive", "redteam/cascade-bypass"])
def test_what_gets_past_it_forbids_the_use_against_adversaries_and_not_all_others(key: str) -> None:
    decision = decide(found({key: "failed"}))
    assert decision.decision == "deploy with escalation" and decision.because[0] == key
    assert (answers(decision)["adversarial input"], answers(decision)["high-volume log triage"]) == (
        "no",
        "with escalation",
    )


def test_escalation_that_was_not_shown_is_no_answer() -> None:
    """Its gates may be left unrequired: the student stands alone, but nothing stands behind it."""
    checks = found({"escalation/guarantee": "unmeasured"}, required=False, threshold=None)
    decision = decide(checks)
    assert decision.decision == "deploy alone"
    for use in ("novel threats", "final verdicts", "adversarial input"):
        assert answers(decision)[use] == "unmeasured"


def with_measured(evidence: CheckContext, **options: Any) -> list[CheckResult]:
    """Held-out threats and escalation as they are measured, the other checks passed."""
    measured = {"held-out": held_out(evidence), "escalation": escalation(evidence)}
    return [measured.get(check.key, check) for check in found(**options)]


def test_measured_students(make: Make, healthy: CheckContext) -> None:
    assert decide(with_measured(healthy)).decision == "deploy alone"
    decision = decide(with_measured(healthy, changed={"own-data/leaked": "unmeasured"}))
    assert decision.decision == "deploy with escalation" and (decision.threshold or 0) > 0.5
    worse = {"sqli": 0.02, "xss": 0.02, "ssti": 0.02}
    lossy = make({DISTILLED: worse, QUANTIZED: worse}, operation=Operation(budget=0.2))
    cured = decide(with_measured(lossy))
    assert cured.decision == "deploy with escalation" and cured.because[0] == MARGIN
    blind = decide(with_measured(make({QUANTIZED: worse})))
    assert blind.decision == "do not deploy" and blind.because == ("held-out/quantized-alone",)
    absent = decide(with_measured(make(without=(FULL,))))
    assert absent.decision == "do not deploy" and absent.sentence.startswith("Do not deploy yet: unmeasured: no full")


def test_a_ruined_family_is_not_deployed(make: Make) -> None:
    evidence = make({DISTILLED: {"ssti": 0.6}, QUANTIZED: {"ssti": 0.6}})
    checks = [rare(evidence) if check.key == "rare" else check for check in with_measured(evidence)]
    decision = decide(checks)
    assert decision.decision == "do not deploy"
    assert "rare/family:ssti" in decision.because
    fine = replace(evidence, models={**evidence.models, QUANTIZED: evidence.models[FULL]})
    assert "rare/family:ssti" not in decide([rare(fine)]).because
