"""Compare two models on the same events: who handles what, and what the second loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overproof.checks import rates
from overproof.checks.base import CONFIDENCE, Bools, CheckContext, GateResult, Measured, decided, unmeasured
from overproof.checks.interval_width import clusters_of, events_for, too_few_groups
from overproof.checks.reasons import NO_EVENTS
from overproof.checks.stats import (
    Interval,
    Resampling,
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
    """Events that the full model and the student handle well (attacks detected, benign events left alone), or not.

    Attributes
    ----------
    both, full_only, student_only, neither
        How many are handled by whom.
    loss
        (full_only - student_only) / n, the net loss, and its interval.
    grouped
        Whether the interval allows for groups.
    few_groups
        Why the groups are too few for that; None unless they are.
    """

    both: int
    full_only: int
    student_only: int
    neither: int
    loss: Interval
    grouped: bool = False
    few_groups: str | None = None

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
    both, neither = int((full & student).sum()), int((~full & ~student).sum())
    b, c = int((full & ~student).sum()), int((student & ~full).sum())
    loss = tango(b, c, len(full), confidence)
    if groups is None or not mostly(groups):
        return Pairs(both, b, c, neither, loss)
    lost = full.astype(np.float64) - student
    drawn = bootstrap(
        lambda rows: float(lost[rows].mean()),
        Resampling(np.zeros(len(lost)), clusters_of(groups), DRAWS, seed),
        confidence,
    )
    loss = Interval(loss.value, min(loss.low, drawn.low), max(loss.high, drawn.high))
    return Pairs(both, b, c, neither, loss, grouped=True, few_groups=too_few_groups(groups))


def mostly(groups: Sequence[str | None]) -> bool:
    """Tell whether more than half of the events have a group."""
    return 2 * sum(group is not None for group in groups) > len(groups)


def groups_at(context: CheckContext, rows: Bools) -> list[str | None]:
    """List the groups of those events."""
    return [context.sample.groups[i] for i in np.flatnonzero(rows).tolist()]


def loss_gate(key: str, message: str, context: CheckContext, pairs: Pairs, low: float = 1.0) -> GateResult:
    """Decide on a net loss; too few groups prove nothing.

    Parameters
    ----------
    low
        A lower low end, where failing is corrected for the number of tests.
    """
    if pairs.few_groups:
        return unmeasured(key, pairs.few_groups, context.gate(key), events=pairs.n)
    return loss_decided(key, message, context, pairs, low)


def loss_decided(key: str, message: str, context: CheckContext, pairs: Pairs, low: float) -> GateResult:
    """Decide on a net loss whatever its groups.

    Where the interval allows for groups, the number of events needed follows from its width.
    """
    gate, loss = context.gate(key), pairs.loss
    needed = (
        events_for(loss, gate.limit, pairs.n)
        if pairs.grouped
        else needed_for_margin(gate.limit, pairs.n, pairs.full_only, pairs.student_only, SIDE)
    )
    figure = Interval(loss.value, min(low, loss.low), loss.high)
    return decided(key, message, gate, Measured(figure, pairs.n, needed))


def needed_for_share(k: int, n: int, limit: float) -> int | None:
    """Say with how many events the exact interval of k / n would no longer hold the limit, the share being as it is."""
    if not k and 0 < limit < 1:
        return events_needed(limit, SIDE)
    return events_for(clopper_pearson(k, n), limit, n) if n else None


@dataclass(frozen=True)
class Share:
    """k of n.

    Attributes
    ----------
    k, n
        The counts.
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
    """Say why it cannot be known what these models detect; None where it can."""
    for model in models:
        if model not in rates.answering(context):
            return rates.why_not(context, model)
    if not len(context.sample):
        return NO_EVENTS
    if context.benign_classes.all() or not context.benign_classes.any():
        which = "every" if context.benign_classes.all() else "no"
        return f"{which} class is benign, so no verdict tells attacks from others"
    if not context.labelled.any():
        return "no event has a label"
    if not (context.targets >= 0).any():
        given = next(label for label in context.sample.labels if label is not None)
        return f"no label is one that the models know: “{given}” is none of {', '.join(context.classes)}"
    return None
