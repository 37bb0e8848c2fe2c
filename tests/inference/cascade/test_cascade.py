"""Who decided, and why: both answers stand in every verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.manifest import MODEL, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import UNTAUGHT, Floats, Scores
from overproof.errors import InputError
from overproof.inference.cascade import EVERYTHING, Bucket, Cascade, Full, FullDown, Policy, Promise, Rate
from overproof.inference.cascade.full import aligned
from overproof.inference.cascade.signals import CONFIDENCE, OOD_DISTANCE, signals, threshold
from overproof.inference.cascade.thresholds import SPENT, SPENT_ON_OOD, Guarantee, policy_for

from .conftest import CLASSES, TEXTS, always

ALL = Policy(confidence=EVERYTHING)


def test_what_is_not_deferred_the_student_decides(student: OnnxScorer) -> None:
    cascade = Cascade(student, always("xss"), Policy(overflow=False))
    for verdict, judged in zip(cascade.judge(TEXTS), student.judge(TEXTS), strict=True):
        assert (verdict["status"], verdict["decided_by"]) == ("decided", "student")
        assert verdict["reason"] == "no threshold to defer it by"
        assert verdict["full"] is None
        assert (verdict["label"], verdict["student"]["windows"]) == (judged.label, judged.windows)
        assert verdict["attack"] == pytest.approx(judged.attack, abs=1e-6)
        assert verdict["student"]["probabilities"] == pytest.approx(judged.probabilities, abs=1e-6)


def test_the_reason_tells_how_sure_it_was_and_had_to_be(student: OnnxScorer) -> None:
    for verdict in Cascade(student, None, Policy(confidence=0.2, overflow=False)).judge(TEXTS):
        assert verdict["reason"] == f"confidence {verdict['student']['confidence']:.3f} ≥ 0.200"


def test_what_is_deferred_the_full_model_decides(student: OnnxScorer) -> None:
    for verdict in Cascade(student, always("sqli"), ALL).judge(TEXTS):
        assert (verdict["status"], verdict["decided_by"], verdict["label"]) == ("decided", "full", "sqli")
        assert verdict["attack"] == 1.0
        assert verdict["full"]["probabilities"] == {"benign": 0, "sqli": 1, "xss": 0}
        assert (
            verdict["reason"].endswith(", and every event goes to the full model")
            or verdict["reason"] == "longer than was judged"
        )
    models = Cascade(student, always("sqli"), ALL).models
    assert models == {"student": student.manifest.files[MODEL]["sha256"][:16], "full": "always sqli"}


def test_only_what_is_deferred_is_asked(student: OnnxScorer) -> None:
    asked: list[str] = []

    def ask(texts: Sequence[str]) -> Floats:
        asked.extend(texts)
        return always("xss").ask(texts)

    limit = float(np.median([max(v["student"]["probabilities"].values()) for v in Cascade(student).judge(TEXTS)]))
    verdicts = Cascade(student, Full(CLASSES, ask, "m"), Policy(confidence=limit, overflow=False)).judge(TEXTS)
    assert asked == [t for t, v in zip(TEXTS, verdicts, strict=True) if v["student"]["confidence"] < limit]
    assert [v["decided_by"] for v in verdicts] == ["full" if t in asked else "student" for t in TEXTS]


def test_without_a_full_model_nobody_decides(student: OnnxScorer) -> None:
    for verdict, judged in zip(Cascade(student, None, ALL).judge(TEXTS), student.judge(TEXTS), strict=True):
        assert (verdict["status"], verdict["decided_by"]) == ("abstained", "nobody")
        assert verdict["label"] == judged.label
        assert verdict["reason"].endswith("; no full model was given")


def test_what_exceeds_the_budget_is_deferred_and_never_dropped(student: OnnxScorer) -> None:
    policy = replace(ALL, overflow=False)
    cascade = Cascade(student, always("xss"), policy, Bucket(Rate(share=0.5), level={"pool": 2.8}))
    verdicts = cascade.judge(TEXTS * 2)  # of 14 events 7 tokens, 4.2 of them reserved for doubtful ones
    assert [v["status"] for v in verdicts].count("deferred") == 7
    assert [v["decided_by"] for v in verdicts].count("full") == 7
    sure = [v["student"]["confidence"] for v in verdicts if v["status"] == "deferred"]
    assert min(sure) >= max(v["student"]["confidence"] for v in verdicts if v["status"] == "decided")
    for verdict in verdicts:
        if verdict["status"] == "deferred":
            assert verdict["label"] == verdict["student"]["label"]
            assert verdict["reason"].endswith("; over the escalation budget reserved for doubtful events")


FAR, LONG, UNSURE = "foreign text", "a" * 700, "doubtful"


def flood(kinds: Sequence[str]) -> tuple[Scores, Policy]:
    """Events each of which is deferred for one kind of reason."""
    n = len(kinds)
    logits = np.array([[0.1, 0.0, 0.0] if kind == UNSURE else [9.0, 0.0, 0.0] for kind in kinds], dtype=np.float32)
    far = np.array([99.0 if kind == FAR else 1.0 for kind in kinds], dtype=np.float32)
    scores = Scores(logits, CLASSES, np.ones(n, np.int32), np.array([kind == LONG for kind in kinds]), far)
    return scores, Policy(confidence=0.9, ood_distance=30.0)


@pytest.mark.parametrize("foe", [FAR, LONG])
def test_a_flood_of_events_of_another_kind_defers_no_doubtful_one(student: OnnxScorer, foe: str) -> None:
    """What the review did: 10 % of foreign texts, and 61 of 61 doubtful events were deferred."""
    cascade = Cascade(student, always("xss"), Policy(), Bucket(Rate(share=0.05)))
    deferred = {UNSURE: 0, foe: 0}
    for batch in range(3):
        kinds = [foe if i % 10 == 5 else UNSURE if i % 100 == batch else "sure" for i in range(2048)]
        scores, cascade.policy = flood(kinds)
        decision = cascade.decide(scores)
        for i, why in decision.deferred.items():
            deferred[kinds[i]] += 1
            assert "reserved for events" in why
    assert deferred[UNSURE] == 0 < deferred[foe]


def test_the_least_sure_of_a_kind_goes_first_whatever_the_reason(student: OnnxScorer) -> None:
    logits = np.array([[0.2, 0, 0], [1.4, 1.3, -9.0], [0.1, 0, 0], [1.5, 1.3, -9.0]], dtype=np.float32)
    scores = Scores(logits, CLASSES, np.ones(4, np.int32), np.zeros(4, dtype=bool))
    cascade = Cascade(student, always("xss"), Policy(0.4, 0.1), Bucket(Rate(share=0.5), level={"doubt": 0.9}))
    decision = cascade.decide(scores)
    assert decision.escalated == [0, 2]
    assert set(decision.deferred) == {1, 3}


def down(texts: Sequence[str]) -> Floats:
    raise FullDown("no route")


@pytest.mark.parametrize(
    ("on_full_down", "status", "decided_by"), [("hold", "held", "nobody"), ("student", "decided", "student")]
)
def test_a_full_model_that_is_down(student: OnnxScorer, on_full_down: str, status: str, decided_by: str) -> None:
    policy = replace(ALL, on_full_down=on_full_down)
    for verdict in Cascade(student, Full(CLASSES, down, "m"), policy).judge(TEXTS):
        assert (verdict["status"], verdict["decided_by"]) == (status, decided_by)
        assert verdict["full"] is None
        assert "the full model is down" in verdict["reason"]
        assert "no route" in verdict["reason"]


def test_a_policy_may_fail_when_the_full_model_is_down(student: OnnxScorer) -> None:
    with pytest.raises(FullDown, match="no route"):
        Cascade(student, Full(CLASSES, down, "m"), replace(ALL, on_full_down="fail")).judge(TEXTS)


def test_a_full_model_with_other_columns_is_put_in_order() -> None:
    full = aligned(always("xss", ("xss", "benign")), CLASSES)
    assert full.ask(["a"]).tolist() == [[0, 0, 1]]
    with pytest.raises(InputError, match="knows rce, which the bundle has no class for"):
        aligned(always("rce", ("rce",)), CLASSES)


def test_no_events(student: OnnxScorer) -> None:
    assert Cascade(student, always("xss"), ALL).judge([]) == []


def test_verdicts_are_plain_json(student: OnnxScorer) -> None:
    verdicts = Cascade(student, always("xss"), ALL).judge(TEXTS)
    assert orjson.loads(orjson.dumps(verdicts)) == verdicts


def test_a_run_that_is_like_the_validation_events_defers_hardly_anything() -> None:
    """A quarter for what is out of distribution, of which a fifth is reserved, withdrew the promise in 87 % of runs."""
    random, share, runs = np.random.default_rng(0), 0.05, 200
    withdrawn = 0
    for _ in range(runs):
        bucket, over = Bucket(Rate(share=share)), 0
        for _ in range(10):
            doubt, ood = (int(random.binomial(2048, spent * share)) for spent in (SPENT, SPENT_ON_OOD))
            granted = bucket.grant(2048, {"doubt": doubt, "ood": ood})
            over += doubt + ood - sum(granted.values())
        withdrawn += over > 0
    assert withdrawn / runs < 0.15


def test_thresholds_spend_half_the_budget(student: OnnxScorer) -> None:
    texts = [f"id={i} select {'x' * (i % 37)}" for i in range(1000)]
    policy = policy_for(student.manifest, rate=Rate(share=0.1))
    scores = student.score(texts)
    found = signals(scores.logits, student.manifest.calibration, scores.ood_distance, scores.benign)
    assert policy.confidence == threshold(found, CONFIDENCE, SPENT * 0.1)
    assert policy.ood_distance == threshold(found, OOD_DISTANCE, SPENT_ON_OOD * 0.1)
    confident = Cascade(student, always("xss"), replace(policy, ood_distance=None, overflow=False))
    escalated = [v for v in confident.judge(texts) if v["decided_by"] == "full"]
    assert 0.02 * len(texts) <= len(escalated) <= 0.05 * len(texts)  # ties make it fewer, never more


def test_a_share_that_was_not_seen_is_unmeasured() -> None:
    found = signals(np.random.default_rng(0).normal(size=(150, 3)).astype(np.float32), None)
    assert found[CONFIDENCE]["0.005"] is None
    assert found[CONFIDENCE]["0.01"] is not None
    assert threshold(found, CONFIDENCE, 0.005) is None
    assert threshold(found, CONFIDENCE, 0.03) == found[CONFIDENCE]["0.025"]
    assert signals(np.empty((0, 3), dtype=np.float32), None)[CONFIDENCE]["0.5"] is None
    far = np.arange(9, dtype=np.float32)
    assert signals(np.zeros((9, 3), dtype=np.float32), None, far)[OOD_DISTANCE]["0.5"] == 4.0
    other = np.append(far, np.full(9, UNTAUGHT, dtype=np.float32))  # of a kind that was not taught: deferred anyhow
    assert signals(np.zeros((18, 3), dtype=np.float32), None, other)[OOD_DISTANCE]["0.5"] == 4.0


def test_a_bundle_without_signals_has_no_threshold(student: OnnxScorer) -> None:
    policy = policy_for(replace(student.manifest, signals=None))
    assert (policy.confidence, policy.ood_distance, policy.basis) == (0.0, None, "no threshold")


def test_too_few_validation_events_give_no_threshold(student: OnnxScorer) -> None:
    few = signals(np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), None)
    policy = policy_for(replace(student.manifest, signals=few))
    assert policy.confidence == 0.0
    assert policy.basis == "no threshold: too few validation events to see 2.5 % of them"


def test_the_guarantee_of_a_check(student: OnnxScorer) -> None:
    policy = policy_for(student.manifest, guarantee=Guarantee(0.9340546, Promise(0.005, 0.95, "check.json")))
    assert (policy.confidence, policy.temperature) == (0.9340546, 1.5)
    assert policy.promise == Promise(0.005, 0.95, "check.json")
    assert policy.basis == "the threshold that the check found (check.json)"
    assert str(policy.promise) == (
        "at most 0.5 % of the attacks that the full model detects are lost, copies counted once, with 95 % "
        "confidence, for events like those of the check (check.json)"
    )


@pytest.mark.parametrize("threshold", [float("nan"), -1.0, 1.5, float("inf")])
def test_a_threshold_that_is_none(threshold: float) -> None:
    with pytest.raises(InputError, match=r"--check a\.json: its threshold is .*, expected a number from 0 to 1"):
        Guarantee(threshold, Promise(0.005, 0.95, "a.json"))


def test_options_that_mean_nothing(student: OnnxScorer) -> None:
    with pytest.raises(InputError, match="--never-alone rce: expected a label of the bundle: benign, sqli, xss"):
        policy_for(student.manifest, never_alone=["rce"])
    with pytest.raises(InputError, match="--on-full-down panic: expected one of hold, student, fail"):
        policy_for(student.manifest, on_full_down="panic")


class Broken(OnnxScorer):
    """A student whose scores of some texts are no numbers."""

    def score(self, texts: Sequence[str]) -> Scores:
        scores = super().score(texts)
        assert scores.ood_distance is not None
        for i, text in enumerate(texts):
            if "logits" in text:
                scores.logits[i, 0] = float(text.partition("=")[2])
            elif "distance" in text:
                scores.ood_distance[i] = float(text.partition("=")[2])
        return scores


NO_NUMBERS = [f"{what}={value}" for what in ("logits", "distance") for value in ("nan", "inf", "-inf")]


@pytest.fixture(scope="module")
def broken(small_bundle: Path) -> Broken:
    """That student."""
    return Broken(open_bundle(small_bundle))


@pytest.mark.parametrize("policy", [Policy(), Policy(confidence=0.0, ood_distance=30.0), ALL])
def test_scores_that_are_no_numbers_are_never_decided_by_the_student(broken: Broken, policy: Policy) -> None:
    for verdict in Cascade(broken, None, policy).judge(NO_NUMBERS):
        assert (verdict["status"], verdict["decided_by"]) == ("abstained", "nobody")
        assert verdict["reason"] == "the student's scores are no numbers; no full model was given"
    for verdict in Cascade(broken, always("xss"), policy).judge(NO_NUMBERS):
        assert (verdict["status"], verdict["decided_by"], verdict["label"]) == ("decided", "full", "xss")
    for verdict in Cascade(broken, always("xss"), policy, Bucket(Rate(share=0.0))).judge(NO_NUMBERS):
        assert (verdict["status"], verdict["decided_by"]) == ("deferred", "nobody")


def test_what_is_no_number_is_null_and_has_no_label(broken: Broken) -> None:
    logits, distance = Cascade(broken).judge(["logits=nan", "distance=inf"])
    assert (logits["label"], logits["attack"]) == (None, None)
    student = logits["student"]
    assert (student["label"], student["attack"], student["confidence"]) == (None, None, None)
    assert student["probabilities"] == {"benign": None, "sqli": None, "xss": None}
    assert distance["student"]["ood_distance"] is None
    assert distance["label"] in CLASSES and 0 <= distance["attack"] <= 1
    for verdict in (logits, distance):
        assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict


def test_a_student_that_is_down_and_has_no_numbers_does_not_stand_in(broken: Broken) -> None:
    policy = replace(ALL, on_full_down="student")
    for verdict in Cascade(broken, Full(CLASSES, down, "m"), policy).judge(NO_NUMBERS):
        assert (verdict["status"], verdict["decided_by"]) == ("held", "nobody")


def answering(answer: Any) -> Full:
    return Full(CLASSES, lambda texts: answer, "m")


SURE = [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (np.array([SURE]), r"shape \(1, 3\), expected \(2, 3\)"),
        (np.array([SURE[:2]] * 2), r"shape \(2, 2\), expected \(2, 3\)"),
        (np.array(SURE), r"shape \(3,\), expected \(2, 3\)"),
        (None, r"shape \(\), expected"),
        ([SURE, ["high", 0, 0]], "not an array of numbers"),
        ([SURE, [0.5]], "not an array of numbers"),
        (np.array([SURE, [np.nan, 0.5, 0.5]]), "probabilities that are no numbers"),
        (np.array([SURE, [np.inf, 0.0, 0.0]]), "probabilities that are no numbers"),
        ([SURE, [1e300, 0.0, 0.0]], "probabilities that are no numbers"),
        (np.array([SURE, [1e300, 0.0, 0.0]]), "probabilities that are no numbers"),
        (np.array([SURE, [1.5, -0.5, 0.0]]), "probabilities below 0"),
        (np.array([SURE, [0.5, 0.2, 0.0]]), "probabilities that do not add up to 1"),
        (np.array([SURE, [9.0, 3.0, 1.0]]), "probabilities that do not add up to 1"),
    ],
)
def test_an_answer_that_is_none_is_a_full_model_that_is_down(student: OnnxScorer, answer: Any, why: str) -> None:
    for verdict in Cascade(student, answering(answer), ALL).judge(["a", "b"]):
        assert (verdict["status"], verdict["full"]) == ("held", None)
        assert re.search(rf"the full model is down, held \(m: answered with .*{why}", verdict["reason"])
    with pytest.raises(FullDown, match=why):
        Cascade(student, answering(answer), replace(ALL, on_full_down="fail")).judge(["a", "b"])


def test_a_full_model_that_fails_is_down(student: OnnxScorer) -> None:
    def failing(texts: Sequence[str]) -> Floats:
        raise ZeroDivisionError("by zero")

    for verdict in Cascade(student, Full(CLASSES, failing, "m"), ALL).judge(["a", "b"]):
        assert verdict["status"] == "held"
        assert verdict["reason"].endswith("the full model is down, held (m: ZeroDivisionError: by zero)")


def test_what_the_program_refuses_is_no_full_model_that_is_down(student: OnnxScorer) -> None:
    def refusing(texts: Sequence[str]) -> Floats:
        raise InputError("a label that nobody knows")

    with pytest.raises(InputError, match="a label that nobody knows"):
        Cascade(student, Full(CLASSES, refusing, "m"), ALL).judge(["a"])


def test_no_signals_come_of_scores_that_are_no_numbers() -> None:
    logits = np.zeros((9, 3), dtype=np.float32)
    far = np.arange(9, dtype=np.float32)
    for values in (logits[3], far[4:5]):
        values[0] = np.nan
        with pytest.raises(InputError, match="1 of 9 validation events are no numbers"):
            signals(logits, 1.0, far)
        values[0] = 0.0


anything = st.floats(width=32)
event = st.tuples(st.lists(anything | st.floats(-9, 9, width=32), min_size=3, max_size=3), anything, st.booleans())
policies = st.builds(
    Policy,
    confidence=st.floats(0, 1) | st.just(EVERYTHING),
    margin=st.floats(0, 1),
    ood_distance=st.none() | st.floats(0, 1e30),
    overflow=st.booleans(),
    temperature=st.floats(1e-300, 1e300),
    on_full_down=st.sampled_from(["hold", "student"]),
)


@given(st.lists(event, max_size=8), policies, st.sampled_from([always("xss"), Full(CLASSES, down, "m"), None]))
def test_whatever_is_scored_nothing_is_decided_by_a_number_that_is_none(
    student: OnnxScorer, events: list[tuple[list[float], float, bool]], policy: Policy, full: Full | None
) -> None:
    n = len(events)
    logits = np.array([z for z, _, _ in events], dtype=np.float32).reshape(n, 3)
    far = np.array([distance for _, distance, _ in events], dtype=np.float32)
    over = np.array([overflow for _, _, overflow in events], dtype=bool)
    scores = Scores(logits, CLASSES, np.ones(n, np.int32), over, far)
    found = list(Cascade(student, full, policy, Bucket(Rate(share=0.5))).settle(["a"] * n, scores))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for i, verdict in enumerate(found):
        if verdict["decided_by"] == "student":
            assert np.isfinite(logits[i]).all() and np.isfinite(far[i])
            if not verdict["stood_in"]:
                assert verdict["student"]["confidence"] >= policy.confidence - 1e-6
                assert policy.ood_distance is None or far[i] <= policy.ood_distance
                assert not (over[i] and policy.overflow)
        assert (verdict["status"] == "decided") == (verdict["decided_by"] != "nobody")
        assert verdict["stood_in"] <= (verdict["decided_by"] == "student" and policy.on_full_down == "student")
