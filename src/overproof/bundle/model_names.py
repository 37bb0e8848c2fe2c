"""Name the models that are compared, in the order of every table and picture."""

from __future__ import annotations

from collections.abc import Iterable

FULL, DISTILLED, QUANTIZED, BASELINE = "full", "distilled", "distilled + INT8", "linear baseline"
CONTROL = "retrained control"
MODELS = (FULL, DISTILLED, QUANTIZED, CONTROL, BASELINE)
FORMER_NAMES = {"honest baseline": BASELINE}  # in files that version 0.1 wrote


def in_order(models: Iterable[str]) -> list[str]:
    """Put models into the order of every table and picture; names that are not known come last, each once."""
    there = list(dict.fromkeys(models))
    return [*(name for name in MODELS if name in there), *(name for name in there if name not in MODELS)]
