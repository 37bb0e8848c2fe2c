"""Write figures as the messages of gates have them."""

from __future__ import annotations

import math

from overproof.checks.stats import Interval, wilson
from overproof.report import words


def percent(share: float) -> str:
    """Write a share in percent: two decimals, one from 10 % on, and more where it would be rounded to nothing."""
    points = abs(100 * share)
    if not points or points >= 10:
        return f"{100 * share:.1f} %" if points else "0 %"
    return f"{100 * share:.{min(6, max(2, -math.floor(math.log10(points))))}f} %"


def percent_within(figure: Interval, correction: str = "") -> str:
    """Write a share and its interval in percent.

    Parameters
    ----------
    correction
        What the interval was corrected by; empty where it was not.
    """
    return f"{percent(figure.value)} ({_named(correction)} {percent(figure.low)} to {percent(figure.high)})"


def change_within(figure: Interval, more: str = "lost", fewer: str = "gained", correction: str = "") -> str:
    """Write a change and its interval in percent, its sign in words.

    Parameters
    ----------
    more, fewer
        What the change is where it is above zero, and where it is below.
    correction
        What the interval was corrected by; empty where it was not.
    """
    value, low, high = (more if end >= 0 else fewer for end in (figure.value, figure.low, figure.high))
    ends = f"{_amount(figure.low)} to {_amount(figure.high)} {high}"
    if low != high:
        ends = f"{_amount(figure.low)} {low} to {_amount(figure.high)} {high}"
    return f"{_amount(figure.value)} {value} ({_named(correction)} {ends})"


def among(n: int, what: str, units: int) -> str:
    """Write `1,200 attacks`, and how many of them are independent where not all are."""
    return f"{n:,} {what}" if units == n else f"{n:,} {what} ({units:,} of them independent)"


def share_of(value: float, n: int) -> str:
    """Write a share of n events as the report has it, with Wilson's interval; one that is none as it stands."""
    if not 0 <= value <= 1 or n < 1:
        return words.percent(value)
    return words.interval(wilson(round(value * n), n))


def _amount(share: float) -> str:
    return percent(abs(share))


def _named(correction: str) -> str:
    return f"95 % interval, corrected by {correction}:" if correction else "95 % interval"


def number_within(figure: Interval) -> str:
    """Write a distance between 0 and 1, and its interval."""
    return f"{figure.value:.3f} (95 % interval {figure.low:.3f} to {figure.high:.3f})"


def p_value(p: float) -> str:
    """Write a p-value; what a float cannot tell from 0 is not called 0."""
    return f"p = {p:.2g}" if p >= 1e-15 else "p < 1e-15"
