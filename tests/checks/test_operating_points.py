"""What models miss at the same false-positive rate: against scikit-learn, the paired statistics, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve as reference

from overproof.bundle.scores import softmax
from overproof.checks.base import BASELINE, FULL, QUANTIZED, CheckContext
from overproof.checks.equal_rates import match
from overproof.checks.operating_points import (
    OTHER_TEACHER,
    AttackScores,
    JudgedEvents,
    Truth,
    attack_scores,
    curves_of,
    events_of,
    operating_points,
    operating_points_of,
    scores_of,
)
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN, NO_TRAINING
from overproof.checks.stats import Units, difference_within, share_within
from overproof.report.not_measured import NotMeasured
from overproof.results.metrics import Share
from overproof.results.operating_points import Difference, OperatingPoint, attack_probability, threshold_at

Make = Callable[..., CheckContext]


def events(attacks: np.ndarray, units: Units | None = None) -> JudgedEvents:
    families = np.where(attacks, np.where(np.arange(len(attacks)) % 3, "xss", "sqli"), "benign").astype(object)
    return JudgedEvents(attacks, ~attacks, families, units or Units(len(attacks)))


@pytest.mark.parametrize("steps", [20, 300, None])
def test_behind_a_threshold_of_the_test_events_it_is_a_point_of_scikit_learns_curve(steps: int | None) -> None:
    """With the same benign events for validation and test what is missed is the best that the rate allows."""
    random = np.random.default_rng(1)
    attacks = random.random(9000) < 0.3
    score = random.beta(1 + 3 * attacks, 4 - 2 * attacks)
    score = score if steps is None else np.round(score * steps) / steps
    found = operating_points({QUANTIZED: AttackScores(score[~attacks], score)}, events(attacks))
    flagged, detected, _ = reference(attacks, score, drop_intermediate=False)
    for at in found.at:
        point = at.models[QUANTIZED]
        assert isinstance(point, OperatingPoint)
        best = detected[flagged <= at.rate + 1e-12].max()
        assert point.missed.value == pytest.approx(1 - best, abs=1e-12)
        assert point.flagged.value == pytest.approx(flagged[detected == best].min(), abs=1e-12)
        assert at.against == {}
        assert sum(share.k for share in point.families.values()) == point.missed.n - point.missed.k


def test_intervals_are_those_of_the_statistics_in_units() -> None:
    random = np.random.default_rng(2)
    attacks = np.arange(6000) < 2000
    scores = {
        name: AttackScores(random.beta(1, 9, 3000), np.clip(random.beta(1 + skill * attacks, 9 - 5 * attacks), 0, 1))
        for name, skill in ((QUANTIZED, 6), (BASELINE, 4), (FULL, 9))
    }
    groups = [f"group {i // 4}" for i in range(6000)]
    student = scores[QUANTIZED].test
    for units in (Units(6000), Units.of(6000, groups)):
        at = operating_points(scores, events(attacks, units)).at[1]
        above = {name: found.test > threshold_at(found.benign_validation, at.rate) for name, found in scores.items()}
        point, own, others = at.models[QUANTIZED], units.take(attacks), units.take(~attacks)
        missed, flagged = (
            share_within(~above[QUANTIZED][attacks], own),
            share_within(above[QUANTIZED][~attacks], others),
        )
        assert (point.missed.low, point.missed.high, point.missed.units) == (missed.low, missed.high, own.count)
        assert (point.flagged.low, point.flagged.high) == (flagged.low, flagged.high)
        for rival in (BASELINE, FULL):
            found, alone = at.against[rival], above[rival]
            matched = match(student[~attacks], alone[~attacks], others)
            more = {t: (student[attacks] <= t).astype(int) - ~alone[attacks] for t in vars(matched).values()}
            assert found.missed.low == difference_within(more[matched.loose], own).low
            assert found.missed.high == difference_within(more[matched.strict], own).high
            assert found.missed.value == more[matched.matched].mean()
            assert (found.flagged.k, found.student_flagged.k) == (alone[~attacks].sum(), alone[~attacks].sum())
            families = found.families.values()
            assert sum(part.n * part.value for part in families) == pytest.approx(found.missed.n * found.missed.value)


def test_too_few_benign_validation_events_are_unmeasured() -> None:
    attacks = np.arange(600) < 300
    score = np.concatenate([np.linspace(0.2, 1, 300), np.linspace(0, 0.5, 300)])
    found = operating_points(
        {name: AttackScores(np.arange(250) / 999, score) for name in (QUANTIZED, BASELINE)}, events(attacks)
    )
    reason = NotMeasured("250 benign validation events, needs 1,000")
    assert found.at[0].models == {QUANTIZED: reason, BASELINE: reason}
    assert found.at[0].against == {BASELINE: reason}
    assert [type(at.against[BASELINE]) for at in found.at[1:]] == [Difference, Difference]


def test_events_of_one_kind() -> None:
    score = np.linspace(0, 1, 500)
    scores = {name: AttackScores(score, score) for name in (QUANTIZED, FULL)}
    harmless = operating_points(scores, events(np.zeros(500, dtype=bool))).at[2]
    assert harmless.models[QUANTIZED].missed == NotMeasured(NO_ATTACKS)
    assert (harmless.models[QUANTIZED].flagged.k, harmless.models[QUANTIZED].families) == (5, {})
    assert harmless.against[FULL] == NotMeasured(NO_ATTACKS)
    hostile = operating_points(scores, events(np.ones(500, dtype=bool))).at[2]
    assert hostile.models[QUANTIZED].flagged == NotMeasured(NO_BENIGN)
    assert hostile.against[FULL] == NotMeasured(NO_BENIGN)
    assert hostile.models[QUANTIZED].missed.k == 495


def test_scores_are_not_rounded_where_the_threshold_lies() -> None:
    """One minus a float32 probability has steps of 6e-8; a sure model's threshold may lie between two of them."""
    logits = np.stack([np.zeros(50), -np.linspace(17, 20, 50)], axis=1).astype(np.float32)
    exact = attack_probability(logits, np.array([True, False]))
    assert len(np.unique(exact)) == 50 and (np.diff(exact) < 0).all()
    assert len(np.unique(1 - softmax(logits)[:, 0])) < 10
    assert np.allclose(exact, softmax(logits)[:, 1])


