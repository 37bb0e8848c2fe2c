"""Compare two models on the same events: who handles what, and what the second loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import CONFIDENCE, Bools, CheckContext, GateResult, Measured, decided
from overproof.checks.formatting import change_within
from overproof.checks.interval_width import needed_units
from overproof.checks.reasons import NO_EVENTS
from overproof.checks.stats import Interval, Units, difference_within, mcnemar, share_within, wilson

SIDE = (1 + CONFIDENCE) / 2  # each end of a two-sided interval holds alone with this confidence


@dataclass(frozen=True)
class Pairs:
    """Events that the full model and the student handle well (attacks detected, benign events left alone), or not.

    Attributes
    ----------
    lost
        1 where the full model alone handles the event well, -1 where the student alone does, else 0; shape (n,).
    both
        How many both handle well.
    units
        How the events hang together.
    loss
        (full_only - student_only) / n, the net loss, and its interval.
    """

    lost: NDArray[np.int8]
    both: int
    units: Units
    loss: Interval

    @property
    def n(self) -> int:
        """All events."""
        return len(self.lost)

    @property
    def full_only(self) -> int:
        """How many the full model alone handles well."""
        return int((self.lost > 0).sum())

    @property
    def student_only(self) -> int:
        """How many the student alone handles well."""
        return int((self.lost < 0).sum())

    def result(self) -> PairedLoss:
        """Return the counts as the report has them, with the two-sided p-value of McNemar's exact test."""
        b, c = self.full_only, self.student_only
        return PairedLoss(
            self.n, self.units.count, self.both, b, c, self.n - self.both - b - c, mcnemar(b, c), self.loss
        )


@dataclass(frozen=True)
class PairedLoss:
    """What the student loses against the full model on the same events.

    Attributes
    ----------
    n, units
        All events, and how many of them are independent.
    both, full_only, student_only, neither
        How many of all events are handled well by whom.
    mcnemar
        Two-sided p-value of McNemar's exact test, as if all events were independent.
    loss
        (full_only - student_only) / n, and its interval.
    """

    n: int
    units: int
    both: int
    full_only: int
    student_only: int
    neither: int
    mcnemar: float
    loss: Interval


def paired(full: Bools, student: Bools, units: Units | None = None) -> Pairs:
    """Count pairs.

    Parameters
    ----------
    full, student
        Whether each handles the event well, shape (n,), n at least 1.
    units
        How the events hang together; None is not at all. The interval is Tango's (see `stats.units`).
    """
    units = units or Units(len(full))
    lost = full.astype(np.int8) - student
    return Pairs(lost, int((full & student).sum()), units, difference_within(lost, units))


def loss_measured(pairs: Pairs, limit: float) -> Measured:
    """Return a net loss as a gate is decided by it."""
    units = pairs.units

    def bound(times: float) -> Interval:
        return difference_within(pairs.lost, units, CONFIDENCE, times)

    return Measured(pairs.loss, pairs.n, needed_units(bound, limit, units.count), units.count)


def share_measured(hit: Bools, units: Units, limit: float) -> Measured:
    """Return a share of events as a gate is decided by it.

    Parameters
    ----------
    hit
        Of each event, whether it counts, shape (n,), n at least 1.
    """

    def bound(times: float) -> Interval:
        return share_within(hit, units, CONFIDENCE, times)

    return Measured(bound(1), len(hit), needed_units(bound, limit, units.count), units.count)


def loss_gate(key: str, message: str, context: CheckContext, pairs: Pairs) -> GateResult:
    """Decide on a net loss.

    Parameters
    ----------
    message
        What was counted; the loss and its interval are added.
    """
    gate = context.gate(key)
    return decided(key, f"{message}: {change_within(pairs.loss)}, net", gate, loss_measured(pairs, gate.limit))


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
