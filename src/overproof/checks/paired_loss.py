"""What the student loses against the full model in some of the events, and the finding on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overproof.checks.base import Bools, CheckContext, GateResult, unmeasured
from overproof.checks.interval_width import clusters_of, too_few_groups
from overproof.checks.non_inferiority import Counts, Whole, counted, least_loss
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
    grouped
        Whether they do.
    few
        Why groups are too few to pass; None unless they are.
    """

    pairs: Pairs
    counts: Counts
    grouped: bool
    few: str | None


def clusters(context: CheckContext) -> Whole | None:
    """The group of each event as a number, shape (n,), an event without one being its own; None if most have none."""
    if not mostly(context.sample.groups):
        return None
    place: dict[object, int] = {}
    named = clusters_of(context.sample.groups) or []
    return np.array([place.setdefault(name, len(place)) for name in named], dtype=np.intp)


def loss_of(context: CheckContext, rows: Bools, full: Bools, student: Bools, cluster: Whole | None) -> Loss:
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
    groups = groups_at(context, rows)
    lost = full[rows].astype(np.int8) - student[rows]
    return Loss(
        paired(full[rows], student[rows], groups, context.seed),
        counted(lost, None if cluster is None else cluster[rows]),
        mostly(groups),
        too_few_groups(groups) if mostly(groups) else None,
    )


def loss_finding(key: str, message: str, context: CheckContext, loss: Loss, low: float = 1.0) -> GateResult:
    """Decide on a net loss: what passes is the interval of `paired`, what fails must stand `excess_p` besides.

    Parameters
    ----------
    low
        A lower low end, where failing is corrected for the number of tests.
    """
    low = min(low, loss.pairs.loss.low, least_loss(loss.counts, SIDE))
    if loss.few and low <= context.gate(key).limit:
        return unmeasured(key, f"{loss.few}: {message}", context.gate(key), events=loss.pairs.n)
    return loss_decided(key, message, context, loss.pairs, loss.grouped, low)
