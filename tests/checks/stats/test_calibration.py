"""Calibration: worked by hand, and against MAPIE, scikit-learn and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mapie.metrics.calibration import expected_calibration_error
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from overproof.checks.stats import Bin, brier, classwise_ece, ece, fit_temperature, nll, reliability

SCHEMES = pytest.mark.parametrize("scheme", ["width", "mass"])
CONFIDENCES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1))


def softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def logits() -> NDArray[np.float64]:
    """Of a model whose probabilities are exact for `targets`; shape (3000, 4)."""
    return np.random.default_rng(0).normal(scale=2, size=(3000, 4))


@pytest.fixture(scope="module")
def targets(logits: NDArray[np.float64]) -> NDArray[np.intp]:
    """Drawn from softmax(logits)."""
    gumbel = np.random.default_rng(1).gumbel(size=logits.shape)
    return np.asarray((logits + gumbel).argmax(axis=1))


def judged(
    probabilities: NDArray[np.float64], targets: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def test_ece_by_hand() -> None:
    """Two bins: two events of mean confidence 0.25, one right; and two of 0.8, one right."""
    confidence, correct = np.array([0.2, 0.3, 0.7, 0.9]), np.array([True, False, True, False])
    assert ece(confidence, correct, bins=2) == pytest.approx(0.5 * 0.25 + 0.5 * 0.3)
    assert ece(confidence, correct, bins=2, scheme="mass") == pytest.approx(0.5 * 0.25 + 0.5 * 0.3)
    assert ece(confidence, correct, bins=1) == pytest.approx(0.525 - 0.5)
    assert ece(confidence, correct, bins=100) == pytest.approx((0.8 + 0.3 + 0.3 + 0.9) / 4)


def test_an_edge_belongs_to_the_bin_below() -> None:
    """Guo et al. 2017: the bins are ((m - 1) / M, m / M]; 0 goes to the first."""
    counts = [b.count for b in reliability(np.array([0.0, 0.5, 0.5 + 1e-9, 1.0]), np.ones(4, bool), bins=2)]
    assert counts == [2, 2]


@pytest.mark.parametrize("bins", [1, 5, 15, 40])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_ece_is_that_of_mapie(logits: NDArray[np.float64], targets: NDArray[np.intp], bins: int, scale: float) -> None:
    """MAPIE's num_bins counts edges of equal width, so it is one more; its array_split wants sorted scores."""
    confidence, correct = judged(softmax(logits * scale), targets)
    theirs = expected_calibration_error(correct.astype(int), confidence, num_bins=bins + 1, split_strategy="uniform")
    assert ece(confidence, correct, bins) == pytest.approx(theirs)
    order = np.argsort(confidence)
    order = order[len(order) % bins :]  # all bins of one size
    theirs = expected_calibration_error(
        correct[order].astype(int), confidence[order], num_bins=bins, split_strategy="array split"
    )
    assert ece(confidence[order], correct[order], bins, "mass") == pytest.approx(theirs)


@pytest.mark.parametrize("bins", [2, 15])
def test_classwise_ece_is_the_mean_of_mapies(logits: NDArray[np.float64], targets: NDArray[np.intp], bins: int) -> None:
    p = softmax(logits * 2)
    theirs = [
        expected_calibration_error((targets == k).astype(int), p[:, k], num_bins=bins + 1, split_strategy="uniform")
        for k in range(4)
    ]
    assert classwise_ece(p, targets, bins) == pytest.approx(np.mean(theirs))


def test_classwise_ece_sees_a_rare_class_that_ece_does_not() -> None:
    """A hundredth of the events is of a class that never gets a probability."""
    p = np.tile([0.99, 0.01, 0.0], (1000, 1))
    y = np.zeros(1000, int)
    y[:10] = 2
    assert ece(*judged(p, y)) == pytest.approx(0)
    assert classwise_ece(p, y) == pytest.approx(0.02 / 3)


def test_reliability_is_that_of_scikit_learn(logits: NDArray[np.float64], targets: NDArray[np.intp]) -> None:
    confidence, correct = judged(softmax(logits), targets)
    filled = [b for b in reliability(confidence, correct) if b.count]
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    np.testing.assert_allclose([b.accuracy for b in filled], accuracy)
    np.testing.assert_allclose([b.confidence for b in filled], mean)


def test_an_empty_bin_has_no_mean() -> None:
    assert reliability(np.array([0.75]), np.array([True]), bins=2) == (
        Bin(0.0, 0.5, 0, None, None),
        Bin(0.5, 1.0, 1, 0.75, 1.0),
    )


