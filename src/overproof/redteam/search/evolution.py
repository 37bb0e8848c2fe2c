"""Breed edited texts: the fittest of a population have children by crossover and further edits."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Proposals, Start
from overproof.redteam.search.moves import children, crossed, moved

POPULATION, ROUND, TOURNAMENT, CROSSOVER = 16, 12, 3, 0.5

Ranked = list[tuple[float, Edited]]


def evolution(start: Start, random: Random) -> Proposals:
    """Propose a first generation of single moves, then children of the fittest; the best of all so far stay."""
    proposed = children([Edited(start.text)], start, random, ROUND)
    ranked: Ranked = []
    while proposed:
        answers = yield proposed
        asked = zip((answer.loss for answer in answers), proposed, strict=True)
        ranked = sorted([*ranked, *asked], key=lambda pair: (pair[0], len(pair[1].steps)))[:POPULATION]
        bred = (_child(ranked, start, random) for _ in range(ROUND))
        proposed = [child for child in bred if child is not None] or children(
            [Edited(start.text)], start, random, ROUND
        )


def _child(ranked: Ranked, start: Start, random: Random) -> Edited | None:
    parent = _fit(ranked, random)
    if random.random() < CROSSOVER:
        parent = crossed(parent, _fit(ranked, random), start, random)
    return moved(parent, start, random)


def _fit(ranked: Ranked, random: Random) -> Edited:
    """Return the fittest of a few that are drawn."""
    return ranked[min(random.randrange(len(ranked)) for _ in range(TOURNAMENT))][1]
