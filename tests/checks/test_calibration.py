"""Calibration: errors that are known by construction, and thresholds that drift."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_curve

from overproof.checks import stats
from overproof.checks.base import (
    BASELINE,
    CONTROL,
    DISTILLED,
    FULL,
    MODELS,
    QUANTIZED,
    CheckContext,
    CheckResult,
    Gate,
    GateResult,
    ModelOutputs,
    Sample,
)
from overproof.checks.calibration.compute import _Gaps, calibration
from overproof.checks.gates import gates_with

Make = Callable[..., CheckContext]
OTHERS = (DISTILLED, CONTROL, BASELINE)


def named(known: CheckResult) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in known.gates}


def plain(known: CheckResult) -> dict[str, Any]:
    """The data as a reader of the JSON gets it; NaN and infinity are no JSON."""
    data: dict[str, Any] = json.loads(json.dumps(known.to_json(), allow_nan=False))["data"]
    return data


@pytest.fixture(scope="module")
def two(make: Make) -> CheckContext:
    """Healthy scores of the two models that the gates are about."""
    return make(without=OTHERS, training=False)


def with_model(evidence: CheckContext, name: str, **changed: Any) -> CheckContext:
    return replace(evidence, models={**evidence.models, name: replace(evidence.models[name], **changed)})


def calibrated(n: int, seed: int = 0, quantized: float = 1.0, full: float = 1.0) -> CheckContext:
    """Two classes whose labels are drawn from the probabilities; the models multiply the true logits."""
    random = np.random.default_rng(seed)
    z = random.normal(0, 2, n).astype(np.float32)
    attack = random.random(n) < 1 / (1 + np.exp(-z))
    logits = np.stack([np.zeros_like(z), z], axis=1)
    nothing: list[str | None] = [None] * n
    return CheckContext(
        sample=Sample(
            texts=["".join("abcdefghij"[int(d)] for d in str(i)) for i in range(n)],  # digits would be no difference
            origins=["x"] * n,
            labels=["attack" if a else "benign" for a in attack],
            families=nothing,
            groups=nothing,
            times=nothing,
        ),
        classes=("benign", "attack"),
        benign=("benign",),
        models={
            FULL: ModelOutputs(np.float32(full) * logits, temperature=1.0),
            QUANTIZED: ModelOutputs(np.float32(quantized) * logits, temperature=1.0),
        },
        gates=gates_with(0.005),
        margin=0.005,
    )


def test_healthy_scores_pass(healthy: CheckContext) -> None:
    known = calibration(healthy)
    assert known.status == "passed", [(f.key, f.message) for f in known.gates]
    assert [f.key for f in known.gates] == [
        "calibration/error",
        "calibration/against-full",
        "calibration/threshold-drift",
    ]
    data = plain(known)
    assert set(data["models"]) == set(MODELS)
    assert plain(calibration(healthy)) == data


def test_figures_are_those_of_scikit_learn_and_of_the_statistics() -> None:
    evidence = with_model(calibrated(3000, quantized=1.7), QUANTIZED, temperature=1.4)
    found = plain(calibration(evidence))["models"][QUANTIZED]
    assert found["temperature"] == 1.4
    for part, temperature in (("before", 1.0), ("after", 1.4)):
        p = evidence.probabilities(QUANTIZED, temperature).astype(np.float64)
        sure, right = p.max(axis=1), evidence.right(QUANTIZED)
        assert found[part]["nll"] == pytest.approx(log_loss(evidence.targets, p[:, 1]), rel=1e-5)
        assert found[part]["brier"] == pytest.approx(2 * brier_score_loss(evidence.targets, p[:, 1]), rel=1e-5)
        assert found[part]["ece_width"]["value"] == pytest.approx(stats.ece(sure, right))
        assert found[part]["ece_mass"] == pytest.approx(stats.ece(sure, right, scheme="mass"))
        assert found[part]["ece_class"] == pytest.approx(stats.classwise_ece(p, evidence.targets))
    bins = found["reliability"]
    assert sum(b["count"] for b in bins) == 3000
    assert bins[0] == {"low": 0, "high": 1 / 15, "count": 0, "confidence": None, "accuracy": None}
    weighed = sum(b["count"] * abs(b["accuracy"] - b["confidence"]) for b in bins if b["count"]) / 3000
    assert weighed == pytest.approx(found["after"]["ece_width"]["value"])


def test_the_quick_ece_is_the_slow_one() -> None:
    random = np.random.default_rng(0)
    sure = np.concatenate([np.linspace(0, 1, 16), random.random(500)])  # with all edges
    right = random.random(516) < 0.6
    assert _Gaps(sure, right).ece(np.arange(516)) == pytest.approx(stats.ece(sure, right))
    rows = random.integers(0, 516, 516)
    assert _Gaps(sure, right).ece(rows) == pytest.approx(stats.ece(sure[rows], right[rows]))


def test_an_overconfident_student_fails_and_its_temperature_mends_it() -> None:
    evidence = calibrated(4000, quantized=5.0)
    found = named(calibration(evidence))
    assert found["error"].status == found["against-full"].status == "failed"
    assert found["error"].value is not None and found["error"].value > 0.1
    assert "ECE" in found["error"].message and "temperature of 1" in found["error"].message
    mended = named(calibration(with_model(evidence, QUANTIZED, temperature=5.0)))
    assert mended["error"].status == mended["against-full"].status == "passed"
    bare = with_model(evidence, QUANTIZED, temperature=None)
    data = plain(calibration(bare))["models"][QUANTIZED]
    assert data["after"] is None and data["temperature"] is None
    assert "no temperature was fitted" in named(calibration(bare))["error"].message
    assert "no temperature was fitted for: distilled + INT8" in named(calibration(bare))["against-full"].message


def test_chance_alone_does_not_fail_a_calibrated_student() -> None:
    for n in (200, 1000):
        for seed in range(5):
            found = named(calibration(calibrated(n, seed)))
            assert found["error"].status != "failed"
            assert found["against-full"].value == 0
    assert named(calibration(calibrated(200, 0)))["error"].status == "unmeasured"


def test_an_open_question_says_how_many_events_it_takes() -> None:
    result = named(calibration(calibrated(400)))["error"]
    assert result.status == "unmeasured"
    assert result.needed is not None and 400 < result.needed < 10_000
    assert f"needs {result.needed:,}" in result.message
    assert named(calibration(calibrated(8000)))["error"].status == "passed"


def test_the_difference_is_paired(two: CheckContext) -> None:
    """Both models' errors are the same events: the difference varies far less than either."""
    known = named(calibration(two))
    error, difference = known["error"], known["against-full"]
    assert error.low is not None and error.high is not None and difference.low is not None
    assert difference.high is not None
    assert difference.high - difference.low < 0.5 * (error.high - error.low)


