"""Own data: leaks, drift and rates, against scipy, scikit-learn and cases counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import ks_2samp
from sklearn.metrics import precision_recall_fscore_support, roc_curve

from overproof.checks.base import (
    BASELINE,
    FULL,
    MODELS,
    QUANTIZED,
    CheckContext,
    CheckResult,
    Gate,
    GateResult,
    ModelOutputs,
    Operation,
    Sample,
    Training,
)
from overproof.checks.interval_width import conservative, events_for
from overproof.checks.own_data.compute import own_data
from overproof.checks.own_data.distance import distance_within, ks
from overproof.checks.own_data.field_drift import fields, table
from overproof.checks.own_data.text_features import TRAITS, traits
from overproof.checks.rates import answering
from overproof.checks.stats import Interval, clopper_pearson
from overproof.results.operating_points import threshold_at
from overproof.results.typed_json import to_json

Make = Callable[..., CheckContext]
N, BENIGN = 2000, 1000


def named(known: CheckResult) -> dict[str, GateResult]:
    return {result.key.partition("/")[2]: result for result in known.gates}


def plain(known: CheckResult) -> dict[str, Any]:
    """The data as a reader of the JSON gets it; NaN and infinity are no JSON."""
    data: dict[str, Any] = json.loads(json.dumps(known.to_json(), allow_nan=False))["data"]
    return data


def with_texts(sample: Sample, seed: int, **changed: Any) -> Sample:
    """Texts of one distribution that share no template."""
    random = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [
        f"{label or 'unknown'} {''.join(random.choice(letters, 12))} {'%' * random.integers(0, 3)}"
        for label in sample.labels
    ]
    return replace(sample, texts=texts, **changed)


def like_training(evidence: CheckContext) -> CheckContext:
    assert evidence.training
    training = Training(with_texts(evidence.training.train, 1), with_texts(evidence.training.validation, 2))
    return replace(evidence, sample=with_texts(evidence.sample, 3), training=training)


@pytest.fixture(scope="module")
def alike(make: Make) -> CheckContext:
    """Healthy events whose texts are of the training's kind."""
    return like_training(make(counts={"benign": BENIGN, "sqli": 500, "xss": 400, "ssti": 100}))


def some(evidence: CheckContext, rows: np.ndarray) -> CheckContext:
    """Those rows of an evidence."""
    sample = evidence.sample
    part = {
        name: [getattr(sample, name)[i] for i in rows]
        for name in ("texts", "origins", "labels", "families", "groups", "times")
    }
    own = {name: [column[i] for i in rows] for name, column in sample.fields.items()}
    models = {name: replace(scored, logits=scored.logits[rows]) for name, scored in evidence.models.items()}
    return replace(evidence, sample=Sample(**part, fields=own), models=models)


def test_healthy_events_pass(alike: CheckContext) -> None:
    known = own_data(alike)
    assert known.status == "passed", [(f.key, f.message) for f in known.gates]
    assert [f.key for f in known.gates] == [
        "own-data/published",
        "own-data/full-model",
        "own-data/leaked",
        "own-data/score-drift",
        "own-data/field-drift",
    ]
    data = plain(known)
    assert data["split"] == {
        "marks": N,
        "groups": None,
        "events": N,
        "of_group": 0,
        "alike": 0,
        "recurring": 0,
        "validation": N // 5,
        "validation_units": N // 5,
        "leaked": 0,
        "unseen": None,
    }
    assert data["published"] is None
    assert data["smallest_fpr"] == 1 / BENIGN
    assert data["alerts"] == {"unmeasured": "give --events-per-day and --prevalence"}
    assert plain(own_data(alike)) == data


