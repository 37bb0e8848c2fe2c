"""Joining two students: what the first may decide is chosen on validation events, and sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import overproof
from overproof.bundle.manifest import COMPARISON, FIRST, MODEL, OOD, digest, open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import UNTAUGHT, Scores
from overproof.bundle.tiers import TieredScorer
from overproof.bundle.tiers import open as open_path
from overproof.bundle.tried import Tried
from overproof.checks.stats import Units, upper_bound
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.cascade.signals import signals
from overproof.jobs.config import JoinLimits
from overproof.jobs.first_thresholds import OOD_SHARE, Judged, choose, least_sure, ood_limits
from overproof.jobs.join import join
from overproof.results import Comparison

LETTERS = np.array(list("ABCDEFGHIJ "))


def events(student: OnnxScorer, count: int = 1500) -> pa.Table:
    random = np.random.default_rng(4)
    texts = ["".join(random.choice(LETTERS, int(random.integers(6, 24)))) for _ in range(count)]
    labels = np.array(student.classes)[student.score(texts).labels]
    return event_table({"text": texts, "label": labels.tolist()})


def judged(
    *,
    confidence: list[float],
    first: str,
    second: str,
    truth: str,
    groups: list[int] | None = None,
    least: float = 0.0,
) -> Judged:
    """Events of which both students and the labels say `a` for attack or `b` for benign; `x` is not the first's."""
    n = len(confidence)
    benign = np.array([word == "b" for word in first])
    known = np.array([word != "x" for word in first])
    scores = Scores(np.zeros((n, 2), np.float32), ("b", "a"), np.ones(n, np.int32), np.zeros(n, bool))
    units = Units(n) if groups is None else Units.of(n, groups)
    return Judged(
        Tried(scores, np.array(confidence, dtype=np.float32), benign, known),
        np.array([word == "a" for word in second]),
        np.array([word == "a" for word in truth]),
        np.array([word == "b" for word in truth]),
        units,
        least,
    )


def test_the_boldest_threshold_is_taken_that_keeps_the_limit() -> None:
    """By hand: 400 attacks that the second detects; 5 % of them may be lost, so that 12 are allowed, and not 13."""
    assert upper_bound(12, 400) <= 0.05 < upper_bound(13, 400)
    confidence = [0.5 + i / 1000 for i in range(400)]
    first = "b" * 20 + "a" * 380  # the first calls twenty benign, of the confidences 0.5 to 0.519
    benign, attack = choose(
        judged(confidence=confidence, first=first, second="a" * 400, truth="a" * 400), JoinLimits(0.05, 0.05)
    )
    assert benign.threshold == pytest.approx(0.508)  # 0.508 to 0.519 are twelve
    assert (benign.events, benign.units, benign.wrong, benign.decided) == (400, 400, 12, 12)
    assert attack.threshold is None and attack.events == 0, "no benign event shows what the first may call an attack"
    assert attack.needed == 59


def test_the_limit_is_broken_in_at_most_one_of_twenty_samples() -> None:
    """Of attacks that the second detects the first calls a fifth benign, as sure as may be: at 0.75 that loses 5 %."""
    random, repeats, bolder = np.random.default_rng(0), 600, 0
    for _ in range(repeats):
        first = "".join(random.choice(["b", "a"], 400, p=[0.2, 0.8]))
        confidence = random.random(400).tolist()
        found, _ = choose(
            judged(confidence=confidence, first=first, second="a" * 400, truth="a" * 400), JoinLimits(0.05, 0.05)
        )
        bolder += found.threshold is not None and found.threshold < 0.75
    assert 0 < bolder / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


