"""Say what is looked for: when a reaction to an edited event is a success, and how near one that is not has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from overproof.redteam.victim import Bools, Doubles, Reaction

UNLIKE = 4.0  # nats that a text as far again from what was taught as is allowed is worth


@dataclass(frozen=True)
class Objective:
    """Something that an attacker may want.

    Attributes
    ----------
    wants
        In a sentence.
    edits
        Which events are edited.
    loss
        Of the student's reactions and those of the student before quantization: less is nearer, shape (n,).
    fooled
        Of the same: which texts do it, as far as the student alone can tell.
    full
        What the full model has to say for it to count; None: it is not asked.
    differs
        Whether the student before quantization is asked too.
    odds
        Which way the log-odds of an attack have to go: what a guide is followed by.
    """

    wants: str
    edits: Literal["attacks", "benign"]
    loss: Callable[[Reaction, Reaction], Doubles]
    fooled: Callable[[Reaction, Reaction], Bools]
    full: Literal["attack", "benign"] | None = None
    differs: bool = False
    odds: Literal[-1, 1] = -1


def _odds(now: Reaction, before: Reaction) -> Doubles:
    return now.odds


def _odds_unseen(now: Reaction, before: Reaction) -> Doubles:
    """Low odds, of a text that is not passed on: the surer the student is, the lower they are."""
    return now.odds + UNLIKE * now.strange


def _between(now: Reaction, before: Reaction) -> Doubles:
    """Below 0 where INT8 says benign and FP32 attack."""
    return np.maximum(now.odds, -before.odds)


OBJECTIVES: Mapping[str, Objective] = {
    "evasion": Objective(
        "an attack that the student alone decides is benign, and the full model would detect",
        "attacks",
        _odds_unseen,
        lambda now, before: ~now.attack & now.alone,
        "attack",
    ),
    "bypass": Objective(
        "an attack that gets past the whole cascade: the student alone decides that it is benign",
        "attacks",
        _odds_unseen,
        lambda now, before: ~now.attack & now.alone,
    ),
    "blind-spot": Objective(
        "an attack that the student calls benign, sure or not, and the full model detects",
        "attacks",
        _odds,
        lambda now, before: ~now.attack,
        "attack",
    ),
    "grid": Objective(
        "an attack that is benign to INT8 and an attack to FP32: an artefact of the grid",
        "attacks",
        _between,
        lambda now, before: ~now.attack & before.attack,
        differs=True,
    ),
    "false-alarm": Objective(
        "a benign event that the student alone decides is an attack, and the full model would not",
        "benign",
        lambda now, before: -now.odds + UNLIKE * now.strange,
        lambda now, before: now.attack & now.alone,
        "benign",
        odds=1,
    ),
    "flood": Objective(
        "a benign event that costs the full model's time",
        "benign",
        lambda now, before: np.abs(now.odds) - UNLIKE * np.minimum(now.strange, 1e3),
        lambda now, before: ~now.alone,
        odds=1,
    ),
}