def test_published_events_close_the_gate_unless_the_user_insists(alike: CheckContext) -> None:
    public = replace(alike, operation=Operation(published="the file is in the public CSIC 2010 set"))
    result = named(own_data(public))["published"]
    assert (result.status, result.value, result.low, result.high) == ("failed", 1, 1, 1)
    assert "CSIC 2010" in result.message and "events of your own" in result.message
    assert plain(own_data(public))["published"] == "the file is in the public CSIC 2010 set"

    known = own_data(replace(public, operation=replace(public.operation, accept_public_data=True)))
    result = named(known)["published"]
    assert (result.status, result.waived, result.closed, result.value) == ("unmeasured", True, False, None)
    assert result.message.startswith("unmeasured: nothing is known of your own events: ")
    assert "--accept-public-data" in result.message and "CSIC 2010" in result.message
    assert (known.status, known.message) == ("unmeasured", result.message)
    wide = replace(public, gates={**public.gates, "own-data/published": Gate(1.0)})
    allowed = named(own_data(wide))["published"]
    assert (allowed.status, allowed.waived) == ("unmeasured", True) and "the gate allows it" in allowed.message


def test_leaked_templates_are_counted(alike: CheckContext) -> None:
    assert alike.training
    texts = list(alike.sample.texts)
    texts[:90] = [text.upper() for text in alike.training.train.texts[:90]]  # lower case is part of a template
    texts[90:100] = alike.training.validation.texts[:10]
    result = named(own_data(replace(alike, sample=replace(alike.sample, texts=texts))))["leaked"]
    assert result.status == "failed"
    assert result.value == result.low == result.high == 100 / N
    assert "100 of 2,000 events (5.00 %)" in result.message


def grouped(sample: Sample, prefix: str, every: int = 1) -> Sample:
    ids = [f"{prefix} {i // 10}" if i % every == 0 else None for i in range(len(sample))]
    return replace(sample, groups=ids)