def test_groups_are_drawn_whole() -> None:
    """Every event ten times, under one group: no more is known than from each once."""
    once = calibrated(500)
    sample = once.sample
    many = replace(
        once,
        sample=replace(
            sample,
            **{name: [x for x in getattr(sample, name) for _ in range(10)] for name in ("texts", "origins", "labels")},
            **{name: [None] * 5000 for name in ("families", "times")},
            groups=[str(i) for i in range(500) for _ in range(10)],
        ),
        models={name: replace(m, logits=np.repeat(m.logits, 10, axis=0)) for name, m in once.models.items()},
    )
    other = [f"{text} {'abcdefghij'[i % 10]}" for i, text in enumerate(many.sample.texts)]
    copies = replace(many, sample=replace(many.sample, groups=[None] * 5000))
    single = replace(copies, sample=replace(copies.sample, texts=other))
    a, b, c, d = (plain(calibration(e))["models"][FULL]["before"]["ece_width"] for e in (once, many, single, copies))
    assert a["value"] == pytest.approx(b["value"]) == pytest.approx(c["value"])
    assert b["high"] - b["low"] == pytest.approx(a["high"] - a["low"], rel=0.25)
    assert c["high"] - c["low"] < 0.6 * (a["high"] - a["low"])
    assert d == b, "copies of a text hang together, with a group or without"


def test_threshold_drift_against_the_roc_curve(two: CheckContext) -> None:
    rows = plain(calibration(two))["threshold_drift"]
    assert [row["fpr"] for row in rows] == [1e-2, 1e-3]  # 2,000 benign events show no 1e-4
    full, student, benign, attacks = two.attack(FULL), two.attack(QUANTIZED), two.benign_events, two.attacks
    for row in rows:
        fpr, tpr, _ = roc_curve(attacks, full, drop_intermediate=False)
        assert row["fpr_full"]["value"] == pytest.approx(fpr[fpr <= row["fpr"] + 1e-12].max())
        assert row["tpr_full"]["value"] == pytest.approx(tpr[fpr <= row["fpr"] + 1e-12].max())
        above = student > row["full_threshold"]
        k = int(above[benign].sum())
        assert row["fpr_swapped"] == stats.clopper_pearson(k, 2000).to_json()
        assert row["tpr_swapped"]["value"] == above[attacks].mean()
        assert (student[benign] > row["own_threshold"]).sum() <= row["fpr"] * 2000


