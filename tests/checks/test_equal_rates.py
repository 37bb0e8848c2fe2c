"""Two models where they flag as many benign events: exact by hand, and no winner where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from overproof.checks.equal_rates import Thresholds, difference, match
from overproof.checks.stats import Units, difference_within, tango
from overproof.report.not_measured import NotMeasured
from overproof.results.operating_points import RATES, threshold_at

SCORES = np.arange(1000) / 1000  # the student's of benign events


def flagging(count: int, first: int = 0) -> np.ndarray:
    """A rival that flags so many of the events that the student finds most suspicious, but for the first."""
    return (np.arange(1000) >= 1000 - count - first) & (np.arange(1000) < 1000 - first)


def test_the_matched_threshold_flags_as_many() -> None:
    for count in (4, 20, 300):
        found = match(SCORES, flagging(count), Units(1000))
        assert isinstance(found, Thresholds)
        assert (found.matched < SCORES).sum() == count
        assert found.strict > found.matched > found.loose


def test_the_ends_are_the_first_thresholds_that_are_shown() -> None:
    rival = flagging(20)
    found = match(SCORES, rival, Units(1000))
    assert isinstance(found, Thresholds)
    no_more = [k for k in range(21) if tango(0, 20 - k, 1000).high <= 0]
    no_fewer = [k for k in range(20, 1000) if tango(k - 20, 0, 1000).low >= 0]
    assert ((found.strict < SCORES).sum(), (found.loose < SCORES).sum()) == (max(no_more), min(no_fewer)) == (16, 24)


def test_a_tie_that_flags_too_many_at_once_is_not_taken() -> None:
    tied = np.where(np.arange(1000) >= 900, 1.0, SCORES)
    found = match(tied, flagging(20), Units(1000))
    assert isinstance(found, Thresholds)
    assert [(tied > threshold).sum() for threshold in (found.strict, found.matched, found.loose)] == [0, 0, 100]


@pytest.mark.parametrize(("count", "word"), [(0, "few"), (3, "few"), (998, "many"), (1000, "many")])
def test_a_share_that_cannot_be_bounded_on_both_sides(count: int, word: str) -> None:
    assert match(SCORES, flagging(count), Units(1000)) == NotMeasured(
        f"{count:,} of 1,000 benign events are flagged there, too {word} to compare at the same share"
    )


def test_copies_count_once() -> None:
    groups = Units.of(1000, [i // 10 for i in range(1000)])
    alone, together = (match(SCORES, flagging(200), units) for units in (Units(1000), groups))
    assert isinstance(alone, Thresholds) and isinstance(together, Thresholds)
    assert together.strict > alone.strict and together.loose < alone.loose
    assert together.matched == alone.matched


def test_the_interval_begins_at_the_loose_and_ends_at_the_strict_threshold() -> None:
    random = np.random.default_rng(0)
    student, missed = random.random(400), random.random(400) < 0.1
    at, units = Thresholds(0.2, 0.1, 0.05), Units(400)
    more, found = difference(student, missed, at, units)
    assert found.low == difference_within((student <= 0.05).astype(int) - missed, units).low
    assert found.high == difference_within((student <= 0.2).astype(int) - missed, units).high
    assert found.value == more.mean() == pytest.approx((student <= 0.1).mean() - missed.mean())


def drawn(random: np.random.Generator, n: int, shift: float, gap: float) -> list[np.ndarray]:
    """Scores of two models, half of whose variance is the event's own; the first is better by the gap."""
    event = random.normal(size=n)
    return [shift + better + (event + random.normal(size=n)) / 2**0.5 for better in (gap, 0.0)]


@pytest.mark.parametrize(("gap", "most", "least"), [(0.0, 0.05, 0.0), (0.8, 1.0, 0.9)])
def test_models_that_are_equally_good_win_seldom_and_a_better_one_often(gap: float, most: float, least: float) -> None:
    """Taking thresholds as given, one of two equal models "won" in about a third of such draws (decision 019)."""
    random, decided, draws = np.random.default_rng(3), 0, 150
    for _ in range(draws):
        (_, validation), (student, rival), attacks = (
            drawn(random, n, shift, better) for n, shift, better in ((1500, 0, 0), (3000, 0, 0), (3000, 4.5, gap))
        )
        threshold = threshold_at(validation, RATES[1])
        assert threshold is not None
        at = match(student, rival > threshold, Units(3000))
        if isinstance(at, Thresholds):
            found = difference(attacks[0], attacks[1] <= threshold, at, Units(3000))[1]
            decided += found.high < 0 or found.low > 0
    assert least <= decided / draws <= most
