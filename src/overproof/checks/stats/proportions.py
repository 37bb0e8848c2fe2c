"""Estimate proportions and paired proportions: intervals, bounds, exact tests, how many events a claim needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

HALVINGS = 100  # of an interval no wider than 2: past the last bit of a float
SLACK = 1e-9  # what parts of units may add up to beyond their number


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval; the confidence is the caller's.

    Attributes
    ----------
    value
        The estimate.
    low, high
        The ends.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return it as plain JSON."""
        return asdict(self)


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of k / n, without continuity correction (Wilson 1927; Newcombe 1998a, method 3).

    Its coverage is `confidence` on average over the true rate, not for each: where a claim must hold, take
    `clopper_pearson`. The ends are exactly 0 at k = 0 and exactly 1 at k = n.

    Raises
    ------
    ValueError
        If n < 1, k lies outside 0..n, or `confidence` outside (0, 1).
    """
    _require_counts(k, n)
    z2 = _z((1 + _share(confidence)) / 2) ** 2
    middle, reach = k + z2 / 2, math.sqrt(z2 * (k * (n - k) / n + z2 / 4))
    low, high = (middle - reach) / (n + z2), (middle + reach) / (n + z2)
    value = k / n  # rounding may put an end a bit beyond it where z is tiny
    return Interval(value, min(low, value) if k else 0.0, max(high, value) if k < n else 1.0)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of k / n (Clopper & Pearson 1934).

    It covers the true rate at least as often as it says.

    Raises
    ------
    ValueError
        If n < 1, k lies outside 0..n, or `confidence` outside (0, 1).
    """
    side = (1 + _share(confidence)) / 2
    return Interval(k / max(n, 1), lower_bound(k, n, side), upper_bound(k, n, side))


def upper_bound(k: float, n: float, confidence: float = 0.95) -> float:
    """Return the one-sided exact upper limit of k / n, the rate at which k or fewer have probability 1 - confidence.

    Source: Clopper & Pearson 1934, as a quantile of Beta(k + 1, n - k). Counts may be real-valued (see `units`).

    Raises
    ------
    ValueError
        If n < 1, k lies outside 0..n, or `confidence` outside (0, 1).
    """
    from scipy import special

    _require_counts(k, n)
    return float(special.betaincinv(k + 1, n - k, _share(confidence))) if k < n else 1.0


def lower_bound(k: float, n: float, confidence: float = 0.95) -> float:
    """Return the one-sided exact lower limit of k / n, the rate at which k or more have probability 1 - confidence.

    Source: Clopper & Pearson 1934, as a quantile of Beta(k, n - k + 1). Counts may be real-valued (see `units`).

    Raises
    ------
    ValueError
        If n < 1, k lies outside 0..n, or `confidence` outside (0, 1).
    """
    from scipy import special

    _require_counts(k, n)
    return float(special.betaincinv(k, n - k + 1, 1 - _share(confidence))) if k else 0.0


