"""Widen intervals of figures that sampling biases upwards, and say how many events would narrow one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overproof.checks.stats import Interval

DRAWS = 300
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


def clusters_of(*samples: Sequence[str | None]) -> list[object] | None:
    """Return the cluster of each event of several samples: its group, or itself; None where no event has a group."""
    if all(group is None for groups in samples for group in groups):
        return None
    return [(i, j if group is None else group) for i, groups in enumerate(samples) for j, group in enumerate(groups)]


def too_few_groups(*samples: Sequence[str | None]) -> str | None:
    """Say why clusters of these samples cannot be drawn again; None where they can.

    Without a group an event is its own.
    """
    for groups in samples:
        kinds = len({group for group in groups if group is not None}) + sum(group is None for group in groups)
        if kinds < LEAST_GROUPS:
            together = f"{len(groups):,} events are of {kinds} groups, and those of one vary together"
            return f"{together}, needs {LEAST_GROUPS} groups"
    return None
