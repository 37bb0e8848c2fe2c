"""Shorten successes to their fewest edits: what is left is what fooled the model.

Parts of the chain are left out, halves first and single edits last, as long as what remains still counts: delta
debugging (Zeller and Hildebrandt 2002, `ddmin`), of all events side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from overproof.redteam.base import Edited, replay
from overproof.redteam.search.drive import Asked
from overproof.redteam.search.interface import Start

Counts = Callable[[Sequence[Asked]], Mapping[int, int]]  # edited texts to the first of each event that counts


def fewest_edits(found: Mapping[int, Edited], starts: Sequence[Start], counts: Counts) -> dict[int, Edited]:
    """Leave out what is not needed of each success.

    The queries that it takes are not the attacker's, who has won already.

    Parameters
    ----------
    found
        Event to its success.
    counts
        Event to the first of its edited texts that is a success as well, as its place among those asked about.
    """
    left = dict(found)
    sizes = {event: (len(edited.steps) + 1) // 2 for event, edited in found.items() if len(edited.steps) > 1}
    while sizes:
        asked = [
            Asked(event, shorter)
            for event, size in sizes.items()
            for shorter in _shorter(left[event], size, starts[event])
        ]
        better = {event: asked[row].edited for event, row in counts(asked).items()}
        left.update(better)
        sizes = {event: _next(size, left[event], event in better) for event, size in sizes.items()}
        sizes = {event: size for event, size in sizes.items() if size}
    return left


def _shorter(edited: Edited, size: int, start: Start) -> list[Edited]:
    """Leave out each part of the chain of so many edits in turn, the last first: it is the likeliest to be idle."""
    steps = edited.steps
    kept = [(*steps[:at], *steps[at + size :]) for at in range(0, len(steps), size)]
    made = [replay(start.text, some, start.mutators) for some in reversed(kept)]
    return [one for one in made if one.steps and len(one.steps) < len(steps)]


def _next(size: int, edited: Edited, better: bool) -> int:
    """Return how many edits to leave out next; 0 where no more can be."""
    if len(edited.steps) < 2:
        return 0
    return min(size, len(edited.steps) // 2) if better else size // 2
