"""Write verdicts as plain JSON: both answers, who decided, and why (docs/verdict-schema.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
    stood_in
        Those that the student decided in place of a full model that is down.
    reasons
        One phrase each.
    confidence
        The student's, calibrated, shape (n,); NaN where its scores are no numbers.
    full
        Row to the full model's probabilities, where it was asked and answered; shape (classes,) each.
    """

    status: Sequence[str]
    decided_by: Sequence[str]
    stood_in: Collection[int]
    reasons: Sequence[str]
    confidence: Floats
    full: dict[int, Floats]


def verdicts(
    scores: Scores, settled: Settled, *, benign: Sequence[bool], models: dict[str, str | None]
) -> Iterator[dict[str, Any]]:
    """Yield one JSON object an event, without its origin."""
    student = _answers(scores.probabilities, benign)
    sure = _plain(settled.confidence, DIGITS)
    rows = sorted(settled.full)
    full = dict(zip(rows, _answers(np.stack([settled.full[i] for i in rows]), benign), strict=True)) if rows else {}
    distances = [None] * len(sure)
    if scores.ood_distance is not None:
        distances = _plain(scores.ood_distance, 3)
    tiers = [None] * len(sure) if scores.tier is None else scores.tier.tolist()
    for i, (label, attack, probabilities) in enumerate(student):
        theirs = None
        if i in full:
            theirs = {"label": scores.classes[full[i][0]], "attack": full[i][1], "confidence": max(full[i][2])}
            theirs["probabilities"] = dict(zip(scores.classes, full[i][2], strict=True))
        mine = {
            "label": None if attack is None else scores.classes[label],
            "attack": attack,
            "confidence": sure[i],
            "probabilities": dict(zip(scores.classes, probabilities, strict=True)),
            "windows": int(scores.windows[i]),
            "overflow": bool(scores.overflow[i]),
            "ood_distance": distances[i],
            "tier": tiers[i],
        }
        final = theirs if settled.decided_by[i] == "full" and theirs is not None else mine
        yield {
            "label": final["label"],
            "attack": final["attack"],
            "status": settled.status[i],
            "decided_by": settled.decided_by[i],
            "stood_in": i in settled.stood_in,
            "reason": settled.reasons[i],
            "student": mine,
            "full": theirs,
            "models": models,
        }


def _answers(probabilities: Floats, benign: Sequence[bool]) -> Iterator[tuple[int, Any, list[Any]]]:
    """Yield the index of the best class, probability of an attack and all probabilities, a row at a time.

    None stands for every number of a row that holds none.
    """
    benign_shares = np.ascontiguousarray(probabilities[:, np.asarray(benign, dtype=bool)])  # see WindowScorer.attack
    attack = (1.0 - benign_shares.sum(axis=1)).astype(np.float32)
    best: list[int] = probabilities.argmax(axis=1).tolist()
    return zip(best, _plain(attack, DIGITS), _plain(probabilities, DIGITS), strict=True)


def _plain(numbers: Floats, digits: int) -> list[Any]:
    """Round numbers for JSON, which has none for NaN and infinity: None."""
    rounded = np.round(numbers.astype(np.float64), digits)
    finite = np.isfinite(rounded)
    if not finite.all():
        rounded = rounded.astype(object)
        rounded[~finite] = None
    plain: list[Any] = rounded.tolist()
    return plain
