"""Follow the gradients of a model whose weights the attacker holds: many edits are drawn, and few are asked about.

What is drawn is rated by a first-order estimate, as HotFlip rates exchanges of characters (Ebrahimi et al. 2018); a
copy of the model is asked about the most promising of these, and the deployed one about the best of them; the next
edits start from the best of all that was asked about. The first queries are chosen from many edits each, later ones
from fewer: drawing edits is what costs time.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from random import Random

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Proposals, Start
from overproof.redteam.search.moves import children

WIDTH = 3  # texts that edits go on from
DRAWN, SHORTLIST = 64, 16  # edits of a round, and those of them that the copy is asked about
CHOICE, FINALISTS = 4, 2  # the same for each query, where these come to more
EASE = 16  # queries after which a round asks one more
PATIENCE = 8  # rounds without gain, after which it begins anew

Rated = list[tuple[float, Edited]]


def gradient(start: Start, random: Random) -> Proposals:
    """Propose the most promising edits of the best texts so far, and of the original while there are none."""
    if start.guide is None:
        raise ValueError("a search by gradients needs a guide")
    best: Rated = []
    idle = 0
    asked: set[str] = {start.text}
    while True:
        queries = 1 + len(asked) // EASE
        parents = [edited for _, edited in best] or [Edited(start.text)]
        proposed = _promising(parents, start, random, asked, queries)
        proposed = proposed or _promising([Edited(start.text)], start, random, asked, queries)
        if not proposed:
            return
        asked |= {edited.text for edited in proposed}
        answers = yield proposed
        found = zip((answer.loss for answer in answers), proposed, strict=True)
        before, best = best[:1], sorted([*best, *found], key=_order)[:WIDTH]
        idle = idle + 1 if best[:1] == before else 0
        if idle == PATIENCE or any(answer.refused for answer in answers):
            best, idle = [], 0  # what refused a text refuses what is made of it


def _promising(
    parents: Sequence[Edited], start: Start, random: Random, asked: AbstractSet[str], queries: int
) -> list[Edited]:
    """Draw edits that were not asked about, and return so many of the most promising."""
    assert start.guide is not None
    rated: dict[str, tuple[float, Edited]] = {}
    for parent in parents:
        drawn = children([parent], start, random, max(DRAWN, CHOICE * queries) // len(parents))
        fresh = list({one.text: one for one in drawn if one.text not in asked and one.text not in rated}.values())
        losses = start.guide.estimate(parent.text, [edited.text for edited in fresh]) if fresh else ()
        rated.update({one.text: (loss, one) for loss, one in zip(losses, fresh, strict=True)})
    short = [one for _, one in sorted(rated.values(), key=_order)[: max(SHORTLIST, FINALISTS * queries)]]
    known = zip(start.guide.exact([one.text for one in short]), short, strict=True) if short else ()
    return [one for _, one in sorted(known, key=_order)[:queries]]


def _order(rated: tuple[float, Edited]) -> tuple[float, int]:
    return rated[0], len(rated[1].steps)
