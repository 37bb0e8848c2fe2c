"""Search among the known events of one kind, or of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overproof.events.templates.kinds import KINDS
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.integers import Integers
from overproof.inference.similarity.interface import Near, Search
from overproof.inference.similarity.store import SPELLED, Card, embeddings_of, spellings_of

NONE = Near(np.zeros(0, dtype=np.intp), np.zeros(0))


@dataclass(frozen=True)
class _OfKind:
    """The known events of one kind: how to search among them and their spellings, which rows of the index they are."""

    search: Search
    spelled: Search
    rows: NDArray[np.intp]


class Known:
    """The known events of an index, kind by kind.

    Parameters
    ----------
    of_kind
        Shape (rows,): places in `KINDS`.

    Raises
    ------
    ValueError
        The events of a kind are not as many as the card says, or a graph is not theirs.
    """

    def __init__(self, folder: Path, card: Card, of_kind: NDArray[np.uint8]) -> None:
        self.kinds = card.kinds
        self._parts: dict[str, _OfKind] = {}
        for kind, count in card.kinds.items():
            rows = np.flatnonzero(of_kind == KINDS.index(kind))
            if len(rows) != count:
                raise ValueError(f"{len(rows)} events of kind {kind}, expected {count}")
            opened = SEARCHES[card.search][1]
            search = opened(embeddings_of(folder, card, kind), folder, f"{kind}.")
            spelled = opened(spellings_of(folder, card, kind), folder, f"{kind}.{SPELLED}")
            self._parts[kind] = _OfKind(search, spelled, rows)

    def within(self, kind: str, queries: Integers, k: int) -> list[Near]:
        """Return the nearest events of a kind to each query; none where there is no such event."""
        part = self._parts.get(kind)
        if part is None:
            return [NONE] * len(queries)
        found = part.search(queries, min(k, len(part.rows)))
        return [Near(part.rows[near.rows], near.cosines) for near in found]

    def alike(self, kind: str, spelled: Integers) -> list[Near]:
        """Return the event of a kind that is spelled most like each query; none where there is no such event."""
        part = self._parts.get(kind)
        if part is None:
            return [NONE] * len(spelled)
        return [Near(part.rows[near.rows], near.cosines) for near in part.spelled(spelled, 1)]

    def anywhere(self, queries: Integers, k: int) -> list[Near]:
        """Return the nearest events of any kind to each query; of equal ones the lower row comes first."""
        found = [self.within(kind, queries, k) for kind in self._parts]
        return [_first(list(one), k) for one in zip(*found, strict=True)]


def _first(found: list[Near], k: int) -> Near:
    rows = np.concatenate([near.rows for near in found])
    cosines = np.concatenate([near.cosines for near in found])
    order = np.lexsort((rows, -cosines))[:k]
    return Near(rows[order], cosines[order])