def test_copies_are_no_further_evidence() -> None:
    confidence = [0.9] * 400
    words = {"confidence": confidence, "first": "a" * 400, "second": "a" * 400, "truth": "a" * 400}
    alone, _ = choose(judged(**words), JoinLimits(0.01, 0.01))  # type: ignore[arg-type]
    hung, _ = choose(judged(**words, groups=[i // 2 for i in range(400)]), JoinLimits(0.01, 0.01))  # type: ignore[arg-type]
    assert alone.needed is None and alone.threshold is None, "enough to show it, and nothing is called benign"
    assert hung.units == 200 and hung.needed == 299


def test_what_a_policy_would_send_on_is_not_the_firsts() -> None:
    """Where the first is never wrong, it still passes on what it is as unsure of as the second is of its least sure."""
    confidence, truth = [0.5 + i / 2000 for i in range(1000)], "ab" * 500
    for least, lowest in ((0.0, (0.5, 0.5005)), (0.8, (0.8, 0.8005))):
        events = judged(confidence=confidence, first=truth, second=truth, truth=truth, least=least)
        attack, benign = (side.threshold for side in choose(events, JoinLimits(0.05, 0.05))[::-1])
        assert (attack, benign) == (pytest.approx(lowest[0], abs=0.002), pytest.approx(lowest[1], abs=0.002))
        assert min(attack or 0, benign or 0) >= least
    assert least_sure(np.linspace(1, 0, 1000, endpoint=False, dtype=np.float32)) == pytest.approx(0.051)


def test_what_the_first_may_not_decide_costs_nothing_and_gains_nothing() -> None:
    found, _ = choose(
        judged(confidence=[0.9] * 400, first="x" * 200 + "a" * 200, second="a" * 400, truth="a" * 400),
        JoinLimits(0.01, 0.01),
    )
    assert found.threshold is None and found.decided == 0


def test_an_attack_that_the_second_misses_as_well_is_no_loss() -> None:
    confidence, truth = [0.9] * 700, "a" * 700
    found, _ = choose(
        judged(confidence=confidence, first="b" * 100 + "a" * 600, second="b" * 100 + "a" * 600, truth=truth),
        JoinLimits(0.01, 0.01),
    )
    assert found.threshold == pytest.approx(0.9) and found.wrong == 0 and found.decided == 100
    assert found.events == 600


def test_flagged_benign_events_are_held_to_a_limit_of_their_own() -> None:
    confidence = [0.5 + i / 2000 for i in range(1000)]
    _, found = choose(
        judged(confidence=confidence, first="a" * 1000, second="b" * 500 + "a" * 500, truth="b" * 500 + "a" * 500),
        JoinLimits(0.01, 0.01),
    )
    assert found.events == 500 and found.threshold is not None
    assert found.threshold > 0.74, "above nearly all of the benign events, which lie below 0.75"
    assert found.wrong == sum(value >= found.threshold for value in np.float32(confidence[:500]))


def test_distances_are_scaled_to_the_same_share() -> None:
    first, second = np.arange(1000, dtype=np.float32), 3 * np.arange(1000, dtype=np.float32)
    limit, scale = ood_limits(first, second[::-1])
    assert (limit, scale) == (989.0, pytest.approx(3.0))
    assert (first > limit).mean() == OOD_SHARE
    never_taught = np.full(500, UNTAUGHT, dtype=np.float32)
    assert ood_limits(np.append(never_taught, first), np.append(never_taught, second[::-1])) == (limit, scale)
    few = "99 validation events to choose by what the first student may decide, expected at least 100"
    for far in ([first[:99], second[:99]], [np.append(never_taught, each[:99]) for each in (first, second)]):
        with pytest.raises(InputError, match=few):
            ood_limits(*far)
    with pytest.raises(InputError, match="the distances of a student are no numbers"):
        ood_limits(np.full(1000, np.nan, np.float32), second)


def test_the_bundle_says_what_the_two_say_together(tiered_bundle: Path, student: OnnxScorer) -> None:
    """Thresholds and signals of the validation events are of both, as they are deployed."""
    found = open_bundle(tiered_bundle).manifest
    assert found.first is not None and found.signals is not None
    assert student.manifest.signals is not None
    assert found.signals["confidence"] != student.manifest.signals["confidence"]
    assert found.classes == student.classes and found.calibration == student.manifest.calibration
    assert set(found.thresholds) >= {"0.01"}
    assert len(found.models) == 2 and found.models[1] == student.manifest.models[0]


def test_signals_are_measured_on_the_scores_of_both(
    first_bundle: Path, small_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    table = events(student)
    report = join(first_bundle, small_bundle, validation=table, out=tmp_path / "b", max_lost=0.02, max_flagged=0.02)
    scorer = open_path(tmp_path / "b")
    scores = scorer.score(table["text"].to_pylist())
    assert scores.tier is not None and scores.ood_distance is not None
    assert scorer.manifest.signals == signals(
        scores.logits, scorer.manifest.calibration, scores.ood_distance, scores.benign
    )
    assert report.decided == pytest.approx((scores.tier == 1).mean())
    assert report.bundle_bytes == sum(path.stat().st_size for path in (tmp_path / "b").iterdir())
    first = scorer.manifest.first
    assert first is not None and first.chosen["events"] == 1500
    assert json.loads(json.dumps(report.to_json()))["benign"] == first.chosen["benign"]
    for words in ("The first student decides", "2 % with 95% confidence", str(tmp_path / "b")):
        assert words in report.render()


def test_too_little_evidence_is_said_and_decides_nothing(
    first_bundle: Path, small_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    report = join(first_bundle, small_bundle, validation=events(student, 300), out=tmp_path / "b")
    assert report.benign.threshold is report.attack.threshold is None
    assert report.benign.needed == 598 and report.attack.needed == 2995
    assert "cannot show at most 0.5 % with 95% confidence, which needs 598 independent ones" in report.render()
    scores = open_path(tmp_path / "b").score(["A", "BC D"])
    assert scores.tier is not None and scores.tier.tolist() == [2, 2]


def test_what_was_measured_of_the_second_alone_is_not_told_of_both(
    first_bundle: Path, small_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    bundle = open_bundle(small_bundle)
    stored = {"test_rows": 1, "rows": []}
    row = {name: None for name in ("parameters", "bytes", "p50_ms", "p99_ms", "events_per_second", "metrics")}
    stored["rows"] = [{"name": name, **row, "note": ""} for name in ("full", "distilled + INT8")]
    files = {**bundle.files, COMPARISON: json.dumps(stored).encode()}
    manifest = replace(bundle.manifest, files={name: digest(content) for name, content in files.items()})
    write_bundle(tmp_path / "second", manifest, files)
    join(first_bundle, tmp_path / "second", validation=events(student, 200), out=tmp_path / "b")
    joined = open_bundle(tmp_path / "b")
    assert [row.name for row in Comparison.of(joined).rows] == ["full"]


def test_bundles_that_cannot_be_joined_are_refused(
    first_bundle: Path, small_bundle: Path, tiered_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    table, out = events(student, 200), tmp_path / "b"
    with pytest.raises(InputError, match="holds two students already, expected a bundle of one"):
        join(tiered_bundle, small_bundle, validation=table, out=out)
    with pytest.raises(InputError, match="is the same student as"):
        join(small_bundle, small_bundle, validation=table, out=out)
    with pytest.raises(InputError, match="--max-lost 0: expected a share between 0 and 1"):
        join(first_bundle, small_bundle, validation=table, out=out, max_lost=0)
    bundle = open_bundle(first_bundle)
    files = {name: content for name, content in bundle.files.items() if name != OOD}
    bare = replace(bundle.manifest, files={name: bundle.manifest.files[name] for name in files})
    write_bundle(tmp_path / "bare", bare, files)
    with pytest.raises(InputError, match=r"has no ood\.npz"):
        join(tmp_path / "bare", small_bundle, validation=table, out=out)
    write_bundle(tmp_path / "other", replace(bundle.manifest, benign=("benign", "xss")), bundle.files)
    with pytest.raises(InputError, match=r"has the classes benign, sqli, xss \(benign: benign, xss\), expected those"):
        join(tmp_path / "other", small_bundle, validation=table, out=out)
    assert not out.exists()


def test_it_is_a_public_name_and_keeps_the_first_students_files(
    first_bundle: Path, small_bundle: Path, student: OnnxScorer, tmp_path: Path
) -> None:
    overproof.join(first_bundle, small_bundle, validation=events(student, 200), out=tmp_path / "b")
    joined, first = open_bundle(tmp_path / "b"), open_bundle(first_bundle)
    assert joined.files[f"{FIRST}{MODEL}"] == first.files[MODEL]
    assert {f"{FIRST}{name}" for name in first.files} < set(joined.files)
    assert isinstance(open_path(tmp_path / "b"), TieredScorer)


def test_two_students_are_quantized_each_by_itself(tiered_bundle: Path) -> None:
    from overproof.quantization.models.bundle import load

    with pytest.raises(InputError, match="holds two students, expected one: quantize each, then"):
        load(tiered_bundle)
