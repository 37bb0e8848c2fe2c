"""List one event in a result: what it is, and what every model says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overproof.checks.base import CheckContext


@dataclass(frozen=True)
class ListedEvent:
    """One event of a list.

    Attributes
    ----------
    origin, text, label, family
        Where it stands, the event as it was judged (perhaps an attack; show it as text only), and what is known of it.
    verdicts
        Model to the label that it gives.
    attack
        Model to its probability of an attack.
    """

    origin: str
    text: str
    label: str | None
    family: str | None
    verdicts: Mapping[str, str]
    attack: Mapping[str, float]


def listed_event(context: CheckContext, row: int) -> ListedEvent:
    """Return an event of the sample with the answers of every model that gives a number for it.

    Parameters
    ----------
    row
        Its row in the sample.
    """
    sample = context.sample
    logits = {name: outputs.logits[row] for name, outputs in context.models.items()}
    logits = {name: z for name, z in logits.items() if not (np.isnan(z) | np.isposinf(z)).any()}
    return ListedEvent(
        origin=sample.origins[row],
        text=sample.texts[row],
        label=sample.labels[row],
        family=context.families[row],
        verdicts={name: context.classes[int(context.labels_of(z))] for name, z in logits.items()},
        attack={name: float(context.attack_of(z)) for name, z in logits.items()},
    )
