"""Replay the cascade that is to be deployed, with its budget, over benign events among hostile ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, Scores
from overproof.bundle.tiers import Student
from overproof.checks.attacked import FloodMix
from overproof.inference.cascade import Bucket, Cascade, Full, Policy, Rate

HOSTILE = (0.1, 0.5, 0.9)  # shares of the events, one mix each
BATCH = 256
ROUNDING = 1e-9  # of sums of fractions of an event

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Flood:
    """What a flood is replayed with.

    Attributes
    ----------
    student, policy, share
        The cascade that is to be deployed, and its budget: the share of the events that may be escalated.
    scores, full
        What the student says of the events, and the full model's probabilities, shape (n, classes): of the benign ones
        first, then of the hostile ones.
    benign
        How many are benign.
    seed
        Of the order.
    """

    student: Student
    policy: Policy
    share: float
    scores: Scores
    full: Floats
    benign: int
    seed: int

    def mixes(self) -> tuple[FloodMix, ...]:
        """Replay every mix."""
        alone = self.judged(np.arange(self.benign), Rate(share=1.0)).labels
        return tuple(self._mix(share, alone) for share in HOSTILE)

    def _mix(self, hostile_share: float, alone: Rows) -> FloodMix:
        """Replay every benign event once, among so many hostile ones that they make up their share.

        Parameters
        ----------
        alone
            How each benign event is decided where nothing is over the budget.
        """
        random = np.random.default_rng([self.seed, round(100 * hostile_share)])
        hostile = round(self.benign * hostile_share / (1 - hostile_share))
        drawn = random.integers(self.benign, len(self.full), hostile)
        order = random.permutation(np.concatenate([np.arange(self.benign), drawn]))
        quiet = order < self.benign
        found, before = self.judged(order, Rate(share=self.share)), self.judged(order[quiet], Rate(share=self.share))
        return FloodMix(
            hostile_share=hostile_share,
            events=len(order),
            benign=self.benign,
            over=found.over,
            changed=int((quiet & found.decided & (found.labels != alone[np.where(quiet, order, 0)])).sum()),
            deferred=int((quiet & ~found.decided).sum()),
            deferred_before=int((~before.decided).sum()),
        )

    def judged(self, order: Rows, rate: Rate) -> Judged:
        """Judge events in this order, in batches, as they are when they come in."""
        full = Full(tuple(self.student.classes), lambda rows: self.full[[int(row) for row in rows]], "full")
        cascade = Cascade(self.student, full, self.policy, Bucket(rate))
        decided, passed_on, asked = (np.zeros(len(order), dtype=bool) for _ in range(3))
        labels, over = np.full(len(order), -1, dtype=np.intp), 0.0
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            scores = self.scores.take(batch)
            decision = cascade.decide(scores)
            verdicts = cascade.columns(scores, decision, cascade.ask([str(batch[i]) for i in decision.escalated]))
            decided[start : start + BATCH] = np.array(verdicts.settled.status) == "decided"
            labels[start : start + BATCH] = verdicts.best
            passed_on[[start + i for i in decision.deferrals.rows]] = True
            asked[[start + i for i in decision.escalated]] = True
            over = max(over, int(asked.sum()) - (rate.share or 0.0) * (start + len(batch)))
        return Judged(decided, labels, passed_on, asked, math.ceil(over - ROUNDING))


@dataclass(frozen=True)
class Judged:
    """What became of n events, in their order.

    Attributes
    ----------
    decided, labels
        Which were decided, and as what; of the others the label is the student's, which decides nothing.
    passed_on, asked
        Which the policy does not leave to the student, and of which of these the full model was asked.
    over
        By how many events the budget was exceeded at the worst moment.
    """

    decided: NDArray[np.bool_]
    labels: Rows
    passed_on: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    over: int
