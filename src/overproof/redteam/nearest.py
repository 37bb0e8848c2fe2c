"""Find the edited texts that come nearest to fooling a model: those that it has most to learn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overproof.redteam.base import Mutators
from overproof.redteam.campaign import Target, start_of
from overproof.redteam.objectives import Objective
from overproof.redteam.search import SEARCHES
from overproof.redteam.search.drive import Asked, drive
from overproof.redteam.search.interface import Answer
from overproof.redteam.victim import Victim


@dataclass(frozen=True)
class Nearest:
    """What an attack has made of an event.

    Attributes
    ----------
    target
        The event.
    text
        The edited text that comes nearest to what was looked for, of those that the model was asked about.
    fooled
        Whether that text fools the model.
    """

    target: Target
    text: str
    fooled: bool


@dataclass(frozen=True)
class Search:
    """How edited texts are looked for.

    Attributes
    ----------
    name
        Of `SEARCHES`.
    objective
        What is looked for; one that asks the model alone.
    mutators
        By domain.
    budget
        Queries an event.
    seed
        Of everything random.
    """

    name: str
    objective: Objective
    mutators: Mapping[str, Mutators]
    budget: int
    seed: str


def nearest(targets: Sequence[Target], victim: Victim, search: Search) -> list[Nearest]:
    """Attack events side by side, each until the model is fooled or the budget is spent.

    Nobody rules on what is found: edits keep the meaning by construction, and what does not fool the model is as
    instructive as what does. An event that no edit has a place in is left out.
    """
    least: dict[int, tuple[float, Nearest]] = {}

    def ask(asked: Sequence[Asked]) -> list[Answer]:
        if not asked:
            return []
        now = victim([one.edited.text for one in asked])
        losses, fooled = (found(now, now).tolist() for found in (search.objective.loss, search.objective.fooled))
        for one, loss, does in zip(asked, losses, fooled, strict=True):
            if loss < (least[one.event][0] if one.event in least else math.inf):
                least[one.event] = loss, Nearest(targets[one.event], one.edited.text, does)
        return [Answer(loss, does) for loss, does in zip(losses, fooled, strict=True)]

    starts = [start_of(target, search.mutators) for target in targets]
    seeds = [f"{search.seed} {target.text}" for target in targets]
    drive(SEARCHES[search.name], starts, ask, budget=search.budget, seeds=seeds)
    return [least[event][1] for event in sorted(least)]
