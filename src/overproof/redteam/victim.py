"""Ask a deployed model about edited events: what it says, how nearly otherwise, and whether it may say so alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Scorer, Scores, attack_of, softmax
from overproof.inference.cascade.policy import Policy, deferrals

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Reaction:
    """What a model makes of n texts.

    Attributes
    ----------
    odds
        Log-odds that a text is an attack, in nats; a search can follow them where the probability is 1.0 already.
    attack
        Whether the verdict is an attack.
    alone
        Whether the model decides it alone: it is sure, the text is like what it was taught, and was read to its end.
    strange
        By how much a text is too unlike them: 0 where it is not; `inf` where what was read is not all.
    """

    odds: Doubles
    attack: Bools
    alone: Bools
    strange: Doubles


Victim = Callable[[Sequence[str]], Reaction]


def victim(model: Scorer, benign: Sequence[bool], policy: Policy | None = None) -> Victim:
    """Make a victim of a model.

    Parameters
    ----------
    benign
        For each class of the model, whether it is benign.
    policy
        What the model may decide alone; None: everything.
    """
    innocent = np.asarray(benign, dtype=bool)

    def react(texts: Sequence[str]) -> Reaction:
        return reaction(model.score(texts), innocent, policy)

    return react


def reaction(scores: Scores, innocent: Bools, policy: Policy | None) -> Reaction:
    """Read a reaction off scores."""
    logits = scores.logits.astype(np.float64)
    n = len(logits)
    alone, strange = np.ones(n, dtype=bool), np.zeros(n)
    if policy is not None:
        alone[deferrals(scores, policy).rows] = False
        if policy.ood_distance and scores.ood_distance is not None:
            strange = np.maximum(0.0, scores.ood_distance / policy.ood_distance - 1.0)
        strange[scores.overflow & policy.overflow] = np.inf
    attack = attack_of(softmax(scores.logits), innocent) > 0.5
    odds = np.logaddexp.reduce(logits[:, ~innocent], axis=1) - np.logaddexp.reduce(logits[:, innocent], axis=1)
    return Reaction(odds, attack, alone, strange)
