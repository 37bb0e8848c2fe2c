"""Measure calibration, whether a probability means what it says, and fit the temperature that mends it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

LEAST = 1e-12  # probabilities are clipped here before the logarithm: a certain mistake costs 27.6 nats, not infinity
SLACK = 1e-6  # what float32 rounding may put a probability beyond 0..1
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Bin:
    """Events whose confidence lies in (low, high]; the first bin holds 0 as well.

    Attributes
    ----------
    low, high
        Ends of the bin.
    count
        Events in it.
    confidence, accuracy
        Their mean confidence and the share that is right; None where the bin is empty.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(confidence: Reals, correct: NDArray[np.bool_], bins: int = 15) -> tuple[Bin, ...]:
    """Count the reliability diagram in bins of equal width (Guo et al. 2017, section 2).

    Parameters
    ----------
    confidence
        Probability of the class that was given, shape (n,).
    correct
        Whether it was right, shape (n,).

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes differ, bins < 1, or a confidence lies outside 0..1.
    """
    sure, right = _judged(confidence, correct, bins)
    index = _by_width(sure, bins)
    counts = np.bincount(index, minlength=bins)
    sums, hits = (np.bincount(index, values, minlength=bins) for values in (sure, right))
    edges = np.linspace(0, 1, bins + 1)
    return tuple(
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            confidence=float(sums[i] / counts[i]) if counts[i] else None,
            accuracy=float(hits[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    )


def ece(confidence: Reals, correct: NDArray[np.bool_], bins: int = 15, scheme: str = "width") -> float:
    """Compute the expected calibration error: mean |accuracy - confidence| over bins, weighted by their events.

    Parameters
    ----------
    confidence
        Probability of the class that was given, shape (n,).
    correct
        Whether it was right, shape (n,).
    scheme
        "width": bins of equal width (Guo et al. 2017, eq. 3); "mass": of equally many events (Nguyen & O'Connor
        2015; Nixon et al. 2019), where events of equal confidence share a bin, so that their order does not matter.

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes differ, bins < 1, a confidence lies outside 0..1, or there is no such
        scheme.
    """
    if scheme not in ("width", "mass"):
        raise ValueError(f"no scheme {scheme!r}: width or mass")
    sure, right = _judged(confidence, correct, bins)
    index = _by_width(sure, bins) if scheme == "width" else _by_mass(sure, bins)
    return float(np.abs(np.bincount(index, sure - right)).sum() / len(sure))


def classwise_ece(probabilities: Reals, targets: Integers, bins: int = 15) -> float:
    """Average over classes the equal-width ECE of that class's probability (Kull et al. 2019).

    It sees what the ECE of the winning class hides: a rare class whose probability is wrong.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    targets
        The true class of each row, shape (n,).

    Raises
    ------
    ValueError
        As `ece`, or if a target is no class.
    """
    p, y = _rows(probabilities, targets)
    return float(np.mean([ece(p[:, k], y == k, bins) for k in range(p.shape[1])]))


def brier(probabilities: Reals, targets: Integers) -> float:
    """Average over rows the squared error summed over classes, between 0 and 2 (Brier 1950).

    With two classes it is twice the score that is common for one probability.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    targets
        The true class of each row, shape (n,).

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes do not fit, or a target is no class.
    """
    p, y = _rows(probabilities, targets)
    errors = p.copy()
    errors[np.arange(len(y)), y] -= 1
    return float(np.square(errors).sum(axis=1).mean())


def nll(probabilities: Reals, targets: Integers) -> float:
    """Average the negative log-likelihood of the true class in nats; probabilities are clipped at 1e-12 below.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    targets
        The true class of each row, shape (n,).

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes do not fit, or a target is no class.
    """
    p, y = _rows(probabilities, targets)
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], LEAST)).mean())


def fit_temperature(logits: Reals, targets: Integers) -> float:
    """Find the T between 0.05 and 20 for which softmax(z / T) has the least NLL (Guo et al. 2017, section 4.2).

    The NLL is convex in 1 / T, so there is one minimum; where no row is wrong T is as low as rounding lets it be seen.

    Parameters
    ----------
    logits
        Shape (n, classes).
    targets
        The true class of each row, shape (n,); rows that the model was not trained on.

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes do not fit, or a target is no class.
    """
    from scipy import optimize

    z, y = _rows(logits, targets)
    below = z - z[np.arange(len(y)), y][:, None]  # the NLL is the log of the sum of exp of these
    top = below.max(axis=1, keepdims=True)

    def loss(log_t: float) -> float:
        t = math.exp(log_t)
        return float((top[:, 0] / t + np.log(np.exp((below - top) / t).sum(axis=1))).mean())

    ends = (math.log(COLDEST), math.log(HOTTEST))
    found = optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-7})
    return math.exp(float(found.x))


def _judged(confidence: Reals, correct: NDArray[np.bool_], bins: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure) or bins < 1:
        raise ValueError(f"confidence of shape {sure.shape}, correct of shape {right.shape}, {bins} bins")
    if not ((sure >= -SLACK) & (sure <= 1 + SLACK)).all():
        raise ValueError("confidence lies between 0 and 1")
    return np.clip(sure, 0, 1), right


def _rows(scores: Reals, targets: Integers) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    values, y = np.asarray(scores, dtype=np.float64), np.asarray(targets, dtype=np.intp)
    if values.ndim != 2 or y.shape != values.shape[:1] or not values.size:
        raise ValueError(f"scores of shape {values.shape} for targets of shape {y.shape}")
    if y.min() < 0 or y.max() >= values.shape[1]:
        raise ValueError(f"a target is none of the {values.shape[1]} classes")
    return values, y


def _by_width(sure: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    return np.maximum(np.searchsorted(np.linspace(0, 1, bins + 1), sure, side="left") - 1, 0)


def _by_mass(sure: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    return np.searchsorted(np.sort(sure), sure, side="left") * bins // len(sure)  # equal ones have one rank
