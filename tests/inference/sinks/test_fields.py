"""What the forms read out of a verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.inference.sinks import About, fields
from overproof.inference.sinks.fields import address, identity, milliseconds, shared, when

from .conftest import NOW, PLAIN, any_verdict


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-02T03:04:05.678Z", NOW),
        ("2026-01-02T04:04:05.678999+01:00", NOW),
        ("2026-01-02 03:04:05.678", NOW),
        ("1767323045.678", NOW),
        ("2026-01-02", NOW - 11_045_678),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("17", None),
        ("nan", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_times(time: str | None, expected: int | None) -> None:
    assert milliseconds(time) == expected


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.timezones()))
def test_any_time_of_datetime_is_read(time: datetime) -> None:
    try:
        expected = (time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    except OverflowError:
        return
    if expected >= 0 and time.utcoffset() is not None:
        assert milliseconds(time.isoformat()) == expected


def test_an_event_without_a_time_has_that_of_the_run(about: About) -> None:
    assert when({**PLAIN, "time": None}, about) == when({**PLAIN, "time": "noon"}, about) == NOW
    assert when(PLAIN, about) == NOW - 3_600_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("shop.example", None),
        ("010.0.0.1", None),
        ("", None),
    ],
)
def test_addresses(text: str, expected: str | None) -> None:
    assert address(text) == expected


def test_columns_of_another_type_are_kept_apart() -> None:
    event = {"src_port": "443", "dst_port": "x", "status": True, "host": 7, "user": "", "vlan": 3, "url": "/"}
    known, rest = shared({"event": event})
    assert known == {"src_port": 443, "url": "/"}
    assert rest == {"dst_port": "x", "status": True, "host": 7, "user": "", "vlan": 3}
    assert shared({}) == ({}, {})


@given(any_verdict())
def test_an_identity_depends_on_the_event_and_the_student_alone(verdict: dict[str, object]) -> None:
    assert identity(verdict) == identity({**verdict, "status": "held", "full": None, "text": "now with its text"})
    assert identity(verdict) != identity({**verdict, "origin": f"{verdict['origin']}0"})
    assert identity(verdict) != identity({**verdict, "models": {"student": "another", "full": None}})


def test_a_long_text_is_no_address_and_is_not_remembered() -> None:
    before = fields._address.cache_info().currsize
    assert fields.address("1" * 10_000) is None
    assert fields.address("fe80::1%" + "x" * 10_000) == "fe80::1"
    assert fields._address.cache_info().currsize <= before + 1
