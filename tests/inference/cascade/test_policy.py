"""Whom the policy trusts: a pure function of each event's own scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from overproof.bundle.scores import UNTAUGHT, Scores
from overproof.errors import InputError
from overproof.inference.cascade.policy import EVERYTHING, Policy, below, deferrals, out_of_distribution

CLASSES = ("benign", "sqli", "xss")


def scores(
    logits: list[list[float]], overflow: list[bool] | None = None, ood_distance: list[float] | None = None
) -> Scores:
    n = len(logits)
    over = np.array(overflow if overflow is not None else [False] * n, dtype=bool)
    far = None if ood_distance is None else np.array(ood_distance, dtype=np.float32)
    return Scores(np.array(logits, dtype=np.float32).reshape(n, 3), CLASSES, np.ones(n, dtype=np.int32), over, far)


def test_an_open_policy_defers_nothing() -> None:
    found = deferrals(scores([[9, 0, 0], [0, 1, 0]]), Policy())
    assert (found.rows, found.reasons) == ([], {})


def test_confidence_is_the_calibrated_probability_of_the_best_label() -> None:
    logits = [[2.0, 0.0, 0.0], [6.0, 0.0, 0.0]]
    found = deferrals(scores(logits), Policy(confidence=0.9, temperature=2.0))
    expected = softmax(np.array(logits) / 2.0, axis=1).max(axis=1)
    np.testing.assert_allclose(found.confidence, expected, rtol=1e-6)
    assert found.rows == [0]
    assert found.reasons[0] == "confidence 0.58 < 0.900"


def test_margin_is_the_distance_of_the_two_best() -> None:
    found = deferrals(scores([[3.0, 2.9, -9.0], [3.0, -9.0, -9.0]]), Policy(margin=0.5))
    assert found.rows == [0]
    assert found.reasons[0].startswith("margin 0.05 < 0.5")


def test_an_event_out_of_distribution_is_deferred_however_sure_the_student_is() -> None:
    found = deferrals(scores([[90.0, 0, 0], [9.0, 0, 0]], ood_distance=[31.5, 30.0]), Policy(ood_distance=30.0))
    assert found.rows == [0]
    assert found.confidence[0] == 1.0
    assert found.reasons[0] == "out of distribution: distance 31.50 > 30.000"


def test_without_a_detector_no_event_is_out_of_distribution() -> None:
    assert deferrals(scores([[9.0, 0, 0]]), Policy(ood_distance=30.0)).rows == []
    assert deferrals(scores([[9.0, 0, 0]], ood_distance=[99.0]), Policy()).rows == []


def test_labels_that_are_never_decided_alone() -> None:
    found = deferrals(scores([[0, 0, 99], [0, 99, 0]]), Policy(never_alone=("xss",)))
    assert found.reasons == {0: "xss is never decided alone"}


def test_the_gravest_reason_stands_and_the_least_sure_of_a_kind_goes_first() -> None:
    policy = Policy(confidence=0.99, never_alone=("xss",))
    found = deferrals(scores([[1, 0, 0], [0.5, 0, 0], [0, 0, 1], [9, 0, 0]], [False, False, False, True]), policy)
    assert found.rows == [1, 0, 2, 3]
    assert found.kinds == {0: "doubt", 1: "doubt", 2: "other", 3: "other"}
    assert found.reasons[2] == "xss is never decided alone"
    assert found.reasons[3] == "longer than was judged"


def test_overflow_can_be_accepted() -> None:
    assert deferrals(scores([[9, 0, 0]], [True]), Policy(overflow=False)).rows == []


row = st.lists(st.floats(-40, 40, width=32), min_size=3, max_size=3)


@given(st.lists(row, max_size=12), st.randoms(use_true_random=False))
def test_an_event_is_deferred_alike_in_any_company(logits: list[list[float]], random: object) -> None:
    policy = Policy(confidence=0.8, margin=0.3, ood_distance=2.0)
    far = [abs(z[0]) for z in logits]
    together = deferrals(scores(logits, ood_distance=far), policy)
    alone = {i: deferrals(scores([z], ood_distance=[far[i]]), policy).reasons.get(0) for i, z in enumerate(logits)}
    assert together.reasons == {i: why for i, why in alone.items() if why is not None}
    assert sorted(together.rows) == sorted(together.reasons)


@pytest.mark.parametrize(
    ("value", "limit", "said"), [(0.5, 0.9, "0.50 < 0.900"), (0.93399, 0.934, "0.93399 < 0.93400")]
)
def test_a_value_is_told_from_its_limit(value: float, limit: float, said: str) -> None:
    assert below(value, limit) == said


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize(
    "policy", [Policy(), Policy(confidence=0.4, margin=0.1, ood_distance=30.0), Policy(overflow=False)], ids=str
)
def test_scores_that_are_no_numbers_are_doubtful_whatever_the_thresholds(bad: float, policy: Policy) -> None:
    logits = [[9.0, 0, 0], [9.0, bad, 0], [9.0, 0, 0]]
    for found in (deferrals(scores(logits), policy), deferrals(scores(logits, [False] * 3, [1.0, 99.0, bad]), policy)):
        assert found.reasons[1] == "the student's scores are no numbers"
        assert found.kinds[1] == "doubt"
        assert found.rows[0] == 1  # nothing is less sure
        assert 0 not in found.reasons
    assert found.reasons[2] == "the student's scores are no numbers"


@pytest.mark.parametrize("policy", [Policy(), Policy(ood_distance=30.0), Policy(ood_distance=0.0)], ids=str)
def test_a_kind_of_record_that_was_never_taught_is_out_of_distribution_whatever_the_threshold(policy: Policy) -> None:
    far = scores([[90.0, 0, 0], [90.0, 0, 0]], ood_distance=[0.0, float(UNTAUGHT)])
    assert out_of_distribution(far, policy).tolist() == [False, True]
    found = deferrals(far, policy)
    assert (found.rows, found.kinds) == ([1], {1: "ood"})
    assert found.reasons[1] == "out of distribution: a kind of record that training had none of"
    assert found.confidence[1] == 1.0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("confidence", [NAN, -1.0, 1.001, -INF]),
        ("margin", [NAN, -0.1, 2.0, INF]),
        ("ood_distance", [NAN, -1.0, INF]),
        ("temperature", [NAN, 0.0, -1.0, INF]),
    ],
)
def test_a_threshold_that_is_no_number_or_out_of_range_is_refused(name: str, values: list[float]) -> None:
    for value in values:
        with pytest.raises(InputError, match=rf"^the policy's {name} is {value}, expected a number "):
            Policy(**{name: value})


def test_a_policy_knows_what_to_do_when_the_full_model_is_down() -> None:
    with pytest.raises(InputError, match="on_full_down panic: expected one of hold, student, fail"):
        Policy(on_full_down="panic")  # type: ignore[arg-type]


def test_a_confidence_that_no_event_has_defers_every_event() -> None:
    found = deferrals(scores([[99.0, 0, 0]]), Policy(confidence=EVERYTHING))
    assert found.reasons == {0: "confidence 1.00, and every event goes to the full model"}
