"""Measure selective classification: what is risked where only the confident verdicts are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.stats.units import Units

Reals = NDArray[np.floating[Any]]


def risk_coverage(
    confidence: Reals, wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the risk-coverage curve, and the generalized one (El-Yaniv & Wiener 2010; Traub et al. 2024).

    Parameters
    ----------
    confidence
        What verdicts are accepted by, the greatest first, shape (n,).
    wrong
        Whether the verdict is wrong, shape (n,).

    Returns
    -------
    coverage, risk, generalized_risk
        Shape (distinct confidences,) each, from the most confident on; events of equal confidence are one step. The
        share accepted, the share of the accepted that is wrong, and the share of all that is accepted and wrong.

    Raises
    ------
    ValueError
        If there is nothing to judge, the shapes differ, or a confidence is NaN.
    """
    sure, bad = np.asarray(confidence, dtype=np.float64), np.asarray(wrong, dtype=bool)
    if sure.ndim != 1 or sure.shape != bad.shape or not len(sure) or np.isnan(sure).any():
        raise ValueError(f"confidence of shape {sure.shape} without NaN, wrong of shape {bad.shape}")
    _, step = np.unique(-sure, return_inverse=True)
    accepted, missed = (np.cumsum(np.bincount(step, weight)) for weight in (None, bad.astype(np.float64)))
    return accepted / len(sure), missed / accepted, missed / len(sure)


def augrc(confidence: Reals, wrong: NDArray[np.bool_]) -> float:
    """Compute the area under the generalized risk-coverage curve: P(wrong and accepted), averaged over all coverages.

    Between 0 and 1/2, less is better. Unlike the area under the risk-coverage curve it does not weigh the most
    confident mistakes out of proportion. With acc the share of right verdicts and AUROC that of confidence as a
    sign of a right verdict, it is (1 - AUROC) · acc · (1 - acc) + (1 - acc)² / 2 (Traub et al. 2024).

    Parameters
    ----------
    confidence
        What verdicts are accepted by, the greatest first, shape (n,); ties rise together, in a straight line.
    wrong
        Whether the verdict is wrong, shape (n,).

    Raises
    ------
    ValueError
        As `risk_coverage`.
    """
    coverage, _, generalized = risk_coverage(confidence, wrong)
    return float(np.trapezoid(np.append(0.0, generalized), np.append(0.0, coverage)))


def learn_then_test(losses: NDArray[np.bool_], units: Units, limit: float, confidence: float = 0.95) -> int | None:
    """Find the boldest candidate whose risk is shown to be at most `limit`.

    It is wrong with probability 1 - confidence at most. Fixed-sequence testing: candidates are tested from the safest
    on, and the first that fails ends it, so no correction for their number is needed (Angelopoulos, Bates, Candès,
    Jordan & Lei 2021, "Learn then Test"). The p-value of H0: risk > limit is P(Binomial(n, limit) <= losses),
    exact for losses of 0 or 1; where events hang together it is the largest of all ways to count (see `units`).

    Parameters
    ----------
    losses
        Whether each candidate loses on each event, shape (n, candidates), the safest candidate first. The order must
        not hang on these events, and the units must be exchangeable with those to come.
    units
        How the events hang together.
    limit
        Greatest risk that is allowed, between 0 and 1.

    Returns
    -------
    int | None
        Index of the last candidate before the first failure; None where the first one fails.

    Raises
    ------
    ValueError
        If there are no events or candidates, or `limit` or `confidence` lies outside (0, 1).
    """
    from scipy import special

    lost = np.asarray(losses, dtype=bool)
    if lost.ndim != 2 or not lost.size or not 0 < limit < 1 or not 0 < confidence < 1:
        raise ValueError(f"losses of shape {lost.shape}, a limit of {limit} and a confidence of {confidence}")
    p = np.zeros(lost.shape[1])
    for n, counts in units.sums(*lost.T):
        k = np.minimum(counts, n)
        p = np.maximum(p, special.betainc(n - k, k + 1, 1 - limit, where=k < n, out=np.ones(len(p))))
    passed = int(np.logical_and.accumulate(p <= 1 - confidence).sum())
    return passed - 1 if passed else None
