"""Learn while searching which edits help: a bandit whose arms are mutators, each one time or several at once.

Thompson sampling (Thompson 1933; Agrawal and Goyal 2012) of the chance that an arm improves on the best text so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Proposals, Start
from overproof.redteam.search.moves import moved

ROUND = 8
REPEATS = (1, 4, 12)
PATIENCE = 8  # rounds without gain, after which it begins anew, with what it has learned of its arms

Arm = tuple[str, int]


def bandit(start: Start, random: Random) -> Proposals:
    """Propose what the arms make of the best text so far; an arm that improved it is drawn more often."""
    wins: dict[Arm, list[int]] = {(name, times): [1, 1] for name in sorted(start.mutators) for times in REPEATS}
    chances = np.random.default_rng(random.getrandbits(64))  # a round's hundreds at once: a third of a search's time
    best, least, idle = Edited(start.text), float("inf"), 0
    while True:
        if idle == PATIENCE:
            best, least, idle = Edited(start.text), float("inf"), 0
        drawn = _drawn(wins, chances)
        made = [(arm, _pulled(arm, best, start, random)) for arm in drawn]
        proposed = [(arm, edited) for arm, edited in made if edited is not None]
        for arm, edited in made:
            wins[arm][1] += edited is None  # an arm that does not apply is not drawn forever
        if not proposed:
            fresh = moved(Edited(start.text), start, random)
            if fresh is None:
                return
            proposed = [(drawn[0], fresh)]
        answers = yield [edited for _, edited in proposed]
        before = least
        for (arm, edited), answer in zip(proposed, answers, strict=True):
            wins[arm][0 if answer.loss < before else 1] += 1
            if answer.loss < least:
                best, least = edited, answer.loss
        idle = 0 if least < before else idle + 1


def _drawn(wins: Mapping[Arm, list[int]], chances: np.random.Generator) -> list[Arm]:
    """Draw the arms of a round, each as the one that by chance seems best."""
    arms, counts = list(wins), np.array(list(wins.values()), dtype=np.float64)
    found = chances.beta(counts[:, 0], counts[:, 1], size=(ROUND, len(arms)))
    return [arms[place] for place in found.argmax(axis=1).tolist()]


def _pulled(arm: Arm, best: Edited, start: Start, random: Random) -> Edited | None:
    name, times = arm
    alone = Start(start.text, {name: start.mutators[name]}, start.longest)
    return moved(best, alone, random, count=times)
