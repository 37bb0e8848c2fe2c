"""Two models on the same events: who handles what, and what the second loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overproof.checks import rates
from overproof.checks.base import CONFIDENCE, Bools, CheckContext, GateResult, decided
from overproof.checks.interval_width import clusters_of, events_for
from overproof.checks.stats import (
    Interval,
    bootstrap,
    clopper_pearson,
    events_needed,
    mcnemar,
    needed_for_margin,
    tango,
    wilson,
)

DRAWS = 1000
SIDE = (1 + CONFIDENCE) / 2  # each end of a two-sided interval holds alone with this confidence


@dataclass(frozen=True)
class Pairs:
    """Events that the full model and the student handle well (attacks caught, benign events left alone), or not.

    Attributes
    ----------
    both, full_only, student_only, neither
        How many are handled by whom.
    loss
        (full_only - student_only) / n, the net loss, and its interval.
    """

    both: int
    full_only: int
    student_only: int
    neither: int
    loss: Interval

    @property
    def n(self) -> int:
        """All events."""
        return self.both + self.full_only + self.student_only + self.neither

    def result(self) -> PairedLoss:
        """Return the counts as the report has them, with the two-sided p-value of McNemar's exact test."""
        p = mcnemar(self.full_only, self.student_only)
        return PairedLoss(self.n, self.both, self.full_only, self.student_only, self.neither, p, self.loss)


@dataclass(frozen=True)
class PairedLoss:
    """What the student loses against the full model on the same events.

    Attributes
    ----------
    n, both, full_only, student_only, neither
        All events, and how many are handled well by whom.
    mcnemar
        Two-sided p-value of McNemar's exact test.
    loss
        (full_only - student_only) / n, and its interval.
    """

    n: int
    both: int
    full_only: int
    student_only: int
    neither: int
    mcnemar: float
    loss: Interval


def paired(
    full: Bools, student: Bools, groups: Sequence[str | None] | None = None, seed: int = 0, confidence: float = 0.95
) -> Pairs:
    """Count pairs.

    Parameters
    ----------
    full, student
        Whether each handles the event well, shape (n,), n at least 1.
    groups
        Group of each event, shape (n,). Events of a group are not independent: where most have one, the interval is
        the wider, at either end, of Tango's and of a bootstrap that draws whole groups again.
    """
    b, c = int((full & ~student).sum()), int((student & ~full).sum())
    loss = tango(b, c, len(full), confidence)
    if groups is not None and mostly(groups):
        lost = full.astype(np.float64) - student
        drawn = bootstrap(
            lambda rows: float(lost[rows].mean()),
            strata=np.zeros(len(lost)),
            clusters=clusters_of(groups),
            draws=DRAWS,
            seed=seed,
            confidence=confidence,
        )
        loss = Interval(loss.value, min(loss.low, drawn.low), max(loss.high, drawn.high))
    return Pairs(int((full & student).sum()), b, c, int((~full & ~student).sum()), loss)


def mostly(groups: Sequence[str | None]) -> bool:
    """Whether more than half of the events have a group."""
    return 2 * sum(group is not None for group in groups) > len(groups)


def groups_at(context: CheckContext, rows: Bools) -> list[str | None]:
    """The groups of those events."""
    return [context.sample.groups[i] for i in np.flatnonzero(rows).tolist()]


def loss_decided(
    key: str, message: str, context: CheckContext, pairs: Pairs, grouped: bool, low: float = 1.0
) -> GateResult:
    """A finding on a net loss.

    Parameters
    ----------
    grouped
        Whether the interval allows for groups: the number of events needed follows then from its width.
    low
        A lower low end, where failing is corrected for the number of tests.
    """
    gate, loss = context.gate(key), pairs.loss
    needed = (
        events_for(loss, gate.limit, pairs.n)
        if grouped
        else needed_for_margin(gate.limit, pairs.n, pairs.full_only, pairs.student_only, SIDE)
    )
    return decided(key, message, gate, (loss.value, min(low, loss.low), loss.high), events=pairs.n, needed=needed)


def needed_for_share(k: int, n: int, limit: float) -> int | None:
    """Events with which the exact interval of k / n would no longer hold the limit, if the share stayed as it is."""
    if not k and 0 < limit < 1:
        return events_needed(limit, SIDE)
    return events_for(clopper_pearson(k, n), limit, n) if n else None


@dataclass(frozen=True)
class Share:
    """k of n.

    Attributes
    ----------
    share
        The share with Wilson's interval; None where n is 0.
    """

    k: int
    n: int
    share: Interval | None


def share(k: int, n: int) -> Share:
    """Return k of n with Wilson's interval."""
    return Share(k, n, wilson(k, n) if n else None)


def why_not(context: CheckContext, *models: str) -> str | None:
    """Why nothing can be said of what these models catch; None where it can."""
    for model in models:
        if model not in rates.answering(context):
            return rates.why_not(context, model)
    if not len(context.sample):
        return "there are no events"
    if context.benign_classes.all() or not context.benign_classes.any():
        which = "every" if context.benign_classes.all() else "no"
        return f"{which} class is benign, so no verdict tells attacks from others"
    if not context.labelled.any():
        return "no event has a label"
    if not (context.targets >= 0).any():
        given = next(label for label in context.sample.labels if label is not None)
        return f"no label is one that the models know: “{given}” is none of {', '.join(context.classes)}"
    return None