def test_classes_of_one_kind_and_scores_that_are_no_numbers() -> None:
    logits, validation = np.zeros((3, 2), dtype=np.float32), np.ones(3, dtype=bool)
    for benign, word in (([True, True], "every"), ([False, False], "no")):
        found = attack_scores(FULL, logits, logits, Truth(np.array(benign), validation))
        assert found == NotMeasured(f"{word} class is benign, so no verdict tells attacks from others")
    truth = Truth(np.array([True, False]), validation)
    bad = logits.copy()
    bad[1, 0] = np.nan
    for pair in ((bad, logits), (logits, bad)):
        assert attack_scores(FULL, *pair, truth) == NotMeasured("the scores of the full model hold NaN or infinity")
    assert isinstance(
        attack_scores(FULL, logits, bad, Truth(truth.classes, np.array([True, False, True]))), AttackScores
    )


def test_a_check_compares_its_four_models(make: Make) -> None:
    context = make(
        {QUANTIZED: {"*": 0.01}, BASELINE: {"*": 0.05, "ssti": 0.5}}, counts={"benign": 6000, "sqli": 2000, "ssti": 90}
    )
    at = operating_points_of(context).at[1]
    assert list(at.models) == [FULL, "distilled", QUANTIZED, BASELINE]
    assert at.models[BASELINE].families["ssti"].n == 90
    assert isinstance(at.models[QUANTIZED].families["sqli"], Share)
    assert at.against[BASELINE].missed.high < 0 < at.against[FULL].missed.value


def test_a_check_without_what_it_takes(make: Make) -> None:
    bare = operating_points_of(make(training=False, counts={"benign": 300, "sqli": 100}))
    assert {point for at in bare.at for point in at.models.values()} == {NotMeasured(NO_TRAINING)}
    without = make(without=(BASELINE,), counts={"benign": 1500, "sqli": 300})
    assert operating_points_of(without).at[2].models[BASELINE] == NotMeasured(f"no {BASELINE} was given")
    other = scores_of(replace(without, same_teacher=False))
    assert other[FULL] == NotMeasured(OTHER_TEACHER) and isinstance(other[QUANTIZED], AttackScores)


def test_unlabelled_events_count_nowhere(make: Make) -> None:
    context = make(counts={"benign": 1500, "sqli": 300})
    labels = [None if i % 2 else label for i, label in enumerate(context.sample.labels)]
    half = replace(context, sample=replace(context.sample, labels=labels))
    found = operating_points_of(half).at[2].models[QUANTIZED]
    assert (found.missed.n, found.flagged.n) == (150, 750)
    curve = curves_of(half)[QUANTIZED]
    assert (curve.attacks, curve.benign) == (150, 750)
    assert events_of(half).by_family.keys() == {"sqli"}


def test_curves_pass_through_the_operating_points(make: Make) -> None:
    context = make({BASELINE: {"*": 0.05}}, counts={"benign": 2500, "sqli": 900})
    curves = curves_of(context)
    assert list(curves) == [FULL, QUANTIZED, BASELINE]
    for at in operating_points_of(context).at:
        for name, curve in curves.items():
            point = at.models[name]
            if isinstance(point, OperatingPoint):
                pairs, k = list(zip(curve.flagged, curve.missed, strict=True)), point.flagged.k
                assert max(m for f, m in pairs if f > k) <= point.missed.k <= min(m for f, m in pairs if f < k)
    assert curves_of(make(counts={"benign": 50})) == {}
