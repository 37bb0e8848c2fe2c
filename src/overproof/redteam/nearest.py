"""Find the edited texts that come nearest to fooling a model: those that it has most to learn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overproof.redteam.base import Mutators
from overproof.redteam.campaign import Target, start_of
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
        The edited text that the model holds least for an attack, of those that it was asked about.
    odds
        The model's log-odds that it is an attack, in nats: below 0 it is fooled.
    """

    target: Target
    text: str
    odds: float


@dataclass(frozen=True)
class Search:
    """How edited texts are looked for.

    Attributes
    ----------
    name
        Of `SEARCHES`.
    mutators
        By domain.
    budget
        Queries an event.
    seed
        Of everything random.
    """

    name: str
    mutators: Mapping[str, Mutators]
    budget: int
    seed: str


def nearest(targets: Sequence[Target], victim: Victim, search: Search) -> list[Nearest]:
    """Attack events side by side, each until the model is fooled or the budget is spent.

    Nobody rules on what is found: edits keep the meaning by construction, and what does not fool the model is as
    instructive as what does. An event that no edit has a place in is left out.
    """
    least: dict[int, Nearest] = {}

    def ask(asked: Sequence[Asked]) -> list[Answer]:
        if not asked:
            return []
        odds = victim([one.edited.text for one in asked]).odds.tolist()
        for one, found in zip(asked, odds, strict=True):
            if found < (least[one.event].odds if one.event in least else math.inf):
                least[one.event] = Nearest(targets[one.event], one.edited.text, found)
        return [Answer(found, found < 0) for found in odds]

    starts = [start_of(target, search.mutators) for target in targets]
    seeds = [f"{search.seed} {target.text}" for target in targets]
    drive(SEARCHES[search.name], starts, ask, budget=search.budget, seeds=seeds)
    return [least[event] for event in sorted(least)]
