"""Write verdicts as plain JSON: both answers, who decided, and why (docs/verdict-schema.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overproof.bundle.scores import Floats, Scores

DIGITS = 7  # what float32 holds


@dataclass(frozen=True)
class Settled:
    """How n events ended.

    Attributes
    ----------
    status
        `decided`, `deferred`, `held` or `abstained`, n of them.
    decided_by
        `student`, `full` or `nobody`, n of them.
    reasons
        One phrase each.
    confidence
        The student's, calibrated, shape (n,).
    full
        Row to the full model's probabilities, where it was asked and answered; shape (classes,) each.
    """

    status: Sequence[str]
    decided_by: Sequence[str]
    reasons: Sequence[str]
    confidence: Floats
    full: dict[int, Floats]


def verdicts(
    scores: Scores, settled: Settled, *, benign: Sequence[bool], models: dict[str, str | None]
) -> Iterator[dict[str, Any]]:
    """Yield one JSON object an event, without its origin."""
    student = _answers(scores.probabilities, benign)
    sure = np.round(settled.confidence.astype(np.float64), DIGITS).tolist()
    rows = sorted(settled.full)
    full = dict(zip(rows, _answers(np.stack([settled.full[i] for i in rows]), benign), strict=True)) if rows else {}
    distances = [None] * len(sure)
    if scores.ood_distance is not None:
        distances = np.round(scores.ood_distance.astype(float), 3).tolist()
    for i, (label, attack, probabilities) in enumerate(student):
        theirs = None
        if i in full:
            names = [scores.classes[full[i][0]], full[i][1], max(full[i][2])]
            theirs = dict(zip(("label", "attack", "confidence"), names, strict=True))
            theirs["probabilities"] = dict(zip(scores.classes, full[i][2], strict=True))
        mine = {
            "label": scores.classes[label],
            "attack": attack,
            "confidence": sure[i],
            "probabilities": dict(zip(scores.classes, probabilities, strict=True)),
            "windows": int(scores.windows[i]),
            "overflow": bool(scores.overflow[i]),
            "ood_distance": distances[i],
        }
        final = theirs if settled.decided_by[i] == "full" and theirs is not None else mine
        yield {
            "label": final["label"],
            "attack": final["attack"],
            "status": settled.status[i],
            "decided_by": settled.decided_by[i],
            "reason": settled.reasons[i],
            "student": mine,
            "full": theirs,
            "models": models,
        }


def _answers(probabilities: Floats, benign: Sequence[bool]) -> Iterator[tuple[int, float, list[float]]]:
    """Yield the index of the best class, probability of an attack and all probabilities, a row at a time."""
    benign_shares = np.ascontiguousarray(probabilities[:, np.asarray(benign, dtype=bool)])  # see WindowScorer.attack
    attack = (1.0 - benign_shares.sum(axis=1)).astype(np.float32)
    best: list[int] = probabilities.argmax(axis=1).tolist()
    shown = np.round(probabilities.astype(np.float64), DIGITS).tolist()
    return zip(best, np.round(attack.astype(np.float64), DIGITS).tolist(), shown, strict=True)
