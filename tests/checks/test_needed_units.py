"""With how many units an interval decides: found in few steps, and the same as by halving."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from overproof.checks.gate_result import MOST
from overproof.checks.interval_width import needed_units
from overproof.checks.stats import Interval, lower_bound, upper_bound


def interval_of(hits: int, units: int, asked: list[float]) -> Callable[[float], Interval]:
    """The interval of a share, of so many times as many units; keeps what it was asked."""

    def bound(times: float) -> Interval:
        asked.append(times)
        ends = (end(times * hits, times * units, 0.975) for end in (lower_bound, upper_bound))
        return Interval(hits / units, *ends)

    return bound


def halved(bound: Callable[[float], Interval], limit: float, units: int) -> int | None:
    """The least number by halving."""

    def decides(count: int) -> bool:
        figure = bound(count / units)
        return figure.high <= limit or figure.low > limit

    if decides(units) or not decides(MOST * units):
        return None
    short, enough = units, MOST * units
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if decides(middle) else (middle, enough)
    return enough


@given(st.integers(10, 3000), st.sampled_from([0.005, 0.01, 0.05]), st.floats(0, 2.5))
def test_it_is_the_least_number_and_takes_fewer_intervals(units: int, limit: float, times: float) -> None:
    hits = min(units, round(units * limit * times))
    slow: list[float] = []
    quick: list[float] = []
    expected = halved(interval_of(hits, units, slow), limit, units)
    assert needed_units(interval_of(hits, units, quick), limit, units) == expected
    if expected is not None:
        assert len(quick) <= len(slow)


def test_a_low_end_at_the_limit_does_not_decide() -> None:
    def bound(times: float) -> Interval:
        return Interval(0.1, 0.05 if times < 7 else 0.06, 0.2)

    assert needed_units(bound, 0.05, 10) == 70
