"""Replay the cascade that is to be deployed, its budget and all, on the events that did not choose the threshold."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.escalation.halves import random_key
from overproof.checks.escalation.result import AT_RANDOM, BY_TIME, Order, Replay
from overproof.checks.escalation.threshold import scores_of
from overproof.events.sources.values import moment
from overproof.inference.cascade.budget import RESERVED, Bucket, Rate
from overproof.inference.cascade.decision import spend
from overproof.inference.cascade.policy import deferrals

BATCH = 2048  # events that are judged together, as they are when files are read (`events.sources.read_events`)

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Replayed:
    """What became of the events.

    Attributes
    ----------
    escalated, deferred
        Whether the event went to the full model, or should have and was over the budget, shape (n,).
    lost
        Whether it is an attack that the full model detects and the student called benign without being overruled,
        shape (n,).
    counts
        The same in figures.
    """

    escalated: Bools
    deferred: Bools
    lost: Bools
    counts: Replay


def replay(context: CheckContext, threshold: float, rows: Bools) -> Replayed:
    """Run some events through policy and budget in batches, as triage does with what it reads.

    The budget starts empty, as it does there, and the full model always answers. The order of a file says little, since
    labelled events are often sorted by what they are: events go by their times where all have one, bursts and all, and
    in a random order otherwise.

    Parameters
    ----------
    rows
        Which events, shape (n,).
    """
    scores, policy = scores_of(context), replace(context.policy, confidence=threshold)
    bucket = Bucket(Rate(share=context.operation.budget))
    escalated, deferred = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    sent, over = Counter[str](), Counter[str]()
    order, how = in_order(context, np.flatnonzero(rows))
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        decision = spend(deferrals(scores.take(batch), policy), bucket)
        escalated[batch[decision.escalated]] = True
        deferred[batch[list(decision.deferred)]] = True
        sent.update(decision.deferrals.kinds[i] for i in decision.escalated)
        over.update(decision.deferrals.kinds[i] for i in decision.deferred)
    full, student = context.detected(FULL), context.detected(QUANTIZED)
    detected, benign = rows & context.attacks & full, rows & context.benign_events
    lost = detected & ~student & ~escalated
    counts = Replay(
        events=len(order),
        order=how,
        budget=context.operation.budget,
        escalated={kind: sent[kind] for kind in RESERVED},
        deferred={kind: over[kind] for kind in RESERVED},
        attacks=int(detected.sum()),
        lost=int(lost.sum()),
        lost_deferred=int((lost & deferred).sum()),
        benign=int(benign.sum()),
        flagged=int((benign & np.where(escalated, full, student)).sum()),
    )
    return Replayed(escalated, deferred, lost, counts)


def in_order(context: CheckContext, rows: Rows) -> tuple[Rows, Order]:
    """Put rows into the order in which they are replayed, and say which that is; that of the file tells nothing."""
    sample = context.sample
    seconds = [_seconds(sample.times[i]) for i in rows.tolist()]
    drawn = [random_key(context.seed, sample.texts[i], str(sample.labels[i])) for i in rows.tolist()]
    timed = all(math.isfinite(second) for second in seconds)
    place = sorted(range(len(rows)), key=lambda k: (seconds[k] if timed else 0.0, drawn[k]))
    return rows[place], BY_TIME if timed and len(rows) else AT_RANDOM


def _seconds(time: str | None) -> float:
    """Read ISO times and seconds since 1970; NaN for anything else."""
    try:
        return math.nan if time is None else float(time)
    except ValueError:
        found = moment(time or "")
        return math.nan if found is None else found.timestamp()
