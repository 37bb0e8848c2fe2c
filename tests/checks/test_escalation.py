"""Escalation: the guarantee by simulation, the cascade by brute force."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overproof.checks import stats
from overproof.checks.base import (
    BASELINE,
    CONTROL,
    DISTILLED,
    FULL,
    QUANTIZED,
    CheckContext,
    CheckResult,
    Gate,
    GateResult,
    ModelOutputs,
    Operation,
    Sample,
)
from overproof.checks.escalation.budgets import confidence
from overproof.checks.escalation.compute import escalation
from overproof.checks.escalation.halves import halves
from overproof.checks.escalation.threshold import Cascade, candidates, cascade_of, learned, spending, written
from overproof.checks.formatting import percent
from overproof.checks.held_out.compute import held_out
from overproof.checks.stats import Units
from overproof.inference.cascade import Policy

Make = Callable[..., CheckContext]
Check = Callable[[CheckContext], CheckResult]


def named(known: CheckResult) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in known.gates}


def plain(known: CheckResult) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(known.to_json(), allow_nan=False))["data"]
    return data


@pytest.fixture(scope="module")
def unsure(make: Make) -> CheckContext:
    """A student that misses 3 % more attacks, all of them events that it is unsure of."""
    worse = {"sqli": 0.035, "xss": 0.035, "ssti": 0.035}
    return make({DISTILLED: worse, QUANTIZED: worse}, operation=Operation(budget=0.2))


def surer(evidence: CheckContext, by: float) -> CheckContext:
    """The quantized student is that much surer of what it misses."""
    logits = evidence.models[QUANTIZED].logits.copy()
    logits[evidence.attacks & ~evidence.detected(QUANTIZED)] *= by
    return replace(evidence, models={**evidence.models, QUANTIZED: ModelOutputs(logits, temperature=1.0)})


def gated(evidence: CheckContext, **limits: float) -> CheckContext:
    changed = {f"escalation/{name}": Gate(limit) for name, limit in limits.items()}
    return replace(evidence, gates={**evidence.gates, **changed})


def test_a_healthy_student_passes(healthy: CheckContext) -> None:
    known = escalation(healthy)
    assert known.status == "passed", known.message
    assert list(named(known)) == ["guarantee", "verified", "budget", "deferred"]
    data = plain(known)
    found = data["threshold"]
    assert found["missed"]["k"] == 0 and found["limit"] == 0.005 and found["confidence"] == 0.95
    assert 0 < found["escalated"]["share"]["value"] < 0.05  # half of the budget is spent though nothing needs it
    assert found["chosen_on"] + found["verified_on"] == (healthy.attacks & healthy.detected(FULL)).sum()
    assert "not under attack" in data["warning"]
    assert plain(escalation(healthy)) == data


def test_escalation_cures_a_student_that_is_unsure_where_it_errs(unsure: CheckContext) -> None:
    unsure = gated(unsure, budget=0.2)
    assert named(held_out(unsure))["misses"].status == "failed"
    assert escalation(unsure).status == "passed", escalation(unsure).message


def test_escalation_does_not_cure_a_student_that_is_sure_of_its_errors(unsure: CheckContext) -> None:
    found = named(escalation(surer(gated(unsure, budget=0.2), 4)))
    assert found["guarantee"].status == "passed"
    assert found["budget"].status == "failed", found["budget"].message
    certain = surer(unsure, 1000)  # all misses at a confidence of 1: no threshold tells them apart
    assert confidence(certain, QUANTIZED)[cascade_of(certain).silent].min() == 1
    known = escalation(certain)
    assert named(known)["guarantee"].status == "failed"
    assert "only escalating everything" in named(known)["guarantee"].message
    assert {named(known)[key].status for key in ("verified", "budget", "deferred")} == {"unmeasured"}
    assert "unmeasured" in plain(known)["threshold"]


def said(classes: Sequence[str], shares: np.ndarray) -> str:
    """Say first whether it is an attack, then which, by hand."""
    each = dict(zip(classes, shares.tolist(), strict=True))
    benign = each.pop("benign")
    return max(each, key=each.__getitem__) if 1 - benign > 0.5 else "benign"


def test_the_cascade_by_brute_force(unsure: CheckContext) -> None:
    found = plain(escalation(unsure))["threshold"]
    threshold, side = found["value"], halves(unsure)
    probabilities = unsure.probabilities(QUANTIZED)
    missed = {True: 0, False: 0}
    detected = {True: 0, False: 0}
    sent = 0
    for row, label in enumerate(unsure.sample.labels):
        message = {m: said(unsure.classes, unsure.probabilities(m)[row]) for m in (FULL, QUANTIZED)}
        escalated = float(probabilities[row][unsure.classes.index(message[QUANTIZED])]) < threshold
        sent += escalated and not side[row]
        if label == "benign" or message[FULL] == "benign":
            continue
        detected[bool(side[row])] += 1
        final = message[FULL] if escalated else message[QUANTIZED]
        missed[bool(side[row])] += final == "benign"
    assert found["missed"]["k"] == missed[False] and found["verified_on"] == detected[False]
    assert found["chosen_on"] == detected[True]
    assert found["escalated"]["share"]["value"] == pytest.approx(sent / (~side).sum())
    result = named(escalation(unsure))["guarantee"]
    assert result.value == missed[True] / detected[True]
    assert result.high == stats.upper_bound(missed[True], detected[True])
    assert f"{percent(result.value)} ({percent(result.low)} to {percent(result.high)}, " in result.message


def test_false_positives_of_the_cascade_are_counted(make: Make) -> None:
    evidence = make({QUANTIZED: {"benign": 0.03}})
    found = plain(escalation(evidence))["threshold"]
    benign, sure = evidence.benign_events, confidence(evidence, QUANTIZED) >= found["value"]
    final = np.where(sure, evidence.detected(QUANTIZED), evidence.detected(FULL))
    assert found["flagged"]["student_only"] == (benign & final & ~evidence.detected(FULL)).sum()
    assert found["flagged"]["n"] == benign.sum()
    alone = (benign & evidence.detected(QUANTIZED) & ~evidence.detected(FULL)).sum()
    assert found["flagged"]["student_only"] < alone


def simulated(random: np.random.Generator, n: int, missed: float) -> Cascade:
    """Attacks that the full model detects; the student misses a share, as sure of it as of all else: uniformly."""
    everything = np.ones(n, dtype=bool)
    return Cascade(random.uniform(0.5, 1, n), everything, random.random(n) < missed, everything, Units(n))


def test_the_guarantee_holds_on_fresh_events() -> None:
    limit, missed, repeats = 0.02, 0.06, 200
    random = np.random.default_rng(0)
    violated = bold = 0
    fresh = simulated(random, 400_000, missed)
    for _ in range(repeats):
        cascade = simulated(random, 1500, missed)
        thresholds = candidates(cascade, limit)
        index = learned(cascade, thresholds, limit)
        assert index
        lost, of = fresh.count(thresholds[index], fresh.detected)
        violated += lost / of > limit
        bold += lost / of > limit / 3
    assert violated / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert bold / repeats > 0.9  # it is no guarantee by escalating everything


def test_candidates_go_from_safe_to_bold_and_lose_more_each() -> None:
    random = np.random.default_rng(1)
    cascade = simulated(random, 2000, 0.02)
    thresholds = candidates(cascade, 0.05)
    assert thresholds[0] == np.inf and thresholds[-1] == 0
    assert thresholds == sorted(thresholds, reverse=True)
    losses = [cascade.count(t, cascade.detected)[0] for t in thresholds]
    assert losses == sorted(losses) and losses[0] == 0 and losses[-1] == cascade.silent.sum()
    assert set(losses) == set(range(losses[-1] + 1))  # none is left out
    assert learned(cascade, thresholds, 0.05) == len(thresholds) - 1
    many = simulated(random, 20_000, 0.5)
    assert len(candidates(many, 0.1)) <= 200


def test_a_student_that_need_not_ask_spends_half_the_budget(healthy: CheckContext) -> None:
    cascade = cascade_of(healthy)
    sure = cascade.sure[cascade.choosing]
    assert (sure < spending(cascade, 0.05)).mean() == pytest.approx(0.025, abs=1 / len(sure))
    assert spending(cascade, 0) == 0
    known = escalation(replace(healthy, operation=Operation(budget=0.0)))
    assert plain(known)["threshold"]["value"] == 0
    assert plain(known)["threshold"]["escalated"]["share"] == {"value": 0, "low": 0, "high": 0}
    assert named(known)["budget"].status == "passed" and named(known)["budget"].limit == 0
    assert named(escalation(replace(healthy, operation=Operation(budget=1.0))))["budget"].limit == 0.05


def test_too_few_attacks_say_how_many_it_takes(make: Make) -> None:
    known = escalation(make(counts={"benign": 500, "sqli": 300, "xss": 100}))
    result = named(known)["guarantee"]
    assert result.status == "unmeasured" and result.needed is not None and 1000 < result.needed < 1400
    assert f"needs {result.needed:,}" in result.message
    assert plain(known)["threshold"]["unmeasured"] == result.message.removeprefix("unmeasured: ")
    assert isinstance(plain(known)["budgets"], list)


def test_limits_at_the_ends(healthy: CheckContext, unsure: CheckContext) -> None:
    assert named(escalation(gated(healthy, guarantee=0.0)))["guarantee"].status == "unmeasured"
    loose = gated(replace(surer(unsure, 1000), operation=Operation(budget=0)), guarantee=1.0)
    assert named(escalation(loose))["guarantee"].status == "passed"
    assert plain(escalation(loose))["threshold"]["value"] == 0
    assert named(escalation(loose))["verified"].status == "failed"


def test_budgets_by_brute_force_and_their_bounds(unsure: CheckContext) -> None:
    table = plain(escalation(unsure))["budgets"]
    assert [row["budget"] for row in table] == [0.01, 0.02, 0.05, 0.1, 0.2]
    sure, n = confidence(unsure, QUANTIZED).tolist(), len(unsure.sample)
    full, student, right = unsure.detected(FULL), unsure.detected(QUANTIZED), unsure.right(QUANTIZED)
    for row in table:
        gone = set(sorted(range(n), key=lambda i: sure[i])[: row["escalated"]])
        assert row["escalated"] == int(row["budget"] * n)
        missed = sum(not (full if i in gone else student)[i] for i in np.flatnonzero(unsure.attacks).tolist())
        assert row["missed"] == missed and row["attacks"] == 2500
        assert row["oracle"] <= row["missed"] < row["random"]
        wrong = np.mean([not right[i] for i in gone])
        assert row["useful"] == pytest.approx(wrong) and row["waste"] == pytest.approx(1 - wrong)


def test_random_escalation_is_what_is_expected(unsure: CheckContext) -> None:
    row = plain(escalation(unsure))["budgets"][3]
    random, attacks = np.random.default_rng(0), unsure.attacks
    full, student = unsure.detected(FULL), unsure.detected(QUANTIZED)
    missed = []
    for _ in range(300):
        final = student.copy()
        gone = random.permutation(len(final))[: row["escalated"]]
        final[gone] = full[gone]
        missed.append((attacks & ~final).sum())
    assert np.mean(missed) == pytest.approx(row["random"], abs=4 * np.std(missed) / np.sqrt(300))


def test_curves_and_areas(unsure: CheckContext) -> None:
    data = plain(escalation(unsure))
    curves, wrong = data["curves"], ~unsure.right(QUANTIZED)
    error = wrong.mean()
    for curve in curves.values():
        assert len(curve["coverage"]) == len(curve["risk"]) <= 200
        assert curve["coverage"][-1] == 1 and curve["risk"][-1] == pytest.approx(error)
    pairs = zip(curves["oracle"]["risk"], curves["quantized"]["risk"], strict=True)
    assert all(a <= b + 1e-12 for a, b in pairs)
    assert set(data["augrc"]) == {FULL, DISTILLED, QUANTIZED, CONTROL, BASELINE, "oracle", "random"}
    assert data["augrc"]["oracle"] == pytest.approx(stats.augrc((~wrong).astype(float), wrong))
    assert data["augrc"]["random"] == pytest.approx(stats.augrc(np.zeros(len(wrong)), wrong))
    assert data["augrc"]["oracle"] < data["augrc"][QUANTIZED] < data["augrc"]["random"]


def test_confidence_is_that_of_the_policy_that_is_deployed(healthy: CheckContext) -> None:
    """The temperature that is fitted here would be another one."""
    warm = replace(healthy.models[QUANTIZED], temperature=7.0)
    models = {**healthy.models, QUANTIZED: warm, FULL: replace(healthy.models[FULL], temperature=2.0)}
    evidence = replace(healthy, models=models, policy=Policy(temperature=3.0))
    for model, temperature in ((QUANTIZED, 3.0), (FULL, 2.0)):
        shares, labels = evidence.probabilities(model, temperature), evidence.labels(model)
        assert confidence(evidence, model) == pytest.approx([p[label] for p, label in zip(shares, labels, strict=True)])
    assert (cascade_of(evidence).sure == confidence(evidence, QUANTIZED)).all()


def test_thresholds_are_written_with_the_digits_they_need() -> None:
    assert [written(t) for t in (0.0, 0.5, 0.93, 0.99997, 1.0)] == ["0", "0.500", "0.930", "0.999970", "1"]


def relabelled(evidence: CheckContext, label: str | None) -> CheckContext:
    return replace(evidence, sample=replace(evidence.sample, labels=[label] * len(evidence.sample)))


def broken(evidence: CheckContext, model: str) -> CheckContext:
    logits = evidence.models[model].logits.copy()
    logits[7] = np.nan
    return replace(evidence, models={**evidence.models, model: ModelOutputs(logits)})


def only(evidence: CheckContext, *models: str) -> CheckContext:
    return replace(evidence, models={model: evidence.models[model] for model in models})


def emptied(evidence: CheckContext) -> CheckContext:
    models = {model: replace(scored, logits=scored.logits[:0]) for model, scored in evidence.models.items()}
    return replace(evidence, sample=Sample([], [], [], [], [], []), models=models)


def small(make: Make, **changed: Any) -> CheckContext:
    return make(counts={"benign": 30, "sqli": 20}, **changed)


ODD: dict[str, Callable[[Make], CheckContext]] = {
    "empty": lambda make: emptied(make(counts={"sqli": 1})),
    "one event": lambda make: make(counts={"sqli": 1}),
    "attacks alone": lambda make: make(counts={"sqli": 40}),
    "benign alone": lambda make: make(counts={"benign": 40}),
    "unlabelled": lambda make: relabelled(small(make), None),
    "mislabelled": lambda make: relabelled(small(make), "evil"),
    "no benign class": lambda make: small(make, benign=()),
    "all classes benign": lambda make: small(make, benign=("benign", "sqli", "ssti", "xss")),
    "no full model": lambda make: small(make, without=(FULL,)),
    "student alone": lambda make: only(small(make), QUANTIZED),
    "no model": lambda make: only(small(make)),
    "no student": lambda make: only(small(make), FULL),
    "NaN full": lambda make: broken(small(make), FULL),
    "NaN student": lambda make: broken(small(make), QUANTIZED),
    "NaN control": lambda make: broken(make(), CONTROL),
    "full detects nothing": lambda make: small(make, benign=("benign",), wrong={FULL: {"*": 1.0}}),
    "a wide surrogate": lambda make: replace(small(make), sample=replace(small(make).sample, texts=["\ud800"] * 50)),
}


@pytest.mark.parametrize("check", [held_out, escalation], ids=["held-out", "escalation"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_inputs_are_unmeasured_with_a_reason(make: Make, check: Check, odd: str) -> None:
    known = check(ODD[odd](make))
    data = json.loads(json.dumps(known.to_json(), allow_nan=False))["data"]
    assert known.gates and data
    if odd == "NaN control":
        assert known.status == "passed"
        return
    assert known.status == "unmeasured"
    for result in known.gates:
        assert result.status != "failed"
        if result.status == "unmeasured":
            assert len(result.message) > len("unmeasured: ")
