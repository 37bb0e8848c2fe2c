"""Held-out threats: pairs by hand, exact tests as in statsmodels, and families that no one was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

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
    HeldOut,
    Sample,
    Training,
)
from overproof.checks.held_out.compute import held_out
from overproof.checks.pairs import paired
from overproof.checks.stats import Units, clopper_pearson, tango, wilson

Make = Callable[..., CheckContext]


def named(known: CheckResult) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in known.gates}


def plain(known: CheckResult) -> dict[str, Any]:
    """The data as a reader of the JSON gets it; NaN and infinity are no JSON."""
    data: dict[str, Any] = json.loads(json.dumps(known.to_json(), allow_nan=False))["data"]
    return data


@pytest.fixture(scope="module")
def lossy(make: Make) -> CheckContext:
    """Distilling loses a little, quantizing more, each model a different share of each family."""
    return make(
        {
            FULL: {"benign": 0.004, "sqli": 0.01, "xss": 0.02, "ssti": 0.05},
            DISTILLED: {"benign": 0.006, "sqli": 0.02, "xss": 0.02, "ssti": 0.02},
            QUANTIZED: {"benign": 0.01, "sqli": 0.05, "xss": 0.01, "ssti": 0.4},
            CONTROL: {"*": 0.015},
        }
    )


def test_a_healthy_student_passes(healthy: CheckContext) -> None:
    known = held_out(healthy)
    found = named(known)
    assert list(found) == ["misses", "false-positives", "quantized-alone", "novel"]
    assert known.status == "passed"
    assert [result.status for result in found.values()] == ["passed"] * 3 + ["unmeasured"]
    assert "--hold-out FAMILY" in found["novel"].message
    data = plain(known)
    assert data["missed_by_student"] == [] and data["missed_by_student_total"] == 0
    assert data["held_out"] == [] and "--hold-out" in data["novel"]["unmeasured"]
    assert plain(held_out(healthy)) == data


def test_pairs_are_counted_one_by_one(lossy: CheckContext) -> None:
    data = plain(held_out(lossy))
    full, student = lossy.detected(FULL), lossy.detected(QUANTIZED)
    for name, kind, good in (("attacks", lossy.attacks, True), ("benign", lossy.benign_events, False)):
        counts = {cell: 0 for cell in ("both", "full_only", "student_only", "neither")}
        for row in np.flatnonzero(kind):
            a, b = full[row] == good, student[row] == good
            counts["both" if a and b else "full_only" if a else "student_only" if b else "neither"] += 1
        assert {cell: data[name][cell] for cell in counts} == counts
        assert data[name]["n"] == sum(counts.values()) == kind.sum()
        b, c = counts["full_only"], counts["student_only"]
        assert data[name]["loss"] == tango(b, c, int(kind.sum())).to_json()
        assert data[name]["mcnemar"] == pytest.approx(
            mcnemar([[counts["both"], b], [c, counts["neither"]]], exact=True).pvalue
        )


def test_families_as_statsmodels_tests_them(lossy: CheckContext) -> None:
    families = plain(held_out(lossy))["families"]
    assert [row["name"] for row in families] == ["sqli", "xss", "ssti"]
    assert [row["n"] for row in families] == [1500, 900, 100]
    expected = [
        mcnemar([[row["both"], row["full_only"]], [row["student_only"], row["neither"]]], exact=True).pvalue
        for row in families
    ]
    assert [row["mcnemar"] for row in families] == pytest.approx(expected)
    assert [row["holm"] for row in families] == pytest.approx(multipletests(expected, method="holm")[1])


def test_a_student_that_misses_three_percent_more_fails(make: Make) -> None:
    worse = {name: rate for name, rate in (("sqli", 0.035), ("xss", 0.035), ("ssti", 0.035))}
    found = named(held_out(make({DISTILLED: worse, QUANTIZED: worse})))
    assert found["misses"].status == "failed"
    assert found["misses"].value == pytest.approx(0.03, abs=0.01)
    assert "of 2,500 attacks the quantized student misses" in found["misses"].message
    assert found["false-positives"].status == "passed"
    assert found["quantized-alone"].status == "passed" and found["quantized-alone"].value == 0
    found = named(held_out(make({QUANTIZED: worse})))
    assert found["quantized-alone"].status == "failed"
    found = named(held_out(make({QUANTIZED: {"benign": 0.03}})))
    assert found["false-positives"].status == "failed" and found["misses"].status == "passed"


def test_few_events_prove_nothing_and_say_how_many_would(make: Make) -> None:
    found = named(held_out(make(counts={"benign": 60, "sqli": 50, "xss": 40})))
    for key in ("misses", "false-positives", "quantized-alone"):
        result = found[key]
        assert result.status == "unmeasured" and result.needed is not None
        assert f"events, needs {result.needed:,}" in result.message
    more = found["misses"].needed or 0
    assert tango(0, 0, more).high <= 0.005 < tango(0, 0, more - 1).high
    more = found["quantized-alone"].needed or 0
    assert clopper_pearson(0, more).high <= 0.005 < clopper_pearson(0, more - 1).high


def test_events_of_a_group_are_not_independent(lossy: CheckContext) -> None:
    sample, rows = lossy.sample, np.flatnonzero(lossy.attacks)
    order = np.argsort(lossy.detected(QUANTIZED)[rows] | ~lossy.detected(FULL)[rows], kind="stable")
    groups: list[str | None] = [None] * len(sample)
    for place, row in enumerate(rows[order]):
        groups[row] = f"host {place // 25}"  # what the student loses comes in whole groups
    grouped = replace(lossy, sample=replace(sample, groups=groups))
    before, after = plain(held_out(lossy))["attacks"]["loss"], plain(held_out(grouped))["attacks"]["loss"]
    assert after["value"] == before["value"]
    assert after["high"] > before["high"] and after["low"] < before["low"]
    assert plain(held_out(grouped))["attacks"]["units"] == 100
    assert plain(held_out(grouped))["benign"] == plain(held_out(lossy))["benign"]
    few = replace(lossy, sample=replace(sample, groups=[f"host {i % 4}" for i in range(len(sample))]))
    result = named(held_out(few))["misses"]
    assert result.status == "unmeasured" and "2,500 events, 4 of them independent" in result.message
    assert plain(held_out(few))["attacks"]["n"] == 2500


def part_of(sample: Sample, kept: np.ndarray) -> Sample:
    def of(values: Any) -> list[Any]:
        return [values[i] for i in np.flatnonzero(kept)]

    names = ("texts", "origins", "labels", "families", "groups", "times")
    fields = {name: of(values) for name, values in sample.fields.items()}
    return Sample(**{name: of(getattr(sample, name)) for name in names}, fields=fields)


def test_families_that_training_never_met(make: Make) -> None:
    evidence = make({QUANTIZED: {"ssti": 0.6}})
    assert evidence.training is not None
    train = evidence.training.train
    without = part_of(train, np.array(train.labels) != "ssti")
    evidence = replace(evidence, training=Training(without, evidence.training.validation))
    known = held_out(evidence)
    novel = plain(known)["novel"]
    assert novel["families"] == ["ssti"] and novel["n"] == 100
    detected = int(evidence.detected(QUANTIZED)[evidence.families == "ssti"].sum())
    assert novel["models"][QUANTIZED] == {"k": detected, "n": 100, "share": wilson(detected, 100).to_json()}
    by_full = int(evidence.detected(FULL)[evidence.families == "ssti"].sum())
    assert by_full - detected > 30 and novel["loss"]["value"] == pytest.approx((by_full - detected) / 100)
    assert named(known)["novel"].status == "failed" and "“ssti”" in named(known)["novel"].message
    assert not named(known)["novel"].required
    # a label that was trained on is not new because a family is missing
    labelled = replace(train, families=[f"kind of {label}" for label in train.labels])
    evidence = replace(evidence, training=Training(labelled, labelled))
    assert named(held_out(evidence))["novel"].status == "unmeasured"
    assert "the training events are not at hand" in named(held_out(make(training=False)))["novel"].message


def held(evidence: CheckContext, family: str, misses: int, **changed: Any) -> HeldOut:
    rows = np.flatnonzero(evidence.families == family)
    student = np.arange(len(rows)) >= misses
    everything = np.ones(len(rows), dtype=bool)
    return HeldOut(
        **{
            "family": family,
            "rows": rows,
            "detected": {FULL: everything, DISTILLED: everything, QUANTIZED: student},
            "false_positives": {FULL: (3, 2000), QUANTIZED: (9, 2000)},
            **changed,
        }
    )


def test_families_held_out_of_training(healthy: CheckContext) -> None:
    xss, ssti = held(healthy, "xss", 10), held(healthy, "ssti", 30)
    rest = held(healthy, "sqli", 0, detected={QUANTIZED: np.ones(1500, dtype=bool)}, absent={FULL: "it has seen it"})
    known = held_out(replace(healthy, held_out=(xss, ssti, rest)))
    found = named(known)
    assert "novel" not in found
    assert found["family:xss"].status == "passed" and found["family:ssti"].status == "failed"
    assert found["family:sqli"].status == "unmeasured" and found["family:sqli"].message.endswith("it has seen it")
    assert known.status == "failed"
    loss, ssti_gate = tango(30, 0, 100), found["family:ssti"]
    assert ssti_gate.high == clopper_pearson(30, 100).high and (ssti_gate.low or 0) < loss.low
    assert ssti_gate.correction == "Bonferroni for 3 families"
    assert "corrected by Bonferroni for 3 families" in ssti_gate.message
    entry = plain(known)["held_out"][1]
    assert entry["trained_without"][QUANTIZED] == {"k": 70, "n": 100, "share": wilson(70, 100).to_json()}
    detected = int(healthy.detected(BASELINE)[ssti.rows].sum())
    assert entry["trained_with"][BASELINE]["k"] == detected
    assert entry["false_positives"][QUANTIZED]["share"] == wilson(9, 2000).to_json()
    assert plain(known)["held_out"][2]["absent"] == {FULL: "it has seen it"}


def test_a_family_of_many_does_not_fail_by_chance(healthy: CheckContext) -> None:
    one = held(healthy, "ssti", 11)  # 11 of 100: by itself just above 5 %
    assert tango(11, 0, 100).low > 0.05
    assert named(held_out(replace(healthy, held_out=(one,))))["family:ssti"].status == "failed"
    many = (one, *(held(healthy, "xss", 0) for _ in range(4)))
    assert named(held_out(replace(healthy, held_out=many)))["family:ssti"].status == "unmeasured"


def test_gains_do_not_hide_what_a_family_loses(healthy: CheckContext) -> None:
    """Ten lost and ten gained of 100 are no net loss, and no passed family either."""
    student, full = np.ones(100, dtype=bool), np.ones(100, dtype=bool)
    student[:10], full[10:20] = False, False
    one = held(healthy, "ssti", 0, detected={FULL: full, QUANTIZED: student})
    result = named(held_out(replace(healthy, held_out=(one,))))["family:ssti"]
    assert result.status == "unmeasured" and result.value == 0.1


def test_copies_are_no_evidence(make: Make) -> None:
    """Twenty attacks, each sixty times: with the same group, with the same text, or with other digits and case."""
    evidence = make(counts={"benign": 2000, "sqli": 1200}, training=False)
    rows, n = np.flatnonzero(evidence.attacks), len(evidence.sample)
    names = ["".join("abcdefghij"[int(d)] for d in f"{i:02d}") for i in range(20)]
    texts, groups = list(evidence.sample.texts), [f"flow {i}" for i in range(n)]
    copied = [
        [f"sqli {names[k // 60]}" for k in range(1200)],
        [f"{'SQLI' if k % 2 else 'sqli'} {names[k // 60]} {k}" for k in range(1200)],
    ]
    for some in copied:
        for row, text in zip(rows, some, strict=True):
            texts[row] = text
        found = named(held_out(replace(evidence, sample=replace(evidence.sample, texts=texts, groups=groups))))
        assert found["misses"].status == found["quantized-alone"].status == "unmeasured"
        assert found["misses"].units == 20 and "1,200 events, 20 of them independent" in found["misses"].message
        assert found["false-positives"].status == "passed"
    groups = [f"campaign {(i - rows[0]) // 60}" if i in rows else f"flow {i}" for i in range(n)]
    found = named(held_out(replace(evidence, sample=replace(evidence.sample, groups=groups))))
    assert found["misses"].status == "unmeasured" and found["misses"].units == 20


def test_the_waterfall_adds_up(lossy: CheckContext) -> None:
    steps = plain(held_out(lossy))["cost"]
    assert [row["figure"] for row in steps] == ["accuracy", "attacks detected", "benign left alone"]
    for row in steps:
        reached = sum(row[step]["value"] for step in ("full", "distillation", "quantization"))
        assert row["quantized"]["value"] == pytest.approx(reached)
    detected = [int((lossy.detected(m) & lossy.attacks).sum()) for m in (FULL, DISTILLED, CONTROL, QUANTIZED)]
    assert steps[1]["full"]["value"] == detected[0] / 2500
    assert steps[1]["churn"]["value"] == pytest.approx((detected[2] - detected[1]) / 2500)
    assert steps[1]["quantization"]["value"] == pytest.approx((detected[3] - detected[1]) / 2500)
    assert steps[1]["quantization"]["value"] < 0
    bare = plain(held_out(replace(lossy, models={m: lossy.models[m] for m in (FULL, QUANTIZED)})))["cost"]
    assert all(row[step] is None for row in bare for step in ("distillation", "quantization", "churn"))
    assert [row["full"] for row in bare] == [row["full"] for row in steps]


def test_missed_events_are_listed_the_worst_first(lossy: CheckContext) -> None:
    data = plain(held_out(lossy))
    missed = lossy.attacks & lossy.detected(FULL) & ~lossy.detected(QUANTIZED)
    assert data["missed_by_student_total"] == missed.sum() > 50
    assert len(data["missed_by_student"]) == 50
    gaps = [event["attack"][FULL] - event["attack"][QUANTIZED] for event in data["missed_by_student"]]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] == pytest.approx((lossy.attack(FULL) - lossy.attack(QUANTIZED))[missed].max(), abs=1e-6)
    alone = missed & lossy.detected(DISTILLED)
    assert data["missed_by_quantized_alone_total"] == alone.sum() < missed.sum()
    for event in data["missed_by_quantized_alone"]:
        assert event["verdicts"][QUANTIZED] == "benign" != event["verdicts"][FULL]


def test_a_gate_of_nothing_is_never_shown(healthy: CheckContext) -> None:
    gates = {key: Gate(0.0) for key in healthy.gates}
    found = named(held_out(replace(healthy, gates=gates)))
    assert {result.status for result in found.values()} == {"unmeasured"}


def test_pairs_without_groups_are_tangos() -> None:
    random = np.random.default_rng(0)
    full, student = random.random(300) < 0.9, random.random(300) < 0.8
    b, c = int((full & ~student).sum()), int((student & ~full).sum())
    assert paired(full, student).loss == tango(b, c, 300)
    assert paired(full, student, Units.of(300, [None] * 300)).loss == tango(b, c, 300)
    two = paired(full, student, Units.of(300, [str(i // 2) for i in range(300)]))
    assert (two.n, two.units.count) == (300, 150)
