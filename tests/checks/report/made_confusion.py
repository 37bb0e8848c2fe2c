"""What events are called and where they lie, made up, with hostile names."""

from __future__ import annotations

import math

from overproof.checks.confusion import Confusion, ConfusionCell, ConfusionRow
from overproof.checks.embedding_map import KINDS, EmbeddingMap, MapLayer

from .figures import EVIL, FAMILIES, F, Q, around, counted


def confusion() -> Confusion:
    """Three labels, the last of which nobody knows, and all families."""
    labels = ("benign", "attack", EVIL)
    rows = (
        row("benign", 7400, {"benign": (7396, 7391), "attack": (4, 9)}),
        row("attack", 3900, {"benign": (47, 80), "attack": (3853, 3820)}, differs="benign"),
        row(f"{EVIL} unknown", 101, {"benign": (0, 1), "attack": (101, 100)}),
    )
    families = tuple(
        row(name, n, {"benign": (0, 1), "attack": (n, n - 1)}, truth="attack") for name, (n, _, _) in FAMILIES.items()
    )
    return Confusion(labels, rows, (*families[1:], row(EVIL, 9, {"attack": (9, 9)}, truth="attack")), 0.998)


def row(name: str, n: int, called: dict[str, tuple[int, int]], differs: str = "", truth: str = "") -> ConfusionRow:
    """A row; `called` has what the full model and the student count."""
    cells = tuple(
        ConfusionCell(
            label, {F: counted(full, n), Q: counted(k, n)}, around((k - full) / n, 0.004 if label == differs else 0.6)
        )
        for label, (full, k) in called.items()
    )
    return ConfusionRow(name, (truth or name,), n, n - 1, cells)


def embedding_map() -> EmbeddingMap:
    """Two clouds, with misses between them."""
    places = {"benign": (-0.4, 0.1, 400), "detected": (0.4, -0.2, 380), "missed by both": (0.0, 0.3, 20)}
    return EmbeddingMap(
        benign=7400,
        attacks=4001,
        unplaced=2,
        variance=(0.61, 0.14),
        layers=tuple(layer(kind, *places.get(kind, (-0.3, 0.1, 33))) for kind in KINDS),
        reference=400,
        missed=counted(27, 33),
        detected=counted(6, 380),
        note=f"Of the second student {EVIL}",
    )


def layer(kind: str, x: float, y: float, n: int) -> MapLayer:
    """So many places around one."""
    spiral = [(0.02 * math.sqrt(i) * math.cos(i), 0.02 * math.sqrt(i) * math.sin(i)) for i in range(n)]
    return MapLayer(kind, tuple(round(x + a, 4) for a, _ in spiral), tuple(round(y + b, 4) for _, b in spiral))
