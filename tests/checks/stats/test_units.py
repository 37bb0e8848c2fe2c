"""Bounds of events that hang together: copies are no evidence, and single events give the ordinary bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.checks.stats import Units, clopper_pearson, difference_within, share_within, tango
from overproof.checks.stats.proportions import upper_bound
from overproof.checks.stats.units import mean_bound
from overproof.checks.units import mark, units_of


@given(st.integers(1, 300), st.data())
def test_single_events_give_the_ordinary_bounds(n: int, data: st.DataObject) -> None:
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    lost = np.repeat([1, -1, 0], [b, c, n - b - c])
    for units in (Units(n), Units.of(n, range(n), [None] * n)):
        assert share_within(lost > 0, units) == clopper_pearson(b, n)
        assert difference_within(lost, units) == tango(b, c, n)
        assert share_within(lost > 0, units, 0.9).high == upper_bound(b, n)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(2, 60))
def test_copies_add_nothing(lost: list[bool], times: int) -> None:
    once = share_within(np.array(lost), Units(len(lost)))
    copies = Units.of(len(lost) * times, [i for i in range(len(lost)) for _ in range(times)])
    many = share_within(np.repeat(lost, times), copies)
    assert (many.low, many.high) == pytest.approx((once.low, once.high), abs=1e-12)
    assert copies.count == len(lost)


def test_a_large_lost_unit_cannot_hide_behind_small_ones() -> None:
    hit = np.arange(5500) < 500
    assert share_within(hit, Units.of(5500, np.where(hit, -1, np.arange(5500)).tolist())).high > 0.09


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_unit_that_is_partly_lost_counts_as_that_part(whole: int, halves: int) -> None:
    """Between the bounds of all halves as none and as whole."""
    n = whole + halves + 30
    hit = np.concatenate([np.ones(2 * whole), np.tile([1, 0], halves), np.zeros(60)]).astype(bool)
    units = Units.of(2 * n, [i // 2 for i in range(2 * n)])
    assert upper_bound(whole, n, 0.975) < share_within(hit, units).high
    assert upper_bound(whole + halves, n, 0.975) > share_within(hit, units, 0.9).high


@pytest.mark.parametrize("k", [0, 1, 7, 150, 299, 300])
def test_the_bound_of_a_mean_is_the_exact_one_for_zeros_and_ones(k: int) -> None:
    values = np.repeat([1.0, 0.0], [k, 300 - k])
    exact = upper_bound(k, 300, 0.975)
    assert exact - 1e-12 <= mean_bound(values, 0.975, least=0.0) <= exact + 0.004 * min(1, 20 * exact)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rates", [(0.02, 0.0), (0.1, 0.02), (0.5, 0.3), (0.9, 0.1)])
def test_it_covers_the_mean_of_parts(part: float, rates: tuple[float, float]) -> None:
    """By simulation of units that are lost not at all, in part or wholly."""
    random, n, missed = np.random.default_rng(3), 60, 0
    some, whole = rates
    mean = some * (1 - whole) * part + whole
    for _ in range(400):
        values = np.where(random.random(n) < whole, 1.0, np.where(random.random(n) < some, part, 0.0))
        missed += mean_bound(values, 0.95, least=0.0) < mean
    assert missed <= 32  # 5 % of 400 are 20, and 32 are more than 1 % of the time


def test_parts_that_vary_little_cost_little() -> None:
    """Edits of an event hang together, but those that flip by chance hardly do."""
    random, events = np.random.default_rng(1), np.repeat(np.arange(200), 6).tolist()
    lost = random.choice([1, -1, 0], 1200, p=[0.09, 0.09, 0.82])
    plain, units = difference_within(lost, Units(1200)), difference_within(lost, Units.of(1200, events))
    assert plain.high < units.high < 1.6 * plain.high


def test_events_of_one_group_or_of_one_mark_hang_together() -> None:
    units = units_of(["a", "b", "A", "c1", "c2", "d"], ["g", "g", "h", None, None, None])
    assert [way.tolist() for way in units.ways] == [[0, 0, 1, 2, 3, 4], [0, 1, 0, 2, 2, 3]]
    assert units.count == 4
    assert units.joined().tolist() == [0, 0, 0, 1, 1, 2]
    assert units.take(np.array([False, True, False, True, False, False])).count == 2
    assert len(units_of(["a", "b"], [None, None]).ways) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /a?id=12", "get /A?id=98"),
        ("GET /a?session=deadbeef99aa1234", "GET /a?session=0123456789abcdef"),
        ("id 550e8400-e29b-41d4-a716-446655440000 x", "id 123e4567-e89b-12d3-a456-426614174000 x"),
        ("a  b\tc", "a b c "),
        ("id=7", "id=1234"),
        ("flow orig=10.0.0.1 bytes=2^10", "flow orig=10.0.0.9 bytes=2^10"),
    ],
)
def test_near_duplicates_share_a_mark(one: str, other: str) -> None:
    assert mark(one) == mark(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("flow orig_bytes=2^9 dur=2^3s", "flow orig_bytes=2^12 dur=2^3s"),
        ("select a", "select b"),
        ("feedback", "defacedd"),
        ("3^4 2^5", "3^4 2^6"),
    ],
)
def test_different_events_do_not(one: str, other: str) -> None:
    assert mark(one) != mark(other)
