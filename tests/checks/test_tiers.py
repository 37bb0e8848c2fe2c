"""What a bundle of two students trades, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from overproof.bundle.scores import Scores
from overproof.bundle.tried import Tried
from overproof.checks.base import FULL, QUANTIZED, CheckContext, ModelOutputs, TwoStudents
from overproof.checks.escalation.compute import escalation
from overproof.checks.escalation.html import section
from overproof.checks.escalation.tiers import trade
from overproof.checks.report.tiers import in_words
from overproof.inference.cascade.policy import Policy

Make = Callable[..., CheckContext]


def logits_of(attack: list[float], classes: int) -> np.ndarray:
    """Logits of a probability of the second class, the rest of it benign's."""
    found = np.full((len(attack), classes), -30, dtype=np.float32)
    p = np.array(attack)
    found[:, 1], found[:, 0] = np.log(p), np.log1p(-p)
    return found


@pytest.fixture(scope="module")
def six(make: Make) -> CheckContext:
    """Two benign events and four attacks; the last is longer than was judged."""
    context = make(counts={"benign": 2, "sqli": 4})
    n, classes = 6, context.classes
    first = [0.02, 0.60, 0.03, 0.20, 0.98, 0.99]
    second = [0.10, 0.30, 0.90, 0.10, 0.40, 0.95]
    full = [0.01, 0.01, 0.99, 0.99, 0.99, 0.99]
    ones, never = np.ones(n, np.int32), np.zeros(n, bool)
    p = np.array(first)
    tried = Tried(
        Scores(logits_of(first, len(classes)), classes, ones, never),
        np.maximum(p, 1 - p).astype(np.float32),
        p < 0.5,
        np.array([True, True, True, True, True, False]),
    )
    tiers = TwoStudents(
        tried,
        Scores(logits_of(second, len(classes)), classes, ones, np.arange(n) == 5),
        0.95,
        0.95,
        {"first": 1e-5, "second": 4e-4, "full": 1e-2},
    )
    models = {
        **context.models,
        FULL: ModelOutputs(logits_of(full, len(classes)), 1.0),
        QUANTIZED: ModelOutputs(logits_of(second, len(classes)), 1.0),
    }
    return replace(context, models=models, tiers=tiers)


def test_who_decides_what_is_missed_and_what_it_costs(six: CheckContext) -> None:
    """The first decides events 0, 2 and 4, of which 2 is an attack that it calls benign; the last is too long."""
    found = trade(six, 0.0)
    assert found is not None
    at = found.points[found.sealed]
    assert at.decided == pytest.approx({"first": 3 / 6, "second": 2 / 6, "full": 1 / 6})
    assert at.missed == {"first": 1, "second": 1, "full": 0}, "the second misses event 3"
    assert at.flagged == 0 and (at.benign, at.attack) == (0.95, 0.95)
    assert at.seconds == pytest.approx(1e-5 + 4e-4 * 3 / 6 + 1e-2 / 6)
    assert (found.events, found.attacks, found.benign) == (6, 4, 2)
    assert found.lost is not None and found.lost.value == 2 / 4


def test_a_threshold_sends_what_both_doubt_to_the_full_model(six: CheckContext) -> None:
    found = trade(six, 0.92)
    assert found is not None
    at = found.points[found.sealed]
    assert at.decided == pytest.approx({"first": 3 / 6, "second": 0.0, "full": 3 / 6})
    assert at.missed == {"first": 1, "second": 0, "full": 0}, "the full model detects event 3"


def test_the_thresholds_move_together_from_nothing_to_all(six: CheckContext) -> None:
    found = trade(six, 0.0)
    assert found is not None
    first, last = found.points[0], found.points[-1]
    assert first.decided["first"] == 0 and (first.benign, first.attack) == (None, None)
    assert last.decided["first"] == pytest.approx(5 / 6), "all that it may decide, however unsure"
    assert last.benign == pytest.approx(0.6, abs=1e-6) and last.attack == pytest.approx(0.6, abs=1e-6)
    assert last.flagged == 1, "event 1 is benign, and the first leans to an attack"
    assert sum(first.missed.values()) == 2, "the second alone misses events 3 and 4"
    costs = [point.seconds for point in found.points]
    assert costs == sorted(costs, reverse=True), "the more the first decides, the less it costs"  # type: ignore[type-var]


@pytest.mark.parametrize("side", ["benign", "attack"])
def test_a_side_that_the_first_never_decides_stays_so(six: CheckContext, side: str) -> None:
    tiers = six.tiers
    assert tiers is not None
    found = trade(replace(six, tiers=replace(tiers, **{side: None})), 0.0)
    assert found is not None
    decided = [round(6 * point.decided["first"]) for point in found.points]
    assert max(decided) == {"benign": 2, "attack": 3}[side]
    assert all(getattr(point, side) is None for point in found.points)


def test_a_first_that_decides_nothing_is_one_point_twice(six: CheckContext) -> None:
    tiers = six.tiers
    assert tiers is not None
    found = trade(replace(six, tiers=replace(tiers, benign=None, attack=None)), 0.0)
    assert found is not None and {point.decided["first"] for point in found.points} == {0.0}


def test_without_a_full_model_the_students_answers_stand(six: CheckContext) -> None:
    models = {name: outputs for name, outputs in six.models.items() if name != FULL}
    found = trade(replace(six, models=models, absent={FULL: "none"}), 0.92)
    assert found is not None
    at = found.points[found.sealed]
    assert at.missed == {"first": 1, "second": 0, "full": 1}


def test_an_unknown_cost_is_not_measured(six: CheckContext) -> None:
    tiers = six.tiers
    assert tiers is not None
    without = replace(six, tiers=replace(tiers, seconds={"first": 1e-5, "second": 4e-4}))
    found = trade(without, 0.0)
    assert found is not None and found.points[found.sealed].seconds is None
    short = replace(without, policy=Policy(overflow=False))
    found = trade(short, 0.0)
    assert found is not None and found.points[found.sealed].seconds == pytest.approx(1e-5 + 4e-4 * 3 / 6)


def test_the_check_carries_it_and_draws_it(six: CheckContext) -> None:
    data = escalation(six).data
    assert data.tiers is not None and data.tiers.points
    drawn = section(data)
    for words in ("Attacks missed by share decided", "Attacks missed by cost", "1/4", "50.00 % *", "10 µs", "10 ms"):
        assert words in drawn
    told = in_words(SimpleNamespace(checks=[escalation(six)]))  # type: ignore[arg-type]
    assert "two students: the first student decides 50.00 %" in told and "of 4 attacks 2 are missed" in told
    assert in_words(SimpleNamespace(checks=[escalation(replace(six, tiers=None))])) == ""  # type: ignore[arg-type]
    assert escalation(replace(six, tiers=None)).data.tiers is None
    assert "Attacks missed by share decided" not in section(replace(data, tiers=None))
