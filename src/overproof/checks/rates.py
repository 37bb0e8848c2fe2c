"""Tell which models answer with numbers, and set thresholds by the false-positive rate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks.base import MODELS, CheckContext

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4, 1e-5)
SLACK = 1e-9  # 0.07 * 100 is a little more than 7, other such products a little less


def numbers(logits: Floats) -> bool:
    """Tell whether every row has a softmax: a logit may be -inf, but none NaN or +inf, and not all of a row."""
    return bool(np.isfinite(logits.max(axis=1)).all())


def answering(context: CheckContext) -> tuple[str, ...]:
    """List the models that are there and whose scores are numbers."""
    return tuple(name for name in MODELS if name in context.models and numbers(context.models[name].logits))


def why_not(context: CheckContext, model: str) -> str:
    """Say why a model is not among those `answering`."""
    if model in context.models:
        return f"the scores of the {model} model hold NaN or infinity"
    return context.why_absent(model)


def threshold_at(attack: NDArray[np.float64], rate: float) -> float | None:
    """Return the attack probability above which at most that share of these benign events lies (strictly above).

    None where there are too few to see the rate once.
    """
    allowed = math.floor(rate * len(attack) + SLACK)
    return float(np.sort(attack)[len(attack) - 1 - allowed]) if allowed else None
