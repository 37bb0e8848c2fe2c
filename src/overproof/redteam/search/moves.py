"""Make several edits at once, and cross two chains of edits."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from overproof.redteam.base import Edited, Mutators, mutated, replay
from overproof.redteam.search.interface import Start

BURSTS = (1, 1, 2, 4, 8, 12)  # edits at once: some moves are small, some leave a plateau
ALIKE = 0.5


def moved(edited: Edited, start: Start, random: Random, *, count: int | None = None) -> Edited | None:
    """Make some edits more, of which as many are kept as fit; None where none does.

    Where their number is not given, half of the time all are by one mutator: a dozen comments full of words do what one
    of each kind does not.
    """
    if count is not None:
        return _repeated(edited, start, start.mutators, (random, count))
    count = random.choice(BURSTS)
    if random.random() < ALIKE:
        name = random.choice(sorted(start.mutators))
        alike = _repeated(edited, start, {name: start.mutators[name]}, (random, count))
        if alike is not None:
            return alike
    return _repeated(edited, start, start.mutators, (random, count))


def _repeated(edited: Edited, start: Start, mutators: Mutators, times: tuple[Random, int]) -> Edited | None:
    found, (random, count) = edited, times
    for _ in range(count):
        one = mutated(found, mutators, random)
        if one is None or not start.fits(one):
            break
        found = one
    return None if found is edited else found


def children(parents: Sequence[Edited], start: Start, random: Random, count: int) -> list[Edited]:
    """Move `count` times from parents that are taken in turn; fewer where nothing applies."""
    made = (moved(parents[place % len(parents)], start, random) for place in range(count))
    return [child for child in made if child is not None]


def crossed(one: Edited, other: Edited, start: Start, random: Random) -> Edited:
    """Join the beginning of one chain of edits with the end of another, as far as they apply."""
    head = one.steps[: random.randint(0, len(one.steps))]
    tail = other.steps[random.randint(0, len(other.steps)) :]
    found = replay(start.text, (*head, *tail), start.mutators)
    return found if start.fits(found) else one
