"""What may be said of a run: the promise, while the full model decides all that it should; then what is left of it."""

from __future__ import annotations

import pytest

from overproof.errors import InputError
from overproof.inference.cascade import Promise, PromiseStatus, Unverified

PROMISE = Promise(0.005, 0.95, "proof/check.json")


def test_it_stands_while_the_full_model_decides_all_that_it_should() -> None:
    status = PromiseStatus(PROMISE, 31_000, Unverified())
    assert status.status == "stands"
    assert status.message == (
        "stands: at most 0.5 % of the attacks that the full model detects are lost, copies counted once, with 95 % "
        "confidence, for events like those of the check (proof/check.json)"
    )


def test_what_is_withdrawn_says_what_can_still_be_said() -> None:
    status = PromiseStatus(PROMISE, 31_000, Unverified(deferred=1208, held=3))
    assert status.status == "withdrawn"
    assert status.message == (
        "withdrawn: the full model did not verify 1,211 of 31,000 events (1,208 deferred, 3 held while it was down); "
        "their labels are the student's own, and nothing is promised of them. Beside what is lost among them, at most "
        "0.5 % of the attacks that the full model detects are lost, copies counted once, with 95 % confidence, for "
        "events like those of the check (proof/check.json)"
    )


@pytest.mark.parametrize("why", ["deferred", "held", "abstained", "stood_in"])
def test_a_single_event_withdraws_it(why: str) -> None:
    status = PromiseStatus(PROMISE, 10, Unverified(**{why: 1}))
    assert status.status == "withdrawn"
    assert "did not verify 1 of 10 events (1 " in status.message
    assert status.to_json() == {
        "limit": 0.005,
        "confidence": 0.95,
        "source": "proof/check.json",
        "alone": False,
        "status": "withdrawn",
        **{name: int(name == why) for name in ("deferred", "held", "abstained", "stood_in")},
        "message": status.message,
    }


def test_that_of_a_student_alone_is_of_its_labels_those_that_nobody_decided_included() -> None:
    alone = Promise(0.05, 0.95, "check.json", alone=True)
    words = (
        "the student alone misses at most 5 % more of the attacks than the full model that it was checked against, "
        "copies counted once, with 95 % confidence, for events like those of the check (check.json)"
    )
    assert PromiseStatus(alone, 10, Unverified()).message == f"stands: {words}"
    assert PromiseStatus(alone, 10, Unverified(abstained=3)).message == (
        "withdrawn: nobody decided 3 of 10 events (3 abstained from); their labels are the student's own, and "
        f"provisional. Where these are taken for its answers, {words}"
    )
    assert PromiseStatus(alone, 10, Unverified(abstained=3)).to_json()["alone"] is True


def test_counts_add_up() -> None:
    verdicts = [{"status": status, "stood_in": False} for status in ("held", "decided", "deferred", "held")]
    found = Unverified.among([*verdicts, {"status": "decided", "stood_in": True}])
    assert found == Unverified(deferred=1, held=2, stood_in=1)
    assert found + found == Unverified(deferred=2, held=4, stood_in=2)
    assert found.total == 4


@pytest.mark.parametrize("value", [float("nan"), 1.0, -0.1, float("inf")])
def test_a_promise_is_of_numbers(value: float) -> None:
    with pytest.raises(InputError, match=rf"^c\.json: a promise's limit of {value}, expected a number from 0 up"):
        Promise(value, 0.95, "c.json")
    with pytest.raises(InputError, match=rf"^c\.json: a promise's confidence of {value}"):
        Promise(0.005, value, "c.json")
