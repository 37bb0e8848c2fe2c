"""The token buckets: never more than was granted, and to each kind of reason what is its own, whatever comes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.inference.cascade.budget import (
    BURST_EVENTS,
    POOL,
    RESERVE_EVENTS,
    RESERVED,
    Bucket,
    Kind,
    Rate,
    parse_rate,
)

demands = st.fixed_dictionaries({kind: st.integers(0, 3000) for kind in RESERVED})
mixes = st.lists(st.tuples(st.integers(0, 3000), demands), max_size=40)


def test_the_reserves_are_the_whole_budget() -> None:
    assert sum(RESERVED.values()) == pytest.approx(1.0)


@given(mixes, st.floats(0, 0.999))
def test_at_no_point_more_than_the_share_is_granted_in_all(
    batches: list[tuple[int, Mapping[Kind, int]]], share: float
) -> None:
    bucket, seen, granted = Bucket(Rate(share=share)), 0, 0
    for events, wanted in batches:
        got = bucket.grant(events, wanted)
        assert all(0 <= got[kind] <= wanted[kind] for kind in wanted)
        seen, granted = seen + events, granted + sum(got.values())
        assert granted <= share * seen + 1e-6


@given(mixes, st.floats(0, 50))
def test_at_no_point_more_than_the_rate_is_granted_in_all(
    batches: list[tuple[int, Mapping[Kind, int]]], rate: float
) -> None:
    now = [0.0]
    bucket, granted = Bucket(Rate(per_second=rate), clock=lambda: now[0]), 0
    for milliseconds, wanted in batches:
        now[0] += milliseconds / 1000
        granted += sum(bucket.grant(1, wanted).values())
        assert granted <= rate * (now[0] + 1) + 1e-6


@given(
    st.sampled_from(sorted(RESERVED)),
    st.floats(0.0001, 0.999),
    st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 1), demands), max_size=40),
)
def test_no_kind_takes_what_is_reserved_for_another(
    kind: Kind, share: float, batches: list[tuple[int, float, Mapping[Kind, int]]]
) -> None:
    """Whatever the others want, a kind whose demand fits a token bucket of its reserve alone is served in full."""
    bucket, envelope = Bucket(Rate(share=share)), 0.0
    room = max(1.0, share * RESERVED[kind] * RESERVE_EVENTS)
    for events, part, others in batches:
        envelope += share * RESERVED[kind] * events
        wanted = int(part * max(0.0, envelope - 1e-6))
        assert bucket.grant(events, {**others, kind: wanted})[kind] == wanted
        envelope = min(envelope - wanted, room)


@given(mixes, st.floats(0, 0.999))
def test_what_others_leave_is_there_for_any_kind(batches: list[tuple[int, Mapping[Kind, int]]], share: float) -> None:
    """One kind alone gets all that the budget has, but for what the other two may save up."""
    bucket, seen, granted = Bucket(Rate(share=share)), 0, 0
    for events, _ in batches:
        seen += events
        granted += bucket.grant(events, {"other": 10**9})["other"]
    saved = sum(max(1.0, share * RESERVED[kind] * RESERVE_EVENTS) for kind in ("doubt", "ood"))
    assert granted >= share * seen - saved - 1.0 - 1e-6


def test_what_all_share_goes_to_doubt_first_then_to_what_is_out_of_distribution() -> None:
    level = {POOL: 10.0}
    assert Bucket(Rate(share=0.05), level=level).grant(0, {"other": 9, "ood": 4, "doubt": 7}) == {
        "doubt": 7,
        "ood": 3,
        "other": 0,
    }


def test_what_was_not_spent_is_saved_up_to_a_bound() -> None:
    assert RESERVE_EVENTS == 2000
    bucket = Bucket(Rate(share=0.05))
    for _ in range(100):
        bucket.grant(BURST_EVENTS, {})
    assert bucket.grant(0, dict.fromkeys(RESERVED, 10**9)) == {
        "doubt": 0.05 * BURST_EVENTS + 60,
        "ood": 20,
        "other": 20,
    }
    assert bucket.grant(0, dict.fromkeys(RESERVED, 1)) == dict.fromkeys(RESERVED, 0)


def test_a_rate_fills_with_time() -> None:
    now = [0.0]
    bucket = Bucket(Rate(per_second=10), clock=lambda: now[0])
    flood: Mapping[Kind, int] = dict.fromkeys(RESERVED, 1000)
    assert bucket.grant(1000, flood) == {"doubt": 6, "ood": 2, "other": 2}
    assert sum(bucket.grant(1000, flood).values()) == 0
    now[0] = 0.55
    assert bucket.grant(1000, flood) == {"doubt": 3, "ood": 1, "other": 1}
    now[0] = 1e6
    assert sum(bucket.grant(0, flood).values()) == 100


@pytest.mark.parametrize("rate", [None, Rate(share=1.0)])
def test_without_a_rate_and_at_all_of_the_events_there_is_no_limit(rate: Rate | None) -> None:
    assert Bucket(rate).grant(1, {"ood": 10**6}) == {"ood": 10**6}


def test_a_run_is_taken_up_where_it_stood() -> None:
    first = Bucket(Rate(share=0.1))
    first.grant(1000, {"doubt": 30, "ood": 30})
    second = Bucket(Rate(share=0.1), level=first.level)
    assert second.level == first.level
    flood: Mapping[Kind, int] = dict.fromkeys(RESERVED, 1000)
    assert second.grant(0, flood) == first.grant(0, flood) == {"doubt": 30, "ood": 0, "other": 20}


def test_no_tokens_are_granted_where_there_are_none() -> None:
    assert Bucket(Rate(share=0.0), level={POOL: 10.0}).grant(5000, {"doubt": 3}) == {"doubt": 0}


@pytest.mark.parametrize(
    ("text", "rate"), [("5%", Rate(share=0.05)), ("0.2", Rate(share=0.2)), ("20/s", Rate(per_second=20.0))]
)
def test_rates(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "%", "120%", "-1/s", "nan", "inf%", "five", "5/m", "inf/s", "nan/s", "1e999/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a share such as 5% or 0\.05, or a rate such as 20/s"):
        parse_rate(text)


@pytest.mark.parametrize("rate", [{}, {"share": float("nan")}, {"share": 1.1}, {"per_second": float("inf")}])
def test_rates_that_are_none(rate: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected a share from 0 to 1, or so many a second"):
        Rate(**rate)
