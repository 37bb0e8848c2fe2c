"""Write figures as the messages of gates have them."""

from __future__ import annotations

import math

from overproof.checks.stats import Interval


def percent(share: float) -> str:
    """Write a share in percent: two decimals, one from 10 % on, and more where it would be rounded to nothing."""
    points = abs(100 * share)
    if not points or points >= 10:
        return f"{100 * share:.1f} %" if points else "0 %"
    return f"{100 * share:.{min(6, max(2, -math.floor(math.log10(points))))}f} %"


def percent_within(figure: Interval) -> str:
    """Write a share and its interval in percent."""
    return f"{percent(figure.value)} (95 % interval {percent(figure.low)} to {percent(figure.high)})"


def number_within(figure: Interval) -> str:
    """Write a distance between 0 and 1, and its interval."""
    return f"{figure.value:.3f} (95 % interval {figure.low:.3f} to {figure.high:.3f})"


def p_value(p: float) -> str:
    """Write a p-value; what a float cannot tell from 0 is not called 0."""
    return f"p = {p:.2g}" if p >= 1e-15 else "p < 1e-15"
