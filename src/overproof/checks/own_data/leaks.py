"""Look for leaks: events that stand among those that the student was trained on or validated with, or look like them.

An event is like a training event if its group, or what near-duplicates share (`units.mark`), stands among the training
or validation events too. Events that say little (flows, look-ups of names) recur by chance, though; how many do is seen
in the validation events, which were parted from the training events by group and are new to the student as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import (
    CONFIDENCE,
    Bools,
    CheckContext,
    Gate,
    GateResult,
    Measured,
    Sample,
    decided,
    unmeasured,
)
from overproof.checks.formatting import percent
from overproof.checks.own_data.distance import Codes
from overproof.checks.own_data.result import Split
from overproof.checks.own_data.same_mix import same_mix
from overproof.checks.reasons import NO_EVENTS, NO_TRAINING
from overproof.checks.stats import Interval, Units, lower_bound, upper_bound
from overproof.checks.units import mark
from overproof.results.typed_json import NotMeasured

KEY = "own-data/leaked"
SIDE = (1 + CONFIDENCE) / 2  # of either of two bounds, so that both hold together with 95 % confidence
LARGEST = 0.5  # leak that may go unseen: where more of the events could be leaked, nothing was looked for
TINY = 1e-12  # where all may recur by chance, no leak is shown
STEPS = 100  # of the shares that are tried for how large a leak would be seen


Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """Which events are like training events, and in which ways they hang together.

    Attributes
    ----------
    hit
        Of each event, whether it is like one, shape (n,).
    units
        The same ways for the user's events and for the validation events, so that they can be compared way by way.
    """

    hit: Bools
    units: Units

    @property
    def share(self) -> float:
        """Of all events; 0 of none."""
        return float(self.hit.mean()) if len(self.hit) else 0.0


@dataclass(frozen=True)
class Marks:
    """What near-duplicates share, of every event of a sample, and its group.

    Attributes
    ----------
    marks, groups
        Of each event; None for an event without a group.
    """

    marks: Sequence[str]
    groups: Sequence[str | None]

    @classmethod
    def of(cls, sample: Sample) -> Marks:
        """Mark the events of a sample."""
        return cls([mark(text) for text in sample.texts], sample.groups)

    @property
    def units(self) -> Units:
        """How the events hang together: by group, and by mark; always both, so that two samples can be compared."""
        return Units.of(len(self.marks), self.groups, self.marks)


def leaked(context: CheckContext) -> tuple[GateResult, Split | NotMeasured]:
    """Count the events that the student has seen the like of, beyond those that recur by chance.

    Without a leak a share `chance` of the events would be like training events; the leaked share L of `seen` solves
    seen = L + (1 - L) * chance. Where hardly any recur by chance this is a count, without an interval. Else it is a
    search: the figure is the least share that is shown to be leaked, by plain events and by every way in which they
    hang together, and the message says how large a leak would have been seen.
    """
    gate, sample, training = context.gate(KEY), context.sample, context.training
    why = NO_EVENTS if not len(sample) else NO_TRAINING
    if training is None or not len(sample):
        return unmeasured(KEY, why, gate, events=len(sample)), NotMeasured(why)
    mine, train, validation = (Marks.of(part) for part in (sample, training.train, training.validation))
    grouped = _among([train.groups, validation.groups], mine.groups)
    seen = Likeness(grouped | _among([train.marks, validation.marks], mine.marks), mine.units)
    chance = _by_chance(train, validation, same_mix(context, training.validation))
    least, unseen = _least(seen, chance, gate.limit)
    least = max(least, float(grouped.mean()))
    split = Split(
        marks=len(set(mine.marks)),
        groups=len({group for group in sample.groups if group is not None}) or None,
        events=len(sample),
        of_group=int(grouped.sum()),
        alike=int(seen.hit.sum()),
        recurring=int(chance.hit.sum()),
        validation=len(chance.hit),
        validation_units=chance.units.count,
        leaked=least,
        unseen=unseen,
    )
    return _decided(gate, split), split


def _among(seen: Sequence[Sequence[str | None]], values: Sequence[str | None]) -> Bools:
    """Say of each value whether it is one of those, shape (n,); None is none."""
    known = {value for part in seen for value in part if value is not None}
    return np.array([value in known for value in values], dtype=bool)


def _by_chance(train: Marks, validation: Marks, rows: Codes) -> Likeness:
    """Say which validation events recur: their mark stands among the training events, or in another group.

    Parameters
    ----------
    rows
        The validation events that count: as many attacks among them as among the user's.
    """
    keys = [
        (group is None, mark_ if group is None else group)
        for group, mark_ in zip(validation.groups, validation.marks, strict=True)
    ]
    groups: defaultdict[str, set[tuple[bool, str]]] = defaultdict(set)
    for key, marked in zip(keys, validation.marks, strict=True):
        groups[marked].add(key)
    known = set(train.marks)
    hit = np.array([marked in known or len(groups[marked]) > 1 for marked in validation.marks], dtype=bool)
    return Likeness(hit[rows], validation.units.take(rows))


def _least(seen: Likeness, chance: Likeness, limit: float) -> tuple[float, float | None]:
    """Return the least leak that is shown, and the smallest that would be; None for that where it is a count.

    It is a count where so little recurs by chance that this alone would not close the gate.
    """
    if chance.share <= limit:
        return max(0.0, (seen.share - chance.share) / (1 - chance.share)) if chance.share < 1 else 0.0, None
    ways = zip(seen.units.sums(seen.hit), chance.units.sums(chance.hit), strict=True)
    n, found, by_chance, most = np.array(
        [(n, k / n, j / m, upper_bound(j, m, SIDE)) for (n, (k,)), (m, (j,)) in ways], dtype=np.float64
    ).T
    leaks = np.arange(1, STEPS) / STEPS
    unseen = next((leak for leak in leaks if _shown(leak + (1 - leak) * by_chance, n, most) > limit), 1.0)
    return _shown(found, n, most), float(unseen)


def _shown(share: Shares, n: Shares, most: Shares) -> float:
    """Return the least leak that is shown in every way, given the share of its n units and the most by chance."""
    least = np.array([lower_bound(part * count, count, SIDE) for part, count in zip(share, n, strict=True)])
    return max(0.0, float(((least - most) / np.maximum(1 - most, TINY)).min()))


def _decided(gate: Gate, found: Split) -> GateResult:
    """Decide by the least leak that is shown; where even a large one would not be, nothing is known."""
    n, measured = found.events, Measured(Interval(found.leaked, found.leaked, found.leaked), found.events)
    message = f"{found.alike:,} of {n:,} events ({percent(found.alike / n)}) are like training events, by their "
    message += "group or as near-duplicates"
    if found.recurring:
        some = f", {found.validation_units:,} of them independent" * (found.validation_units < found.validation)
        message += f"; so are, by chance, {found.recurring:,} of {found.validation:,} validation events{some} "
        message += f"({percent(found.recurring / found.validation)})"
    if found.unseen is None:
        net = f": {percent(found.leaked)} of the events are leaked" if found.recurring else ""
        return decided(KEY, message + net, gate, measured)
    if found.leaked > gate.limit:
        return decided(KEY, f"{message}: at least {percent(found.leaked)} of the events are leaked", gate, measured)
    if found.unseen > LARGEST:
        return unmeasured(KEY, f"{message}: a leak of {percent(LARGEST)} of the events would not show", gate, events=n)
    seen = f"no leak is shown, and one of {percent(found.unseen)} of the events would have been"
    return decided(KEY, f"{message}: {seen}", gate, measured)
