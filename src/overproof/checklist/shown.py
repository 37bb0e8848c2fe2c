"""One event as the report lists it."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.checklist.interface import Evidence


def event_json(evidence: Evidence, row: int) -> dict[str, Any]:
    """An event in the form that docs/check-schema.md gives it: what it is, and what every model says of it.

    Parameters
    ----------
    row
        Its row in the sample.
    """
    sample = evidence.sample
    logits = {name: scored.logits[row] for name, scored in evidence.models.items()}
    logits = {name: z for name, z in logits.items() if not (np.isnan(z) | np.isposinf(z)).any()}
    return {
        "origin": sample.origins[row],
        "text": sample.texts[row],
        "label": sample.labels[row],
        "family": evidence.families[row],
        "said": {name: evidence.classes[int(z.argmax())] for name, z in logits.items()},
        "attack": {name: float(evidence.attack_of(z)) for name, z in logits.items()},
    }
