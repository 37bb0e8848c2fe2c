"""Try chains of edits at random: what anybody can do who sees verdicts alone, and what others are compared with."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Proposals, Start
from overproof.redteam.search.moves import moved

ROUND = 8
LONGEST_CHAIN = 12


def random_edits(start: Start, random: Random) -> Proposals:
    """Propose chains of any length from the original, whatever the answers are."""
    while True:
        made = (moved(Edited(start.text), start, random, count=random.randint(1, LONGEST_CHAIN)) for _ in range(ROUND))
        proposed = [edited for edited in made if edited is not None]
        if not proposed:
            return
        yield proposed
