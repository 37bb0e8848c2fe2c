"""Widen intervals of figures that sampling biases upwards, and say how many events would narrow one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from overproof.checks.gate_result import MOST
from overproof.checks.stats import Interval, Units

DRAWS = 300
TOUCHING = 1e-12  # what an interval is open by whose low end is the limit
LEAST_GROUPS = 10  # of fewer the bootstrap's interval is too narrow, of one it has no width


def conservative(percentile: Interval, least: float = -math.inf) -> Interval:
    """Return the wider of percentile and basic bootstrap interval at either end.

    A distance and an ECE are above zero by chance alone, and a redrawn one doubly so: the percentile interval of a
    perfectly calibrated model's ECE lies above the truth, and would fail it (in simulations with 200 events its low
    end was 0.048 on average). The basic interval (Davison & Hinkley 1997, eq. 5.6) takes the bias of redrawing off,
    at the price of a high end that is too low in up to 13 % of cases. A gate must neither fail nor pass by such.

    Parameters
    ----------
    percentile
        What `stats.bootstrap` gives.
    least
        What the figure cannot be below.
    """
    value, low, high = percentile.value, percentile.low, percentile.high
    return Interval(value, max(least, min(low, 2 * value - high)), max(high, 2 * value - low))


def events_for(figure: Interval, limit: float, events: int, other: float = math.inf) -> int | None:
    """Say with how many events the interval would no longer hold the limit, if the figure stayed as it is.

    Half the interval's width goes with sqrt(1 / events + 1 / other). It is a plan, not a promise.

    Parameters
    ----------
    other
        Size of the other sample of a comparison, which stays as it is.

    Returns
    -------
    int | None
        None where no number would do.
    """
    reach = figure.high - figure.value if figure.value <= limit else figure.value - figure.low
    if reach <= 0 or not events:
        return None
    spread = (1 / events + 1 / other) * ((figure.value - limit) / reach) ** 2 - 1 / other
    return math.ceil(1 / spread) if spread > 1e-12 else None


def needed_units(bound: Callable[[float], Interval], limit: float, units: int) -> int | None:
    """Say with how many units an interval would no longer hold the limit, if every rate stayed as it is.

    It is a plan, not a promise: with so many the next sample decides about every second time.

    Parameters
    ----------
    bound
        The interval that so many times as many units would have.

    Returns
    -------
    int | None
        None where it is decided already, or a hundred times as many would not do: the estimate sits at the limit.
    """

    def open_by(count: int) -> float:
        """Return by how much the interval of so many units holds the limit: not above 0 where it decides."""
        figure = bound(count / units)
        return min(figure.high - limit, (limit - figure.low) or TOUCHING)

    short, enough = (units, open_by(units)), (MOST * units, open_by(MOST * units))
    if short[1] <= 0 or enough[1] > 0:
        return None
    while enough[0] - short[0] > 1:
        guess = _crossing(short, enough)
        beside = max(1, min(guess // 50, (enough[0] - short[0]) // 16))
        for count in (guess, guess - beside, guess + beside):  # both sides of a good guess close in on it
            if short[0] < count < enough[0]:
                found = (count, open_by(count))
                short, enough = (found, enough) if found[1] > 0 else (short, found)
    return enough[0]


def _crossing(short: tuple[int, float], enough: tuple[int, float]) -> int:
    """Guess from how many units on an interval decides: what it is open by is nearly a line over 1 / √n."""
    (few, above), (many, below) = short, enough
    start, end = 1 / math.sqrt(few), 1 / math.sqrt(many)
    at = end + (start - end) * below / (below - above)
    return min(max(round(1 / at**2), few + 1), many - 1)


def too_few_units(*samples: Units) -> str | None:
    """Say why the units of these samples cannot be drawn again; None where they can."""
    for units in samples:
        if units.count < LEAST_GROUPS:
            together = f"{units.n:,} events, {units.count} of them independent (others are copies, or of one group)"
            return f"{together}, needs {LEAST_GROUPS}"
    return None


def clusters_of(*samples: Units) -> NDArray[np.intp] | None:
    """Return the cluster of each event of several samples, apart for each; None where all events are independent."""
    if all(units.count == units.n for units in samples):
        return None
    starts = np.cumsum([0, *(units.n for units in samples)])
    return np.concatenate([units.coarsest() + start for units, start in zip(samples, starts, strict=False)])
