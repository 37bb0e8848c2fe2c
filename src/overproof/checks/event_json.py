"""One event as the report lists it."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.checks.base import CheckContext


def event_json(context: CheckContext, row: int) -> dict[str, Any]:
    """An event in the form that docs/check-schema.md gives it: what it is, and what every model says of it.

    Parameters
    ----------
    row
        Its row in the sample.
    """
    sample = context.sample
    logits = {name: scored.logits[row] for name, scored in context.models.items()}
    logits = {name: z for name, z in logits.items() if not (np.isnan(z) | np.isposinf(z)).any()}
    return {
        "origin": sample.origins[row],
        "text": sample.texts[row],
        "label": sample.labels[row],
        "family": context.families[row],
        "said": {name: context.classes[int(z.argmax())] for name, z in logits.items()},
        "attack": {name: float(context.attack_of(z)) for name, z in logits.items()},
    }
