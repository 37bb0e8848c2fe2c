"""Bound the mean of numbers between 0 and 1 by their sum alone, whatever their distribution."""

from __future__ import annotations

import math

from overproof.checks.stats import upper_bound
from overproof.checks.stats.proportions import HALVINGS


def upper_mean(total: float, n: int, confidence: float = 0.95) -> float:
    """Return a one-sided upper bound of the mean of which n independent numbers in [0, 1] add up to `total`.

    The mean at which the tail P(sum <= total) is 1 - confidence at most, by the smaller of two limits of that tail
    (Hoeffding-Bentkus: Bates, Angelopoulos, Lei, Malik & Jordan 2021, "Distribution-free, risk-controlling prediction
    sets", proposition 6): exp(-n kl(total / n ‖ mean)) (Hoeffding 1963, eq. 2.1) and e P(Bin(n, mean) <= ⌈total⌉)
    (Bentkus 2004, theorem 1.2).
    At a total of 0 it is the bound of Clopper & Pearson, and like that it never vanishes.

    Raises
    ------
    ValueError
        If n < 1, the total lies outside 0..n, or `confidence` outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence} is not between 0 and 1")
    alpha = 1 - confidence
    bentkus = upper_bound(min(n, math.ceil(total)), n, 1 - alpha / math.e) if n >= 1 and 0 <= total <= n else math.nan
    if math.isnan(bentkus):
        raise ValueError(f"{total} is no sum of {n} numbers between 0 and 1")
    low, high = total / n, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if n * _relative_entropy(total / n, middle) < -math.log(alpha) else (low, middle)
    return min(bentkus, high)


def lower_mean(total: float, n: int, confidence: float = 0.95) -> float:
    """Return a one-sided lower bound of the mean (see `upper_mean`, of what is missing to 1)."""
    return 1 - upper_mean(n - total, n, confidence)


def _relative_entropy(p: float, q: float) -> float:
    """Compute KL of two Bernoulli distributions, in nats; q lies between p and 1."""
    if q >= 1:
        return math.inf if p < 1 else 0.0
    return (p * math.log(p / q) if p else 0.0) + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)
