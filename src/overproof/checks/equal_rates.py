"""Compare what two models miss where they flag the same share of benign events, with an interval that holds.

Thresholds of validation events let two models flag shares that differ by chance, and so do the misses then: between
two models that are equally good an interval that takes such thresholds as given excludes zero in up to 87 % of draws
(bench/winners.py). Here the rival keeps its threshold, and the student's is moved, by the
benign test events alone, to where it flags as many. How far off that may be is bounded too: the interval begins at a
threshold where the student is shown to flag no fewer benign events than the rival, and ends at one where it is shown
to flag no more. Attacks, on which misses are counted, move no threshold.

A model misses more the stricter its threshold is, so an end errs only where two independent estimates together are off
by more than the sum of what both intervals allow for: it is one of 95 % and more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.checks.context import Bools
from overproof.checks.stats import Interval, Units, difference_within
from overproof.report.not_measured import NotMeasured

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the student around the one at which it flags as many benign events as the rival.

    Attributes
    ----------
    strict, matched, loose
        Where it is shown to flag no more; where it flags at most as many, and the most of that; where it is shown to
        flag no fewer.
    """

    strict: float
    matched: float
    loose: float


def match(student: Reals, rival: Bools, units: Units) -> Thresholds | NotMeasured:
    """Find the student's thresholds by the benign events.

    Parameters
    ----------
    student, rival
        The student's attack score of each benign event, and whether the rival flags it, shape (n,) each.
    units
        How they hang together.
    """
    candidates = np.append(np.unique(student)[::-1], -np.inf)  # from none flagged to all

    def more(place: int) -> Interval:
        return difference_within((student > candidates[place]).astype(np.int8) - rival, units)

    last = len(candidates) - 1
    strict = _last(lambda place: more(place).high <= 0, last)
    loose = last - _last(lambda place: more(last - place).low >= 0, last)
    if strict < 0 or loose > last:
        k, n = int(rival.sum()), len(rival)
        few = "few" if strict < 0 else "many"
        return NotMeasured(f"{k:,} of {n:,} benign events are flagged there, too {few} to compare at the same share")
    matched = _last(lambda place: more(place).value <= 0, last)
    return Thresholds(*(float(candidates[place]) for place in (strict, matched, loose)))


def difference(student: Reals, missed: Bools, at: Thresholds, units: Units) -> tuple[NDArray[np.int8], Interval]:
    """Compare the attacks that the student misses at such thresholds with those that the rival misses.

    Parameters
    ----------
    student, missed
        The student's attack score of each attack, and whether the rival misses it, shape (n,) each, n at least 1.
    units
        How they hang together.

    Returns
    -------
    tuple
        At the matched threshold 1 where the student alone misses the attack, -1 where the rival alone does, else 0,
        shape (n,); and the share that the student misses more, with its interval.
    """
    loose, matched, strict = (
        (student <= threshold).astype(np.int8) - missed for threshold in (at.loose, at.matched, at.strict)
    )
    low, high = difference_within(loose, units).low, difference_within(strict, units).high
    return matched, Interval(float(matched.mean()), low, high)


def _last(holds: Callable[[int], bool], last: int) -> int:
    """Return the last place up to which something holds that once it fails holds no more; -1 if nowhere."""
    low, high = -1, last + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
