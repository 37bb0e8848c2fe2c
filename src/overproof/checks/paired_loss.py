"""Measure what the student loses against the full model in some of the events, and decide on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overproof.checks.base import Bools, CheckContext, GateResult, unmeasured
from overproof.checks.interval_width import clusters_of
from overproof.checks.non_inferiority import Counts, Integers, counted, least_loss
from overproof.checks.pairs import SIDE, Pairs, groups_at, loss_decided, mostly, paired


@dataclass(frozen=True)
class Loss:
    """A net loss.

    Attributes
    ----------
    pairs
        The counts, and the interval by which it passes.
    counts
        The counts by which it fails: fewer where events come in groups.
    """

    pairs: Pairs
    counts: Counts


def clusters(context: CheckContext) -> Integers | None:
    """Give each event's group a number, shape (n,), an event without one being its own; None if most have none."""
    if not mostly(context.sample.groups):
        return None
    place: dict[object, int] = {}
    named = clusters_of(context.sample.groups) or []
    return np.array([place.setdefault(name, len(place)) for name in named], dtype=np.intp)


def loss_of(context: CheckContext, rows: Bools, full: Bools, student: Bools, cluster: Integers | None) -> Loss:
    """Compare the models on some events.

    Parameters
    ----------
    rows
        Which events, shape (n,), at least one.
    full, student
        What each handles well, shape (n,).
    cluster
        What `clusters` gives.
    """
    lost = full[rows].astype(np.int8) - student[rows]
    return Loss(
        paired(full[rows], student[rows], groups_at(context, rows), context.seed),
        counted(lost, None if cluster is None else cluster[rows]),
    )


def loss_gate(key: str, message: str, context: CheckContext, loss: Loss, low: float = 1.0) -> GateResult:
    """Decide on a net loss: what passes is the interval of `paired`, what fails must stand `excess_p` besides.

    Parameters
    ----------
    low
        A lower low end, where failing is corrected for the number of tests.
    """
    pairs = loss.pairs
    low = min(low, pairs.loss.low, least_loss(loss.counts, SIDE))
    if pairs.few_groups and low <= context.gate(key).limit:
        return unmeasured(key, f"{pairs.few_groups}: {message}", context.gate(key), events=pairs.n)
    return loss_decided(key, message, context, pairs, low)
