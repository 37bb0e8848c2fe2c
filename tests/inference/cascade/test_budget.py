"""The token bucket: never more than was granted, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.inference.cascade.budget import BURST_EVENTS, Bucket, Rate, parse_rate


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=40), st.floats(0, 1))
def test_at_no_point_more_than_the_share_was_granted(batches: list[tuple[int, int]], share: float) -> None:
    bucket, seen, granted = Bucket(Rate(share=share)), 0, 0
    for events, wanted in batches:
        got = bucket.grant(events, min(wanted, events))
        assert 0 <= got <= wanted
        seen, granted = seen + events, granted + got
        assert granted <= share * seen + 1e-6


def test_what_was_not_spent_is_saved_up_to_a_bound() -> None:
    bucket = Bucket(Rate(share=0.05))
    for _ in range(100):
        bucket.grant(BURST_EVENTS, 0)
    assert bucket.grant(0, 10**9) == 0.05 * BURST_EVENTS
    assert bucket.grant(0, 1) == 0


def test_a_rate_fills_with_time() -> None:
    now = [0.0]
    bucket = Bucket(Rate(per_second=10), clock=lambda: now[0])
    assert bucket.grant(1000, 1000) == 10
    assert bucket.grant(1000, 1000) == 0
    now[0] = 0.55
    assert bucket.grant(1000, 1000) == 5
    now[0] = 1e6
    assert bucket.grant(0, 1000) == 100


def test_without_a_rate_there_is_no_limit() -> None:
    assert Bucket(None).grant(1, 10**6) == 10**6


def test_a_run_is_taken_up_where_it_stood() -> None:
    first = Bucket(Rate(share=0.1))
    first.grant(1000, 30)
    second = Bucket(Rate(share=0.1), level=first.level)
    assert second.grant(0, 1000) == first.grant(0, 1000) == 70


@pytest.mark.parametrize(
    ("text", "rate"), [("5%", Rate(share=0.05)), ("0.2", Rate(share=0.2)), ("20/s", Rate(per_second=20.0))]
)
def test_rates(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "%", "120%", "-1/s", "nan", "inf%", "five", "5/m"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a share such as 5% or 0\.05, or a rate such as 20/s"):
        parse_rate(text)
