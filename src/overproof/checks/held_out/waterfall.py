"""Find where each figure was lost: from the full model over the distilled student to the quantized one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from overproof.checks import rates
from overproof.checks.base import CONTROL, DISTILLED, FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.held_out.result import Cost
from overproof.checks.stats import Interval, tango, wilson

Figure = Literal["accuracy", "attacks detected", "benign left alone"]


def waterfall(context: CheckContext) -> tuple[Cost, ...]:
    """Measure what each step gained or lost; a figure without events is left out.

    A step is a paired difference (gained - lost) / n with Tango's interval: negative is worse. The control is the
    distilled student trained again: what it differs by is no cost of compression.
    """
    there = rates.answering(context)
    known = context.labelled & (context.targets >= 0).any()
    detected = {model: context.detected(model) for model in there}
    figures: tuple[tuple[Figure, Bools, Mapping[str, Bools]], ...] = (
        ("accuracy", known, {model: context.right(model) for model in there}),
        ("attacks detected", known & context.attacks, detected),
        ("benign left alone", known & context.benign_events, {model: ~flags for model, flags in detected.items()}),
    )
    return tuple(
        Cost(
            figure=figure,
            full=_level(good, FULL, rows),
            distillation=_step(good, FULL, DISTILLED, rows),
            quantization=_step(good, DISTILLED, QUANTIZED, rows),
            churn=_step(good, DISTILLED, CONTROL, rows),
            quantized=_level(good, QUANTIZED, rows),
        )
        for figure, rows, good in figures
        if rows.any()
    )


def _level(good: Mapping[str, Bools], model: str, rows: Bools) -> Interval | None:
    return wilson(int(good[model][rows].sum()), int(rows.sum())) if model in good else None


def _step(good: Mapping[str, Bools], before: str, after: str, rows: Bools) -> Interval | None:
    if before not in good or after not in good:
        return None
    gained = int(np.sum(good[after] & ~good[before] & rows))
    lost = int(np.sum(good[before] & ~good[after] & rows))
    return tango(gained, lost, int(rows.sum()))
