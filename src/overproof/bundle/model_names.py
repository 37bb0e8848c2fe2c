"""Name the models that are compared, in the order of every table and picture."""

from __future__ import annotations

FULL, DISTILLED, QUANTIZED, BASELINE = "full", "distilled", "distilled + INT8", "linear baseline"
CONTROL = "retrained control"
MODELS = (FULL, DISTILLED, QUANTIZED, CONTROL, BASELINE)
FORMER_NAMES = {"honest baseline": BASELINE}  # in files that version 0.1 wrote
