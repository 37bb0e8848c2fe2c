"""Write verdicts: both answers, who decided, and why (docs/verdict-schema.md); as columns, and as JSON objects.

The columns are what is computed, for a whole batch at once; the objects are for whoever wants one event's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, Scores, attack_of, labels_of

DIGITS = 7  # what float32 holds
DISTANCE_DIGITS = 3

Rounded = NDArray[np.float64]


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


@dataclass(frozen=True, eq=False)
class Answers:
    """One model's answers to n events, its numbers rounded as they are written; NaN stands for what is no number.

    Attributes
    ----------
    best
        Index of the most probable class, shape (n,).
    attack
        Probability of an attack, shape (n,).
    confidence
        Probability of the label, shape (n,); the student's is calibrated.
    probabilities
        Shape (n, classes).
    """

    best: NDArray[np.intp]
    attack: Rounded
    confidence: Rounded
    probabilities: Rounded


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Verdicts on n events, without their origins.

    Attributes
    ----------
    scores
        The student's.
    settled
        How each event ended.
    models
        What verdicts call the student and the full model.
    student, full
        Their answers; the full model's are those to `rows`.
    rows
        Events that the full model answered, ascending.
    distances
        How far out of distribution each event lies, rounded, shape (n,); None where that is not known.
    """

    scores: Scores
    settled: Settled
    models: Mapping[str, str | None]
    student: Answers
    full: Answers
    rows: list[int]
    distances: Rounded | None

    @cached_property
    def student_best(self) -> NDArray[np.intp]:
        """Index of the student's label, shape (n,); -1 where there is none, since its scores are no numbers."""
        return np.where(np.isfinite(self.student.attack), self.student.best, -1)

    @cached_property
    def decided_by_full(self) -> dict[int, int]:
        """Events whose label is the full model's, each to its place in `rows`."""
        by = self.settled.decided_by
        return {row: place for place, row in enumerate(self.rows) if by[row] == "full"}

    @cached_property
    def attack(self) -> Rounded:
        """The final probability of an attack, shape (n,); NaN where there is none."""
        found = self.student.attack.copy()
        for row, place in self.decided_by_full.items():
            found[row] = self.full.attack[place]
        return found

    @cached_property
    def best(self) -> NDArray[np.intp]:
        """Index of the final label, shape (n,); -1 where there is none."""
        found = self.student_best.copy()
        for row, place in self.decided_by_full.items():
            found[row] = self.full.best[place]
        return found

    def objects(self) -> Iterator[dict[str, Any]]:
        """Yield one JSON object an event."""
        settled, classes = self.settled, self.scores.classes
        full = dict(self.full_objects())
        mine = map(_plain, (self.student.attack, self.student.confidence, self.student.probabilities))
        distances = [None] * len(settled.status) if self.distances is None else _plain(self.distances)
        tiers = [None] * len(settled.status) if self.scores.tier is None else self.scores.tier.tolist()
        seen = zip(self.scores.windows.tolist(), self.scores.overflow.tolist(), distances, tiers, strict=True)
        best = self.student.best.tolist()
        for i, ((attack, sure, shares), (windows, overflow, distance, tier)) in enumerate(
            zip(zip(*mine, strict=True), seen, strict=True)
        ):
            student = {
                "label": None if attack is None else classes[best[i]],
                "attack": attack,
                "confidence": sure,
                "probabilities": dict(zip(classes, shares, strict=True)),
                "windows": windows,
                "overflow": overflow,
                "ood_distance": distance,
                "tier": tier,
            }
            theirs = full.get(i)
            final = theirs if settled.decided_by[i] == "full" and theirs is not None else student
            yield {
                "label": final["label"],
                "attack": final["attack"],
                "status": settled.status[i],
                "decided_by": settled.decided_by[i],
                "stood_in": i in settled.stood_in,
                "reason": settled.reasons[i],
                "student": student,
                "full": theirs,
                "models": self.models,
            }

    def full_objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the full model's answers as JSON objects, each with its event."""
        if not self.rows:
            return
        classes = self.scores.classes
        numbers = map(_plain, (self.full.attack, self.full.confidence, self.full.probabilities))
        for row, best, attack, sure, shares in zip(self.rows, self.full.best.tolist(), *numbers, strict=True):
            probabilities = dict(zip(classes, shares, strict=True))
            yield row, {"label": classes[best], "attack": attack, "confidence": sure, "probabilities": probabilities}


def verdicts(scores: Scores, settled: Settled, *, benign: Sequence[bool], models: Mapping[str, str | None]) -> Verdicts:
    """Put together what student and full model said, and how the events ended."""
    student = _answers(scores.probabilities, benign, settled.confidence)
    rows = sorted(settled.full)
    full = _NONE
    if rows:
        theirs = np.stack([settled.full[i] for i in rows])
        sure = np.take_along_axis(theirs, labels_of(theirs, benign)[:, None], axis=1)[:, 0]
        full = _answers(theirs, benign, sure)
    distances = None if scores.ood_distance is None else _rounded(scores.ood_distance, DISTANCE_DIGITS)
    return Verdicts(scores, settled, models, student, full, rows, distances)


_NONE = Answers(np.empty(0, dtype=np.intp), np.empty(0), np.empty(0), np.empty((0, 0)))


def _answers(probabilities: Floats, benign: Sequence[bool], confidence: Floats) -> Answers:
    attack = attack_of(probabilities, benign)
    rounded = (_rounded(numbers, DIGITS) for numbers in (attack, confidence, probabilities))
    return Answers(labels_of(probabilities, benign), *rounded)


def _rounded(numbers: Floats, digits: int) -> Rounded:
    """Round numbers; infinity becomes NaN, since JSON has neither."""
    found = numbers.astype(np.float64).round(digits)
    return np.where(np.isfinite(found), found, np.nan)


def _plain(numbers: Rounded) -> list[Any]:
    """Return numbers for JSON, which has none for NaN: None."""
    finite = np.isfinite(numbers)
    plain = numbers
    if not finite.all():
        plain = numbers.astype(object)
        plain[~finite] = None
    found: list[Any] = plain.tolist()
    return found
