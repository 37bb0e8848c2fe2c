"""Define what the checks see of an attack on the events: who fell, which edits did it, and what a flood did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from overproof.results.attack_cases import Case
from overproof.results.typed_json import NotMeasured

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
EVASION, BYPASS, FLOOD = "evasion", "bypass", "flood"


@dataclass(frozen=True)
class AttackSettings:
    """How events are attacked; the seed is the check's.

    Attributes
    ----------
    queries
        Edited texts of each event that a model is asked about; 0: the bundle is not attacked.
    sample
        Attacks, and benign events, that are edited at most, evenly over the families.
    """

    queries: int
    sample: int


NO_ATTACK = AttackSettings(0, 0)
NOT_ATTACKED = NotMeasured("the bundle was not attacked")


@dataclass(frozen=True)
class Fallen:
    """What one attack did to one model.

    Attributes
    ----------
    objective, model
        What was looked for, and in what.
    wants
        The former in a sentence.
    rows
        The events of the sample that were attacked, shape (n,).
    fell
        Whether an edited text was found that does what was looked for, its meaning proved, shape (n,).
    detected
        Whether the full model alone detects that text, shape (n,); False where there is none.
    """

    objective: str
    model: str
    wants: str
    rows: Rows
    fell: Bools
    detected: Bools


@dataclass(frozen=True)
class FloodMix:
    """The cascade replayed with its budget over benign and hostile events in one mix.

    Attributes
    ----------
    hostile_share
        Share of the events that are hostile.
    events, benign
        All events, and those that are benign.
    over
        By how many events the budget was exceeded, at the worst moment.
    changed
        Benign events that were decided otherwise than without a flood.
    deferred, deferred_before
        Benign events over the budget, and how many are without the flood.
    """

    hostile_share: float
    events: int
    benign: int
    over: int
    changed: int
    deferred: int
    deferred_before: int


@dataclass(frozen=True)
class Attacked:
    """What an attack on the events came to.

    Attributes
    ----------
    threshold
        The confidence below which the cascade that was attacked passes an event on: the one that the escalation check
        found; None where it found none, and the bundle's own thresholds were taken.
    fallen
        What each attack did to each model; an attack that could not be made is missing.
    why_not
        Objective, or model, to why that attack could not be made.
    flood
        The replays under flood.
    left_out
        Why events were not attacked, to how many.
    cases
        Every success against the bundle.
    """

    threshold: float | None
    fallen: tuple[Fallen, ...]
    flood: tuple[FloodMix, ...] | NotMeasured
    why_not: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()

    def find(self, objective: str, model: str) -> Fallen | None:
        """Return what an attack did to a model; None where it was not made."""
        return next((one for one in self.fallen if (one.objective, one.model) == (objective, model)), None)
