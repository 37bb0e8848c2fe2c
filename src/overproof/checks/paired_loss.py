"""Measure what the student loses against the full model in some of the events, and decide on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from overproof.checks.base import Bools, CheckContext, GateResult, decided
from overproof.checks.non_inferiority import Counts, counted, excess_p, least_loss
from overproof.checks.pairs import SIDE, Pairs, loss_measured, paired
from overproof.checks.stats import Interval


@dataclass(frozen=True)
class Loss:
    """A net loss.

    Attributes
    ----------
    pairs
        The counts, and the interval by which it passes.
    counts
        The counts by which it fails, for plain events and for each way in which events hang together.
    """

    pairs: Pairs
    counts: tuple[Counts, ...]

    def excess_p(self, limit: float) -> float:
        """Return the p-value that more than the limit is lost (see `non_inferiority.excess_p`)."""
        return max(excess_p(counts, limit) for counts in self.counts)

    def at_least(self, confidence: float = SIDE) -> float:
        """Return the one-sided lower limit of the net loss, at least 0."""
        return min(least_loss(counts, confidence) for counts in self.counts)


def loss_of(context: CheckContext, rows: Bools, full: Bools, student: Bools) -> Loss:
    """Compare the models on some events.

    Parameters
    ----------
    rows
        Which events, shape (n,), at least one.
    full, student
        What each handles well, shape (n,).
    """
    pairs = paired(full[rows], student[rows], context.units.take(rows))
    return Loss(pairs, counted(pairs.lost, pairs.units))


def decide_loss(
    key: str, context: CheckContext, loss: Loss, message: Callable[[Interval], str], *, low: float = 1.0
) -> GateResult:
    """Decide on a net loss: what passes is the interval of `paired`, what fails must stand `excess_p` besides.

    Parameters
    ----------
    message
        The message, given the interval by which it is decided.
    low
        A lower low end, where failing is corrected for the number of tests.
    """
    gate = context.gate(key)
    measured = loss_measured(loss.pairs, gate.limit)
    figure = replace(measured.figure, low=float(np.min([low, measured.figure.low, loss.at_least()])))
    return decided(key, message(figure), gate, replace(measured, figure=figure))
