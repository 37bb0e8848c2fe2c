"""The replay of the deployed cascade: equal to triage event by event, its budget and all reasons counted."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Floats, softmax
from overproof.checks.base import FULL, QUANTIZED, CheckContext, Gate, GateResult, Operation
from overproof.checks.escalation.compute import escalation
from overproof.checks.escalation.halves import halves
from overproof.checks.escalation.replay import BATCH, in_order, replay
from overproof.checks.escalation.result import EscalationThreshold, LostAttacks
from overproof.checks.escalation.threshold import cascade_of, scores_of
from overproof.checks.formatting import percent
from overproof.checks.stats import share_within
from overproof.events.sources import read_events
from overproof.inference.cascade import Bucket, Cascade, Full, Policy, Rate
from overproof.inference.cascade.policy import deferrals

from .test_halves import reordered

Make = Callable[..., CheckContext]
NOVEL = Policy(ood_distance=10.0, never_alone=("ssti",), margin=0.02, temperature=1.3)


def gates(evidence: CheckContext) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in escalation(evidence).gates}


def threshold_of(evidence: CheckContext) -> EscalationThreshold:
    found = escalation(evidence).data.threshold
    assert isinstance(found, EscalationThreshold)
    return found


def with_signals(evidence: CheckContext, far: np.ndarray, overflow: np.ndarray | None = None) -> CheckContext:
    """Events of which some are far from all training events, and some longer than was judged."""
    distance = np.where(far, 20.0, 5.0).astype(np.float32)
    outputs = replace(evidence.models[QUANTIZED], ood_distance=distance, overflow=overflow)
    return replace(evidence, models={**evidence.models, QUANTIZED: outputs})


@pytest.fixture(scope="module")
def mixed(make: Make) -> CheckContext:
    """Every reason that a policy knows, a student that misses what the full model detects, and a small budget."""
    worse = {"sqli": 0.03, "xss": 0.03}
    evidence = make({QUANTIZED: worse}, counts={"benign": 4000, "sqli": 3500, "xss": 2500, "ssti": 40})
    random = np.random.default_rng(3)
    n = len(evidence.sample)
    evidence = with_signals(evidence, random.random(n) < 0.02, random.random(n) < 0.01)
    logits = evidence.models[QUANTIZED].logits.copy()
    logits[::997, 2] = -np.inf  # never a class; but scores that are not all numbers are not trusted
    outputs = replace(evidence.models[QUANTIZED], logits=logits)
    models = {**evidence.models, QUANTIZED: outputs}
    return replace(evidence, models=models, policy=NOVEL, operation=Operation(budget=0.04))


def triage(evidence: CheckContext, threshold: float, order: Sequence[int]) -> list[dict[str, Any]]:
    """Judge the events with the deployed cascade itself, in batches as files are read."""
    scores = scores_of(evidence)
    answers = softmax(evidence.models[FULL].logits)
    student = SimpleNamespace(
        classes=evidence.classes,
        score=lambda texts: scores.take([int(text) for text in texts]),
        manifest=SimpleNamespace(benign=evidence.benign, classes=evidence.classes, models=("0" * 64,)),
    )

    def ask(texts: Sequence[str]) -> Floats:
        return answers[[int(text) for text in texts]]

    cascade = Cascade(
        student,  # type: ignore[arg-type]
        Full(evidence.classes, ask, "full"),
        replace(evidence.policy, confidence=threshold),
        Bucket(Rate(share=evidence.operation.budget)),
    )
    return [
        verdict
        for start in range(0, len(order), 2048)
        for verdict in cascade.judge([str(i) for i in order[start : start + 2048]])
    ]


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.97, 1.0])
def test_it_is_what_triage_does_event_by_event(mixed: CheckContext, threshold: float) -> None:
    rows = ~halves(mixed)
    order, _ = in_order(mixed, np.flatnonzero(rows))
    found = replay(mixed, threshold, rows)
    for row, verdict in zip(order.tolist(), triage(mixed, threshold, order.tolist()), strict=True):
        assert (verdict["decided_by"] == "full") == found.escalated[row]
        assert (verdict["status"] == "deferred") == found.deferred[row]
        attack = mixed.attacks[row] and mixed.detected(FULL)[row]
        assert (attack and verdict["label"] == "benign") == found.lost[row]
    counts = found.counts
    assert sum(counts.escalated.values()) == found.escalated.sum()
    assert sum(counts.deferred.values()) == found.deferred.sum()
    assert counts.lost == found.lost.sum() and counts.lost_deferred == (found.lost & found.deferred).sum()
    assert counts.events == rows.sum() and counts.benign == (mixed.benign_events & rows).sum()
    final = np.where(found.escalated, mixed.detected(FULL), mixed.detected(QUANTIZED))
    assert counts.flagged == (mixed.benign_events & rows & final).sum()
    if threshold == 0.97:
        assert all(counts.escalated.values()) and counts.deferred["doubt"] and counts.lost_deferred


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.97, 1.0])
def test_what_is_sent_on_is_what_the_policy_defers(mixed: CheckContext, threshold: float) -> None:
    expected = deferrals(scores_of(mixed), replace(mixed.policy, confidence=threshold))
    cascade = cascade_of(mixed)
    assert set(np.flatnonzero(cascade.sent(threshold)).tolist()) == set(expected.rows)
    lost = cascade.detected & ~mixed.detected(QUANTIZED) & ~cascade.sent(threshold)
    assert (cascade.lost(threshold) == lost).all()


def test_a_batch_is_what_files_are_read_in() -> None:
    assert inspect.signature(read_events).parameters["batch_rows"].default == BATCH


def test_the_order_of_a_file_changes_nothing(mixed: CheckContext) -> None:
    """Signals are the same everywhere, so that they need no reordering."""
    calm = with_signals(replace(mixed, policy=Policy()), np.zeros(len(mixed.sample), dtype=bool))
    order = np.random.default_rng(0).permutation(len(calm.sample))
    before = threshold_of(calm)
    after = threshold_of(reordered(calm, order))
    assert after == before
    assert before.replay is not None and before.replay.order == "at random"


def timed(evidence: CheckContext, times: Sequence[str | None]) -> CheckContext:
    return replace(evidence, sample=replace(evidence.sample, times=times))


def test_events_go_by_their_times_where_all_have_one(healthy: CheckContext) -> None:
    n = len(healthy.sample)
    seconds = np.random.default_rng(0).permutation(n)
    rows = np.arange(n)
    iso = [f"2026-01-{1 + s // 1440:02d}T{s // 60 % 24:02d}:{s % 60:02d}:00Z" for s in seconds.tolist()]
    for times in (iso, [str(1.7e9 + s) for s in seconds.tolist()]):
        order, how = in_order(timed(healthy, times), rows)
        assert how == "by time" and (order == np.argsort(seconds)).all()
    for odd in (None, "yesterday", "nan", "2026-01-01T00:00:00"):
        order, how = in_order(timed(healthy, [*iso[:-1], odd]), rows)
        assert how == "at random" and sorted(order.tolist()) == rows.tolist()
        assert (order != rows).mean() > 0.9
    assert in_order(healthy, rows[:0])[1] == "at random"


def test_a_burst_exceeds_a_budget_that_is_kept_on_average(make: Make) -> None:
    """Doubtful attacks all come first: in a random order nothing is deferred."""
    worse = {"sqli": 0.04}
    evidence = make({QUANTIZED: worse}, counts={"benign": 8000, "sqli": 4000})
    evidence = replace(evidence, gates={**evidence.gates, "escalation/guarantee": Gate(0.01)})
    order = [f"{1.7e9 + (i if label == 'sqli' else 1e5 + i)}" for i, label in enumerate(evidence.sample.labels)]
    burst = timed(evidence, order)
    steady, crowded = threshold_of(evidence).replay, threshold_of(burst).replay
    assert steady is not None and crowded is not None
    assert sum(crowded.deferred.values()) > 20 > sum(steady.deferred.values())
    assert gates(burst)["deferred"].value == sum(crowded.deferred.values()) / crowded.events


def test_a_flood_of_foreign_texts_is_counted(make: Make) -> None:
    """One event of ten is out of distribution: the budget gate saw nothing of that."""
    evidence = make({QUANTIZED: {"sqli": 0.03}}, counts={"benign": 5000, "sqli": 5000})
    far = np.random.default_rng(5).random(10_000) < 0.1
    flooded = with_signals(replace(evidence, policy=Policy(ood_distance=10.0)), far)
    found = gates(flooded)
    assert found["guarantee"].status == "passed"
    assert found["budget"].status == "failed" and (found["budget"].low or 0) > 0.09
    assert found["deferred"].status == "failed"
    counts = threshold_of(flooded).replay
    assert counts is not None and counts.escalated["ood"] and counts.deferred["ood"] > 100
    assert 10 * counts.deferred["doubt"] < counts.escalated["doubt"]  # what is doubtful keeps its own
    assert {gates(evidence)[name].status for name in ("budget", "deferred")} == {"passed"}


def test_what_the_policy_sends_on_for_any_reason_is_not_lost(make: Make) -> None:
    """A student that is sure of its misses, all of them out of distribution."""
    evidence = make({QUANTIZED: {"sqli": 0.02}}, counts={"benign": 5000, "sqli": 5000})
    silent = evidence.attacks & ~evidence.detected(QUANTIZED)
    logits = evidence.models[QUANTIZED].logits.copy()
    logits[silent] *= 1000
    sure = replace(evidence, models={**evidence.models, QUANTIZED: replace(evidence.models[QUANTIZED], logits=logits)})
    assert gates(sure)["guarantee"].status == "failed"
    far = with_signals(replace(sure, policy=Policy(ood_distance=10.0)), silent)
    assert gates(far)["guarantee"].status == "passed" and gates(far)["guarantee"].value == 0


def test_deferred_attacks_count_as_lost(make: Make) -> None:
    worse = {"sqli": 0.07}
    evidence = make({QUANTIZED: worse}, counts={"benign": 2000, "sqli": 4000})
    limits = {"escalation/guarantee": Gate(0.02), "escalation/budget": Gate(0.5)}
    tight = replace(evidence, gates={**evidence.gates, **limits}, operation=Operation(budget=0.01))
    found, named = threshold_of(tight), gates(tight)
    assert found.replay is not None and found.replay.lost_deferred > 50
    assert found.missed.k < 30 < found.replay.lost
    assert named["verified"].status == "failed" and named["verified"].value == found.replay.lost / found.replay.attacks
    assert f"{found.replay.lost_deferred:,} of them over the budget" in named["verified"].message


def test_signals_that_are_not_known_are_no_proof(healthy: CheckContext) -> None:
    blind = replace(healthy, policy=Policy(ood_distance=10.0))
    assert {result.status for result in gates(blind).values()} == {"unmeasured"}
    assert "how far these events lie" in gates(blind)["budget"].message


def weighed(evidence: CheckContext, prevalence: float) -> CheckContext:
    return replace(evidence, operation=Operation(prevalence=prevalence, budget=evidence.operation.budget))


def test_the_share_sent_on_is_that_of_the_field(make: Make) -> None:
    """Attacks are sent on far more often than benign events, and the sample holds far more of them than the field."""
    evidence = make({QUANTIZED: {"sqli": 0.03}}, counts={"benign": 5000, "sqli": 5000})
    logits = evidence.models[QUANTIZED].logits.copy()
    logits[evidence.benign_events] *= 8
    evidence = replace(
        evidence, models={**evidence.models, QUANTIZED: replace(evidence.models[QUANTIZED], logits=logits)}
    )
    sample, field = threshold_of(evidence), threshold_of(weighed(evidence, 0.001))
    assert sample.value == field.value and sample.escalated and field.escalated
    assert not sample.escalated.weighted and sample.escalated.prevalence == pytest.approx(0.5, abs=0.01)
    assert "50.0 % of them attacks" in gates(evidence)["budget"].message
    rows, sent = ~halves(evidence), cascade_of(evidence).sent(sample.value)
    assert sample.escalated.share == share_within(sent[rows], evidence.units.take(rows))
    masks = (rows & evidence.attacks, rows & evidence.benign_events)
    parts = [share_within(sent[mask], evidence.units.take(mask), 0.975) for mask in masks]
    share = field.escalated.share
    for end in ("value", "low", "high"):
        a, b = (getattr(part, end) for part in parts)
        assert getattr(share, end) == pytest.approx(0.001 * a + 0.999 * b)
    assert field.escalated.prevalence == 0.001 and field.escalated.weighted
    assert share.high < sample.escalated.share.low
    gate = gates(weighed(evidence, 0.001))["budget"]
    assert (gate.value, gate.low, gate.high) == (share.value, share.low, share.high)
    assert gate.correction == "Bonferroni, attacks and benign events"
    assert "where 0.10 % of the events are attacks" in gate.message and percent(share.high) in gate.message


def test_a_prevalence_needs_events_of_either_kind(make: Make) -> None:
    attacks = make(counts={"sqli": 3000})
    assert "no benign event is left" in gates(weighed(attacks, 0.01))["budget"].message
    assert gates(weighed(attacks, 0.01))["budget"].status == "unmeasured"
    alone = gates(weighed(attacks, 1.0))["budget"]
    assert alone.status == "passed" and not alone.correction


@pytest.mark.parametrize("value", [float("nan"), -1.0, 1.5, float("inf")])
@pytest.mark.parametrize("name", ["value", "limit", "confidence"])
def test_a_threshold_is_a_number_from_0_to_1(name: str, value: float) -> None:
    entries: dict[str, Any] = {"value": 0.9, "limit": 0.005, "confidence": 0.95, name: value}
    missed = LostAttacks(0, 0, None)
    rest: dict[str, Any] = {"escalated": None, "flagged": None, "replay": None, "missed": missed, "policy": ""}
    counts = dict.fromkeys(("chosen_on", "chosen_units", "verified_on", "verified_units"), 0)
    with pytest.raises(ValueError, match=f"{name} .*: expected a number from 0 to 1"):
        EscalationThreshold(**entries, **rest, **counts)


def test_reasons_are_counted_by_kind(mixed: CheckContext) -> None:
    found = threshold_of(replace(mixed, operation=Operation(budget=1.0)))
    assert found.replay is not None and not any(found.replay.deferred.values())
    order, _ = in_order(mixed, np.flatnonzero(~halves(mixed)))
    expected = deferrals(scores_of(mixed).take(order), replace(mixed.policy, confidence=found.value))
    assert found.replay.escalated == Counter(expected.kinds.values())
    for words in ("closer than 0.02", "farther than 10", "longer than was judged", "never decided alone: ssti"):
        assert words in found.policy
