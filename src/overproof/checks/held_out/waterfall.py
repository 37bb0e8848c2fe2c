"""Where it was lost: from the full model over the distilled student to the quantized one."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.checks import rates
from overproof.checks.base import CONTROL, DISTILLED, FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.stats import tango, wilson


def waterfall(context: CheckContext) -> list[dict[str, Any]]:
    """What each step gained or lost (docs/check-schema.md, `cost`); a figure without events is left out.

    A step is a paired difference (gained - lost) / n with Tango's interval: negative is worse. The control is the
    distilled student trained again: what it differs by is no cost of compression.
    """
    there = rates.answering(context)
    known = context.labelled & (context.targets >= 0).any()
    figures = (
        ("accuracy", known, {m: context.right(m) for m in there}),
        ("attacks caught", known & context.attacks, {m: context.detected(m) for m in there}),
        ("benign left alone", known & context.benign_events, {m: ~context.detected(m) for m in there}),
    )
    return [
        {
            "figure": figure,
            "full": _level(good, FULL, rows),
            "distillation": _step(good, FULL, DISTILLED, rows),
            "quantization": _step(good, DISTILLED, QUANTIZED, rows),
            "churn": _step(good, DISTILLED, CONTROL, rows),
            "quantized": _level(good, QUANTIZED, rows),
        }
        for figure, rows, good in figures
        if rows.any()
    ]


def _level(good: dict[str, Bools], model: str, rows: Bools) -> dict[str, float] | None:
    return wilson(int(good[model][rows].sum()), int(rows.sum())).to_json() if model in good else None


def _step(good: dict[str, Bools], before: str, after: str, rows: Bools) -> dict[str, float] | None:
    if before not in good or after not in good:
        return None
    gained = int(np.sum(good[after] & ~good[before] & rows))
    lost = int(np.sum(good[before] & ~good[after] & rows))
    return tango(gained, lost, int(rows.sum())).to_json()