def test_groups_leak_and_texts_do_whatever_their_groups(alike: CheckContext) -> None:
    """Fresh identifiers hid the training events themselves: the group alone was looked at where all had one."""
    assert alike.training
    training = Training(grouped(alike.training.train, "old"), grouped(alike.training.validation, "older"))
    apart = replace(alike, sample=grouped(alike.sample, "new"), training=training)
    split = plain(own_data(apart))["split"]
    assert (split["groups"], split["of_group"], split["alike"], split["leaked"]) == (N // 10, 0, 0, 0)
    groups = ["old 3"] * 30 + ["older 7"] * 10 + list(apart.sample.groups[40:])
    known = own_data(replace(apart, sample=replace(apart.sample, groups=groups)))
    assert (plain(known)["split"]["of_group"], plain(known)["split"]["alike"]) == (40, 40)
    assert named(known)["leaked"].status == "failed"
    assert "40 of 2,000 events (2.00 %) are like training events" in named(known)["leaked"].message
    same = own_data(replace(apart, sample=replace(apart.sample, texts=list(alike.training.train.texts))))
    assert named(same)["leaked"].status == "failed" and named(same)["leaked"].value == 1


def test_score_drift_is_scipys_distance(alike: CheckContext) -> None:
    before = alike.attack_of(alike.models[QUANTIZED].validation)  # type: ignore[arg-type]
    expected = ks_2samp(before, alike.attack(QUANTIZED), method="asymp")
    known = own_data(alike)
    result, scores = named(known)["score-drift"], plain(known)["scores"]
    assert result.value == scores["distance"]["value"] == pytest.approx(expected.statistic, abs=1e-12)
    assert scores["p"] == pytest.approx(expected.pvalue)
    assert result.low is not None and result.high is not None
    assert result.low <= expected.statistic <= result.high < 0.2
    assert len(scores["edges"]) == 11
    assert sum(scores["validation"]) == pytest.approx(1) == sum(scores["events"])
    benign = alike.benign_events
    validation = np.array([label == "benign" for label in alike.training.validation.labels])  # type: ignore[union-attr]
    expected = ks_2samp(before[validation], alike.attack(QUANTIZED)[benign], method="asymp")
    assert scores["benign"] == pytest.approx(expected.statistic, abs=1e-12)


def test_other_scores_are_score_drift(alike: CheckContext) -> None:
    quantized = alike.models[QUANTIZED]
    unsure = replace(quantized, logits=quantized.logits * np.float32(0.2))
    found = named(own_data(replace(alike, models={**alike.models, QUANTIZED: unsure})))
    assert found["score-drift"].status == "failed"
    assert found["field-drift"].status == "passed"


def test_another_share_of_attacks_is_no_drift(alike: CheckContext) -> None:
    rows = np.concatenate([np.flatnonzero(alike.benign_events), np.flatnonzero(alike.attacks)[:100]])
    known = own_data(some(alike, rows))
    result, scores = named(known)["score-drift"], plain(known)["scores"]
    assert result.status != "failed" and result.value is not None and result.value < 0.15
    assert scores["benign"] < 0.15 and scores["attacks"] < 0.25
    assert "among benign alone" in result.message
    drift = plain(known)["drift"]
    assert named(known)["field-drift"].status != "failed"
    assert drift[0]["field"] == "label"
    assert drift[0]["distance"] == pytest.approx(BENIGN / (BENIGN + 100) - BENIGN / N)
    assert drift[0]["train"]["benign"] == pytest.approx(BENIGN / N)
    assert drift[0]["events"]["benign"] == pytest.approx(BENIGN / (BENIGN + 100))


def test_shifted_texts_are_field_drift(alike: CheckContext) -> None:
    texts = [f"{text} ü%20%20%2F" for text in alike.sample.texts]
    known = own_data(replace(alike, sample=replace(alike.sample, texts=texts)))
    result, drift = named(known)["field-drift"], plain(known)["drift"]
    assert result.status == "failed" and result.value == 1.0
    assert "text: " in result.message
    moved = {row["field"] for row in drift if row["p_holm"] < 1e-6}
    assert {"text: length", "text: share beyond ASCII", "text: percent signs", "text: share of digits"} <= moved
    assert not {"source", "label"} & moved
    assert [row["distance"] for row in drift] == sorted((row["distance"] for row in drift), reverse=True)


def test_numeric_and_categorical_columns(alike: CheckContext) -> None:
    assert alike.training
    random = np.random.default_rng(0)
    n = N
    mine: dict[str, list[Any]] = {
        "bytes": [*random.integers(0, 900, n - 100).tolist(), *[None] * 100],
        "method": random.choice(["GET", "POST", "PUT"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "tls": [bool(x) for x in random.integers(0, 2, n)],
        "id": list(range(n)),
        "license": ["MIT"] * n,
        "url": [f"/{i // 2}" for i in range(n)],
        "empty": [None] * n,
        "mine alone": ["a", "b"] * (n // 2),
        "ratio": [float("nan"), float("inf"), *random.normal(0, 1, n - 2).round(2).tolist()],
    }
    theirs = {name: list(column) for name, column in mine.items() if name != "mine alone"}
    theirs["bytes"] = random.integers(0, 1000, n).tolist()
    theirs["method"] = random.choice(["GET", "POST"], n, p=[0.6, 0.4]).tolist()
    evidence = replace(
        alike,
        sample=replace(alike.sample, fields=mine),
        training=replace(alike.training, train=replace(alike.training.train, fields=theirs)),
    )
    rows = {row.field: to_json(row) for row in table(fields(evidence))}
    assert set(rows) == {*(f"text: {name}" for name in TRAITS), "bytes", "method", "tls", "ratio", "label"}
    expected = ks_2samp(theirs["bytes"], mine["bytes"][:-100], method="asymp")
    assert rows["bytes"]["distance"] == pytest.approx(expected.statistic, abs=1e-12)
    assert rows["bytes"]["p"] == pytest.approx(expected.pvalue)
    assert rows["bytes"]["train"]["p50"] == np.median(theirs["bytes"])
    shares = [{x: side.count(x) / n for x in ("GET", "POST", "PUT")} for side in (theirs["method"], mine["method"])]
    assert rows["method"]["distance"] == pytest.approx(sum(abs(shares[0][x] - shares[1][x]) for x in shares[0]) / 2)
    assert (rows["method"]["train"], rows["method"]["events"]) == tuple(shares)
    assert rows["method"]["p"] < 1e-12
    assert rows["tls"]["distance"] == 0 and rows["tls"]["p"] == 1
    assert all(row["p_holm"] >= row["p"] for row in rows.values())
    plain(own_data(evidence))


def test_traits_of_texts() -> None:
    expected = {
        "length": 9,
        "share of letters": 2 / 9,
        "share of digits": 2 / 9,
        "share of spaces": 1 / 9,
        "share of punctuation": 2 / 9,
        "share beyond ASCII": 2 / 9,
        "percent signs": 1,
        "distinct characters": 8,
    }
    found = traits(["aB 11%'ü\U0001f600", "", "\ud800"])
    assert dict(zip(TRAITS, found[0].tolist(), strict=True)) == pytest.approx(expected)
    assert not found[1].any()
    assert found[2].tolist() == [1, 0, 0, 0, 0, 1, 0, 1]


def test_the_interval_of_a_distance_covers_it_and_narrows() -> None:
    random = np.random.default_rng(0)
    true = 2 * ndtr(0.25) - 1  # of two normals half a standard deviation apart
    few, many = (distance_within(random.normal(0, 1, n), random.normal(0.5, 1, n), True, None, 0) for n in (200, 5000))
    assert few.low <= true <= few.high and many.low <= true <= many.high
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_clusters_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    hosts = np.repeat(random.normal(0, 1, 100), 20)
    other = random.normal(0, 1, 2000)
    clusters: list[object] = [("host", i // 20) for i in range(2000)] + list(range(2000))
    alone, together = (distance_within(hosts, other, True, c, 0) for c in (None, clusters))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def repeated(context: CheckContext, times: int) -> CheckContext:
    """The same events, each so many times."""
    return some(context, np.repeat(np.arange(len(context.sample)), times))


def test_copies_are_no_further_evidence_of_drift(alike: CheckContext) -> None:
    few = some(alike, np.random.default_rng(0).permutation(N)[:300])
    once, often = own_data(few), own_data(repeated(few, 12))
    for key in ("score-drift", "field-drift"):
        one, many = named(once)[key], named(often)[key]
        assert (many.events, many.units, one.units) == (12 * 300, 300, 300)
        assert one.high is not None and one.low is not None and many.high is not None and many.low is not None
        assert many.high - many.low > 0.8 * (one.high - one.low)
    before, after = (plain(known) for known in (once, often))
    assert after["scores"]["distance"]["value"] == pytest.approx(before["scores"]["distance"]["value"], abs=1e-9)
    assert after["scores"]["p"] == pytest.approx(before["scores"]["p"], rel=1e-6)
    fields_of = [{row["field"]: row["p"] for row in data["drift"]} for data in (before, after)]
    assert fields_of[1] == pytest.approx(fields_of[0], rel=1e-6)


def test_a_drift_that_more_events_would_not_decide_says_what_is_too_few(alike: CheckContext) -> None:
    assert alike.training is not None
    few = slice(0, None, 6)  # of the 400 validation events
    validation = alike.training.validation
    part = {
        name: getattr(validation, name)[few] for name in ("texts", "origins", "labels", "families", "groups", "times")
    }
    models = {
        name: replace(found, validation=None if found.validation is None else found.validation[few])
        for name, found in alike.models.items()
    }
    training = replace(alike.training, validation=replace(validation, **part, fields={}))
    unsure = replace(alike, training=training, models=models, gates={**alike.gates, "own-data/score-drift": Gate(0.15)})
    found = named(own_data(unsure))["score-drift"]
    assert (found.status, found.needed) == ("unmeasured", None)
    assert "independent events that they are compared with are too few" in found.message


def intervals(value: object, place: str = "") -> dict[str, float]:
    """The width of every interval in the data, and where it stands."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    if set(value) == {"value", "low", "high"}:
        return {place: value["high"] - value["low"]}
    return {k: width for name, entry in value.items() for k, width in intervals(entry, f"{place}/{name}").items()}


def test_copies_narrow_no_interval_of_a_rate(alike: CheckContext) -> None:
    few = some(alike, np.random.default_rng(1).permutation(N)[:300])
    few = replace(few, operation=Operation(events_per_day=1e6, prevalence=0.01))
    once, often = (plain(own_data(context)) for context in (few, repeated(few, 12)))
    for part in ("classes", "families", "tpr", "alerts"):
        before, after = intervals(once[part]), intervals(often[part])
        assert before and set(before) <= set(after)
        assert all(after[place] >= 0.999 * before[place] for place in before)
    assert often["smallest_fpr"] == once["smallest_fpr"]
    assert [row["supported"] for row in often["tpr"]] == [row["supported"] for row in once["tpr"]]


@pytest.mark.parametrize("key", ["score-drift", "field-drift"])
def test_a_drift_says_the_interval_that_decides_it(alike: CheckContext, key: str) -> None:
    found = named(own_data(repeated(some(alike, np.arange(0, N, 10)), 3)))[key]
    assert found.value is not None and found.low is not None and found.high is not None
    assert f"{found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f})" in found.message
    assert (found.events, found.units) == (600, 200)


def test_class_rates_are_scikit_learns(alike: CheckContext) -> None:
    data = plain(own_data(alike))
    message = alike.labels(BASELINE)
    expected = precision_recall_fscore_support(alike.targets, message, labels=range(4))
    for i, row in enumerate(data["classes"]):
        figures = row["models"][BASELINE]
        assert row["n"] == expected[3][i]
        for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
            assert figures[name]["value"] == pytest.approx(values[i])
            assert figures[name]["low"] <= values[i] <= figures[name]["high"]
    assert set(data["classes"][0]["models"]) == set(MODELS)


def test_the_interval_of_f1_is_that_of_the_bootstrap(make: Make) -> None:
    evidence = make({QUANTIZED: {"*": 0.1}}, training=False)
    message = evidence.labels(QUANTIZED)
    random = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        rows = random.integers(0, len(message), len(message))
        cells = np.bincount(evidence.targets[rows] * 4 + message[rows], minlength=16).reshape(4, 4)
        draws.append(2 * np.diag(cells) / (cells.sum(axis=0) + cells.sum(axis=1)))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    for i, row in enumerate(plain(own_data(evidence))["classes"]):
        f1 = row["models"][QUANTIZED]["f1"]
        assert f1["low"] == pytest.approx(low[i], abs=0.2 * (high[i] - low[i]))
        assert f1["high"] == pytest.approx(high[i], abs=0.2 * (high[i] - low[i]))


def test_family_recall_counts_right_labels(make: Make) -> None:
    evidence = make({QUANTIZED: {"xss": 0.5}}, training=False)
    named = ["dom" if label == "xss" and i % 2 else None for i, label in enumerate(evidence.sample.labels)]
    evidence = replace(evidence, sample=replace(evidence.sample, families=named))
    rows = {row["name"]: row for row in plain(own_data(evidence))["families"]}
    assert list(rows) == ["benign", "sqli", "dom", "xss", "ssti"]
    dom = np.array([name == "dom" for name in named])
    assert rows["dom"]["n"] == dom.sum() == 450
    assert rows["dom"]["models"][QUANTIZED]["recall"]["value"] == evidence.right(QUANTIZED)[dom].mean()
    assert set(rows["dom"]["models"][FULL]) == {"recall"}


def test_recall_at_a_rate_is_that_of_the_roc_curve(alike: CheckContext) -> None:
    rows = plain(own_data(alike))["tpr"]
    assert [(row["fpr"], row["supported"], row["needs"]) for row in rows] == [
        (1e-2, True, 100),
        (1e-3, True, 1000),
        (1e-4, False, 10_000),
        (1e-5, False, 100_000),
    ]
    for row in rows[:2]:
        for model in MODELS:
            fpr, tpr, _ = roc_curve(alike.attacks, alike.attack(model), drop_intermediate=False)
            found = row["models"][model]
            assert found["tpr"]["value"] == pytest.approx(tpr[fpr <= row["fpr"] + 1e-12].max())
            assert (alike.attack(model)[alike.benign_events] > found["threshold"]).mean() <= row["fpr"]
    assert rows[2]["models"][FULL] == {"tpr": None, "threshold": None}


def test_thresholds_keep_their_rate_with_ties_and_odd_counts() -> None:
    assert threshold_at(np.full(1000, 0.5), 0.01) == 0.5  # nothing lies strictly above
    assert threshold_at(np.arange(99), 0.01) is None
    for n in range(100, 3000, 7):
        assert (np.arange(n) > threshold_at(np.arange(n), 0.01)).sum() == n // 100


def test_alerts_a_day(alike: CheckContext) -> None:
    evidence = replace(alike, operation=Operation(events_per_day=1e6, prevalence=0.01))
    alerts = plain(own_data(evidence))["alerts"]
    detected = evidence.detected(QUANTIZED)
    fpr = clopper_pearson(int(detected[evidence.benign_events].sum()), BENIGN)
    tpr = clopper_pearson(int(detected[evidence.attacks].sum()), N - BENIGN)
    assert alerts["false_alerts"]["high"] == pytest.approx(990_000 * fpr.high)
    assert alerts["true_alerts"]["low"] == pytest.approx(10_000 * tpr.low)
    low = 10_000 * tpr.low / (10_000 * tpr.low + 990_000 * fpr.high)
    assert alerts["precision"]["low"] == pytest.approx(low)
    assert alerts["precision"]["low"] < alerts["precision"]["value"] < alerts["precision"]["high"]
    none = replace(alike, operation=Operation(events_per_day=1e6, prevalence=0.0))
    assert plain(own_data(none))["alerts"]["true_alerts"] == {"value": 0, "low": 0, "high": 0}


def test_few_events_say_how_many_it_takes(alike: CheckContext) -> None:
    found = named(own_data(some(alike, np.arange(0, N, 70))))
    for key in ("score-drift", "field-drift"):
        assert found[key].status == "unmeasured"
        assert found[key].needed == 50
        assert "needs 50" in found[key].message
    assert found["leaked"].status == "passed"  # a count of these events, however few


def test_without_training_it_says_what_to_give(alike: CheckContext) -> None:
    models = {name: replace(scored, validation=None) for name, scored in alike.models.items()}
    known = own_data(replace(alike, training=None, models=models))
    for key in ("leaked", "score-drift", "field-drift"):
        assert named(known)[key].status == "unmeasured"
        assert "compress --evidence" in named(known)[key].message
    data = plain(known)
    assert all(list(data[part]) == ["unmeasured"] for part in ("split", "drift", "scores"))
    assert known.status == "unmeasured"


def test_odd_events(alike: CheckContext) -> None:
    def relabelled(labels: list[str | None]) -> CheckContext:
        return replace(alike, sample=replace(alike.sample, labels=labels))

    empty = own_data(some(alike, np.arange(0)))
    assert all(f.status == "unmeasured" and f.message for f in empty.gates)
    assert plain(empty)["smallest_fpr"] is None

    unlabelled = own_data(relabelled([None] * N))
    data = plain(unlabelled)
    assert data["families"] == [] and data["smallest_fpr"] is None
    assert data["classes"][0]["models"][FULL] == {"precision": None, "recall": None, "f1": None}
    assert "label" not in {row["field"] for row in data["drift"]}

    mislabelled = own_data(relabelled(["normal" if label == "benign" else "bad" for label in alike.sample.labels]))
    data = plain(mislabelled)
    assert "label" not in {row["field"] for row in data["drift"]}
    assert not any(row["supported"] for row in data["tpr"])
    assert data["families"][0]["models"][FULL] == {"recall": None}
    assert data["classes"][0]["models"][FULL]["precision"] is None

    operated = replace(alike, operation=Operation(events_per_day=10, prevalence=0.5))
    for rows, why in ((alike.benign_events, "an attack"), (alike.attacks, "benign")):
        data = plain(own_data(some(operated, np.flatnonzero(rows))))
        assert data["alerts"] == {"unmeasured": f"no event is labelled {why}"}

    no_benign = named(own_data(replace(alike, benign=())))["score-drift"]
    assert no_benign.status == "unmeasured" and "no class is benign" in no_benign.message

    one_group = own_data(replace(alike, sample=replace(alike.sample, groups=["host"] * N)))
    assert "2,000 events, 1 of them independent" in named(one_group)["score-drift"].message
    assert named(one_group)["field-drift"].status == "unmeasured"
    plain(one_group)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers(alike: CheckContext, bad: float) -> None:
    logits = alike.models[QUANTIZED].logits.copy()
    logits[7, 2] = bad
    broken = replace(alike.models[QUANTIZED], logits=logits)
    known = own_data(replace(alike, models={**alike.models, QUANTIZED: broken}))
    assert named(known)["score-drift"].status == "unmeasured"
    assert "NaN or infinity" in named(known)["score-drift"].message
    assert QUANTIZED not in plain(known)["classes"][0]["models"]
    logits[7, 2] = -np.inf  # a class that a model lacks has no probability, and that is a number
    assert QUANTIZED in answering(replace(alike, models={**alike.models, QUANTIZED: replace(broken, logits=logits)}))


def test_a_missing_model_is_missing_from_every_map(make: Make) -> None:
    data = plain(own_data(make(without=(FULL, BASELINE))))
    maps = [row["models"] for part in ("classes", "families", "tpr") for row in data[part]]
    assert all(set(m) == set(MODELS) - {FULL, BASELINE} for m in maps)


def test_conservative_intervals_and_plans() -> None:
    assert conservative(Interval(0.1, 0.12, 0.2), 0.0) == Interval(0.1, 0.0, 0.2)
    assert conservative(Interval(0.1, 0.06, 0.11)) == Interval(0.1, 0.06, 0.14)
    # half the width of 0.02 must shrink to the 0.01 that is left: four times the events
    assert events_for(Interval(0.04, 0.02, 0.06), 0.05, 1000) == pytest.approx(4000, abs=1)
    assert events_for(Interval(0.06, 0.04, 0.08), 0.05, 1000) == pytest.approx(4000, abs=1)
    assert events_for(Interval(0.04, 0.02, 0.06), 0.05, 1000, 1000) is None  # the other side alone is too small
    assert events_for(Interval(0.04, 0.02, 0.06), 0.05, 1000, 100_000) == pytest.approx(4125, abs=2)
    assert events_for(Interval(0.05, 0.02, 0.06), 0.05, 1000) is None


def test_ks_of_constant_samples() -> None:
    assert ks(np.zeros(60), np.zeros(70)) == (0, 1)
    assert ks(np.zeros(60), np.ones(70))[0] == 1


def test_scored_without_rows_is_no_error(alike: CheckContext) -> None:
    nothing = ModelOutputs(np.zeros((0, 4), dtype=np.float32), validation=np.zeros((0, 4), dtype=np.float32))
    evidence = replace(some(alike, np.arange(0)), models={QUANTIZED: nothing})
    assert all(f.status == "unmeasured" for f in own_data(evidence).gates)