def events_needed(limit: float, confidence: float = 0.95, losses: int = 0) -> int:
    """Return the least n for which `upper_bound(losses, n)` is at most `limit`; without losses the "rule of three".

    Source: Hanley & Lippman-Hand 1983 for no losses, n = ln(1 - confidence) / ln(1 - limit), rounded up.

    Raises
    ------
    ValueError
        If `limit` or `confidence` lies outside (0, 1), or losses < 0.
    """
    _share(limit)
    if losses < 0:
        raise ValueError(f"{losses} losses")
    enough = losses + 1
    while upper_bound(losses, enough, confidence) > limit:
        enough *= 2
    short = max(losses, enough // 2)
    while enough - short > 1:
        middle = (short + enough) // 2
        if upper_bound(losses, middle, confidence) > limit:
            short = middle
        else:
            enough = middle
    return enough


def mcnemar(b: int, c: int, alternative: str = "two-sided") -> float:
    """Return the exact p-value of McNemar's test that b and c come of a fair coin (McNemar 1947; binomial tails).

    Parameters
    ----------
    b
        Pairs that only the first is right on (the full model, say).
    c
        Pairs that only the second is right on.
    alternative
        "two-sided", twice the smaller tail and at most 1; or "greater", that b is too large for a fair coin.

    Raises
    ------
    ValueError
        If b or c is negative, or `alternative` is neither of the two.
    """
    from scipy import special

    if min(b, c) < 0:
        raise ValueError(f"{b} and {c} discordant pairs")
    if alternative not in ("two-sided", "greater"):
        raise ValueError(f"no alternative {alternative!r}: two-sided or greater")
    if not b + c:
        return 1.0
    if alternative == "greater":
        return float(special.bdtr(c, b + c, 0.5))  # P(X >= b) = P(X <= c) for a fair coin
    return min(1.0, 2 * float(special.bdtr(min(b, c), b + c, 0.5)))


def holm(p: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for the number of tests (Holm 1979).

    Rejecting those at most 0.05 errs once or more in 5 % of families at most.

    Parameters
    ----------
    p
        P-values of any dependence, shape (tests,).

    Returns
    -------
    NDArray
        Shape (tests,), in the order of `p`, at most 1.

    Raises
    ------
    ValueError
        If a value lies outside 0..1 or is NaN.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def tango(b: float, c: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the score interval of the paired difference (b - c) / n (Tango 1998; the ends solve his eq. 24 to 26).

    Unlike Wald's it has a width where b = c = 0: its ends are then ± z² / (n + z²).

    Parameters
    ----------
    b, c
        Pairs that only the first, and only the second, is right on; they may be real-valued (see `units`).
    n
        All pairs.

    Raises
    ------
    ValueError
        If n < 1, b or c is negative, b + c > n, or `confidence` lies outside (0, 1).
    """
    _require_pairs(b, c, n)
    z, value = _z((1 + _share(confidence)) / 2), (b - c) / n
    low = _last(lambda difference: _score(b, c, n, difference) > z, -1.0, value)
    high = -_last(lambda difference: _score(c, b, n, difference) > z, -1.0, -value)
    return Interval(value, low, high)


def tango_p(b: int, c: int, n: int, margin: float) -> float:
    """Return the one-sided p-value of Tango's score test of H0: the difference is `margin` or more; H1: it is less.

    A small one says that the second is non-inferior to the first: it loses less than the margin. Source: Tango 1998,
    eq. 24 to 26, whose Δ is minus the margin.

    Parameters
    ----------
    b, c
        Pairs that only the first, and only the second, is right on.
    n
        All pairs.
    margin
        Share of all pairs that may be lost, between -1 and 1.

    Raises
    ------
    ValueError
        If n < 1, b or c is negative, b + c > n, or `margin` lies outside -1..1.
    """
    from scipy import special

    _require_pairs(b, c, n)
    _require_margin(margin)
    return float(special.ndtr(_score(b, c, n, margin)))


def non_inferior(b: int, c: int, n: int, margin: float, confidence: float = 0.95) -> bool:
    """Tell whether the one-sided upper limit of (b - c) / n lies below the margin: `tango_p` < 1 - confidence.

    The test is asymptotic. With no or few discordant pairs it is a little too kind: at b = c = 0 it passes from
    2.7 / margin pairs on, where the true error is 7 % for 5 %. Where nothing was lost `events_needed` is exact.

    Raises
    ------
    ValueError
        As `tango_p`, or if `confidence` lies outside (0, 1).
    """
    return tango_p(b, c, n, margin) < 1 - _share(confidence)


def needed_for_margin(margin: float, n: int, b: int, c: int, confidence: float = 0.95) -> int | None:
    """Say how many pairs in all would show non-inferiority, if the rates b / n and c / n stayed as they are.

    With fixed rates Tango's statistic grows as the square root of n, so the number follows from the statistic
    at hand. It is a plan, not a promise: at that number the next sample passes about every second time, and with
    b = c = 0 it is the least number that can pass at all.

    Returns
    -------
    int | None
        None where the observed difference is not below the margin: no number would do.

    Raises
    ------
    ValueError
        As `non_inferior`.
    """
    _require_pairs(b, c, n)
    _require_margin(margin)
    z, score = max(0.0, _z(_share(confidence))), _score(b, c, n, margin)
    return math.floor(n * (z / score) ** 2) + 1 if score < 0 else None


def _score(b: float, c: float, n: float, difference: float) -> float:
    """Return Tango's statistic: how far (b - c) / n lies above `difference`, in standard errors at that difference.

    The variance takes q, the maximum-likelihood estimate of the second's discordant rate under the difference (Tango
    1998, eq. 24 to 26). For a negative difference the roles are swapped, so that no term cancels.
    """
    if difference < 0:
        return -_score(c, b, n, -difference)
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    root = math.sqrt(linear * linear - 8 * n * constant)
    q = (root - linear) / (4 * n) if linear <= 0 else -2 * constant / (root + linear)
    above, variance = b - c - n * difference, n * (2 * q + difference * (1 - difference))
    if variance > 0:
        return above / math.sqrt(variance)
    return math.copysign(math.inf, above) if above else 0.0  # a difference of 1, or none where none was seen


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Find where `holds`, true from `low` on, turns false; `high` is the end of the search. By bisection."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _z(probability: float) -> float:
    from scipy import special

    return float(special.ndtri(probability))


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{value} is not between 0 and 1")
    return value


def _require_counts(k: float, n: float) -> None:
    if not (n >= 1 and 0 <= k <= n):
        raise ValueError(f"{k} of {n} is no proportion")


def _require_pairs(b: float, c: float, n: float) -> None:
    if not (n >= 1 and min(b, c) >= 0 and b + c <= n + SLACK):
        raise ValueError(f"{b} and {c} discordant of {n} pairs")


def _require_margin(margin: float) -> None:
    if not -1 <= margin <= 1:
        raise ValueError(f"a margin of {margin} is not between -1 and 1")
