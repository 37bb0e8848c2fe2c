"""Search exactly: every row is compared."""

from __future__ import annotations

from pathlib import Path

from overproof.inference.similarity.integers import Integers, cosines, wide
from overproof.inference.similarity.interface import Near, Search, best

AT_ONCE = 32  # queries whose cosines are held at once


def write_exact(rows: Integers, folder: Path, prefix: str = "") -> None:
    """Nothing is prepared."""


def open_exact(rows: Integers, folder: Path, prefix: str = "") -> Search:
    """Search in `rows`, which are held in memory for it."""
    known = wide(rows)

    def search(queries: Integers, k: int) -> list[Near]:
        asked = wide(queries)
        blocks = (cosines(asked[start : start + AT_ONCE], known) for start in range(0, len(queries), AT_ONCE))
        return [best(found, k) for block in blocks for found in block]

    return search
