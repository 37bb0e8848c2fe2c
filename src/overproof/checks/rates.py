"""Tell which models answer with numbers, and set thresholds by the false-positive rate."""

from __future__ import annotations

import numpy as np

from overproof.bundle.scores import Floats
from overproof.checks.base import MODELS, CheckContext

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4, 1e-5)


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