def test_a_threshold_that_drifts_is_caught(two: CheckContext) -> None:
    """A shift of the attack logits keeps the order, but not the threshold."""
    logits = two.models[QUANTIZED].logits.copy()
    logits[:, 1:] += 4
    result = named(calibration(with_model(two, QUANTIZED, logits=logits)))["threshold-drift"]
    assert result.status == "failed"
    full, benign = two.attack(FULL), two.benign_events
    threshold = np.sort(full[benign])[2000 - 1 - 20]
    shifted = two.attack_of(logits)
    b = int((benign & (shifted > threshold) & (full <= threshold)).sum())
    c = int((benign & (shifted <= threshold) & (full > threshold)).sum())
    assert (result.value, result.low) == (stats.tango(b, c, 2000).value, stats.tango(b, c, 2000).low)
    assert f"flags {b:,} of 2,000 benign events that the full model does not" in result.message
    assert f"leaves alone {c:,} that it flags" in result.message
    logits[:, 1:] -= 8  # the other way: false positives are lost, and so are attacks
    known = calibration(with_model(two, QUANTIZED, logits=logits))
    assert named(known)["threshold-drift"].status == "passed"
    assert plain(known)["threshold_drift"][0]["tpr_swapped"]["value"] < 0.95


def test_a_threshold_question_that_stays_open(make: Make) -> None:
    evidence = make(counts={"benign": 150, "sqli": 100}, without=OTHERS)
    result = named(calibration(evidence))["threshold-drift"]
    assert result.status == "unmeasured"
    assert result.needed is not None and result.needed > 150
    assert f"150 events, needs {result.needed:,}" in result.message
    few = named(calibration(make(counts={"benign": 99, "sqli": 200}, without=OTHERS)))["threshold-drift"]
    assert (few.status, few.needed) == ("unmeasured", 100)
    assert "needs 100" in few.message


def test_without_the_full_model(make: Make) -> None:
    known = calibration(make(without=(FULL, CONTROL, BASELINE)))
    found, data = named(known), plain(known)
    assert found["error"].status == "passed"
    for key in ("against-full", "threshold-drift"):
        assert found[key].status == "unmeasured"
        assert f"no {FULL} was given" in found[key].message
    assert FULL not in data["models"] and DISTILLED in data["models"]
    assert list(data["threshold_drift"]) == ["unmeasured"]
    assert known.status == "unmeasured"


def odd(make: Make) -> dict[str, tuple[CheckContext, str]]:
    healthy = make(without=OTHERS, training=False)
    n = len(healthy.sample)

    def labelled(labels: list[str | None]) -> CheckContext:
        return replace(healthy, sample=replace(healthy.sample, labels=labels))

    nothing = Sample((), (), (), (), (), ())
    models = {name: replace(m, logits=m.logits[:0]) for name, m in healthy.models.items()}
    broken = healthy.models[QUANTIZED].logits.copy()
    broken[3] = np.nan
    return {
        "empty": (replace(healthy, sample=nothing, models=models), "no event has a label"),
        "unlabelled": (labelled([None] * n), "no event has a label"),
        "mislabelled": (labelled(["sql injection"] * n), "“sql injection” is none of benign, sqli, ssti, xss"),
        "one class": (labelled(["xss"] * n), "every event is “xss”"),
        "few": (make(counts={"benign": 50, "sqli": 40}, without=OTHERS), "90 labelled events, needs 200"),
        "one group": (replace(healthy, sample=replace(healthy.sample, groups=["a"] * n)), "1 of them independent"),
        "NaN": (with_model(healthy, QUANTIZED, logits=broken), "NaN or infinity"),
    }


@pytest.mark.parametrize("which", ["empty", "unlabelled", "mislabelled", "one class", "few", "one group", "NaN"])
def test_odd_events_are_unmeasured_with_the_reason(make: Make, which: str) -> None:
    evidence, why = odd(make)[which]
    known = calibration(evidence)
    plain(known)
    for key in ("error", "against-full"):
        assert named(known)[key].status == "unmeasured"
        assert why in named(known)[key].message
        assert named(known)[key].value is None
    assert named(known)["threshold-drift"].status == "unmeasured"


def test_benign_events_alone_have_no_recall(make: Make) -> None:
    known = calibration(make(counts={"benign": 2000}, without=OTHERS))
    row = plain(known)["threshold_drift"][0]
    assert row["tpr_full"] is row["tpr_swapped"] is None
    assert named(known)["error"].status == "unmeasured"
    assert named(known)["threshold-drift"].status == "passed"


def test_a_class_that_a_model_lacks_has_minus_infinity(two: CheckContext) -> None:
    logits = two.models[FULL].logits.copy()
    logits[:, 2] = -np.inf
    plain(calibration(with_model(two, FULL, logits=logits)))


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_gates_at_the_ends(two: CheckContext, limit: float) -> None:
    gates = {key: Gate(limit) for key in two.gates}
    known = calibration(replace(two, gates=gates))
    assert all(f.limit == limit for f in known.gates)
    if limit:
        assert known.status == "passed"