@given(confidence=CONFIDENCES, bins=st.integers(1, 30), seed=st.integers(0, 99))
def test_ece_lies_in_0_to_1_is_what_the_diagram_shows_and_does_not_know_the_order(
    confidence: NDArray[np.float64], bins: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    correct, order = random.random(len(confidence)) < 0.5, random.permutation(len(confidence))
    diagram = reliability(confidence, correct, bins)
    assert sum(b.count for b in diagram) == len(confidence)
    assert all(b.confidence is None or b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in diagram)
    gaps = [b.count * abs(b.accuracy - b.confidence) for b in diagram if b.count]
    assert ece(confidence, correct, bins) == pytest.approx(sum(gaps) / len(confidence))
    for scheme in ("width", "mass"):
        value = ece(confidence, correct, bins, scheme)
        assert 0 <= value <= 1 + 1e-12
        assert ece(confidence[order], correct[order], bins, scheme) == pytest.approx(value)
        assert value >= abs(confidence.mean() - correct.mean()) - 1e-12, "no bins hide what is wrong on average"


@SCHEMES
def test_ece_tells_the_calibrated_from_the_overconfident(
    logits: NDArray[np.float64], targets: NDArray[np.intp], scheme: str
) -> None:
    right, loud = (ece(*judged(softmax(logits * scale), targets), scheme=scheme) for scale in (1.0, 3.0))
    assert right < 0.03
    assert loud > 0.1


def test_equal_confidences_share_a_bin() -> None:
    """Quantized models say the same few numbers: half the events at 0.5, half of those right, is calibrated."""
    correct = np.array([True] * 50 + [False] * 50)
    assert ece(np.full(100, 0.5), correct, scheme="mass") == 0


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_brier_and_nll_are_those_of_scikit_learn(
    logits: NDArray[np.float64], targets: NDArray[np.intp], scale: float
) -> None:
    p = softmax(logits * scale)
    assert brier(p, targets) == pytest.approx(brier_score_loss(targets, p, scale_by_half=False))
    assert nll(p, targets) == pytest.approx(log_loss(targets, p))
    two = np.column_stack([1 - p[:, 1], p[:, 1]])
    assert brier(two, targets == 1) == pytest.approx(2 * brier_score_loss(targets == 1, p[:, 1]))


def test_brier_and_nll_at_their_ends() -> None:
    certain = np.array([[1.0, 0.0, 0.0]])
    assert (brier(certain, np.array([0])), brier(certain, np.array([1]))) == (0, 2)
    assert nll(certain, np.array([0])) == 0
    assert nll(certain, np.array([1])) == pytest.approx(12 * math.log(10)), "clipped at 1e-12"


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0, 10.0])
def test_temperature_undoes_what_spoiled_the_logits(
    logits: NDArray[np.float64], targets: NDArray[np.intp], temperature: float
) -> None:
    base = fit_temperature(logits, targets)
    assert base == pytest.approx(1, abs=0.06), "they were exact"
    assert fit_temperature(logits * temperature, targets) == pytest.approx(base * temperature, rel=1e-4)


def test_no_temperature_of_a_grid_has_a_lower_nll(logits: NDArray[np.float64], targets: NDArray[np.intp]) -> None:
    spoiled = logits * 2.5
    fitted = fit_temperature(spoiled, targets)
    least = nll(softmax(spoiled / fitted), targets)
    assert least <= min(nll(softmax(spoiled / t), targets) for t in np.geomspace(0.05, 20, 400)) + 1e-9
    expected = (softmax(spoiled / fitted) * spoiled).sum(axis=1).mean()
    assert expected == pytest.approx(spoiled[np.arange(len(targets)), targets].mean(), abs=1e-4), "the gradient is 0"


def test_temperature_stays_in_its_bounds() -> None:
    z = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert 0.05 <= fit_temperature(z, np.array([0, 1])) < 0.06, "all right: colder changes no digit of the NLL"
    assert fit_temperature(z, np.array([1, 0])) == pytest.approx(20, rel=1e-3), "all wrong: as hot as may be"


def test_float32_that_sums_to_a_bit_more_than_1_is_taken() -> None:
    assert ece(np.array([1.0000001], dtype=np.float32), np.array([True])) == 0


@pytest.mark.parametrize(
    ("confidence", "correct", "bins"),
    [([], [], 15), ([0.5], [True, False], 15), ([0.5], [True], 0), ([1.1], [True], 15), ([math.nan], [True], 15)],
)
def test_confidences_that_are_none_are_refused(confidence: list[float], correct: list[bool], bins: int) -> None:
    for function in (ece, reliability):
        with pytest.raises(ValueError, match="confidence"):
            function(np.array(confidence), np.array(correct, dtype=bool), bins)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        ece(np.array([0.5]), np.array([True]), scheme="depth")


@pytest.mark.parametrize(
    ("scores", "targets"),
    [(np.zeros((0, 2)), []), (np.zeros((2, 2)), [0]), (np.zeros(2), [0, 1]), (np.zeros((1, 2)), [2])],
)
def test_scores_and_targets_that_do_not_fit_are_refused(scores: NDArray[np.float64], targets: list[int]) -> None:
    for function in (classwise_ece, brier, nll, fit_temperature):
        with pytest.raises(ValueError, match="target"):
            function(scores, np.array(targets, dtype=int))
