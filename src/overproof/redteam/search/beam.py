"""Keep the few best edited texts, and go on from them: greedy search, with a beam against dead ends."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Proposals, Start
from overproof.redteam.search.moves import children

WIDTH, ROUND = 3, 12


def beam(start: Start, random: Random) -> Proposals:
    """Propose children of the best texts so far, and of the original while there are none."""
    best: list[tuple[float, Edited]] = []
    while True:
        parents = [edited for _, edited in best] or [Edited(start.text)]
        proposed = children(parents, start, random, ROUND) or children([Edited(start.text)], start, random, ROUND)
        if not proposed:
            return
        answers = yield proposed
        asked = zip((answer.loss for answer in answers), proposed, strict=True)
        best = sorted([*best, *asked], key=lambda pair: (pair[0], len(pair[1].steps)))[:WIDTH]
