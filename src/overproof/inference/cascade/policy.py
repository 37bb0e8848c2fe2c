"""Decide which events the student may decide alone: a pure function of its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, Scores, softmax

OnFullDown = Literal["hold", "student", "fail"]


@dataclass(frozen=True)
class Policy:
    """When the student's answer is not trusted.

    Attributes
    ----------
    confidence
        Below this calibrated probability of the best label an event is deferred; 0 defers none.
    margin
        Where the two best labels lie closer than this (calibrated probability), the event is deferred; 0 defers none.
    ood_distance
        An event that lies farther than this from all training events is out of distribution (`ood.OodDetector`), and
        deferred; None defers none.
    overflow
        Whether an event that goes on past the last judged window is deferred.
    never_alone
        Labels that the student may not decide.
    temperature
        At which the student's probabilities are calibrated.
    on_full_down
        What becomes of a deferred event when the full model does not answer: `hold` it, let the `student` decide, or
        `fail` the run.
    basis
        Where the thresholds come from, in words.
    """

    confidence: float = 0.0
    margin: float = 0.0
    ood_distance: float | None = None
    overflow: bool = True
    never_alone: tuple[str, ...] = ()
    temperature: float = 1.0
    on_full_down: OnFullDown = "hold"
    basis: str = "no threshold"


@dataclass(frozen=True)
class Deferrals:
    """The events, of n, that the student may not decide alone.

    Attributes
    ----------
    rows
        The deferred events, the one that needs the full model most first: by kind of reason, then by confidence.
    reasons
        Row to why it is deferred, in one phrase.
    confidence
        Calibrated probability of the student's label, shape (n,).
    """

    rows: list[int]
    reasons: dict[int, str]
    confidence: Floats


def out_of_distribution(scores: Scores, policy: Policy) -> NDArray[np.bool_]:
    """Return which events are unlike all training events, shape (n,)."""
    if policy.ood_distance is None or scores.ood_distance is None:
        return np.zeros(len(scores.overflow), dtype=np.bool_)
    return np.asarray(scores.ood_distance > policy.ood_distance)


def deferrals(scores: Scores, policy: Policy) -> Deferrals:
    """Return the events that the student may not decide alone, and why; an event's depends on no other."""
    probabilities = softmax(scores.logits, policy.temperature)
    best = probabilities.argmax(axis=1)
    ordered = np.sort(probabilities, axis=1)
    sure = ordered[:, -1]
    apart = sure - ordered[:, -2] if probabilities.shape[1] > 1 else np.ones_like(sure)
    kept_back = np.isin(np.array(scores.classes), policy.never_alone)[best]
    found: list[tuple[NDArray[np.bool_], Callable[[int], str]]] = [
        (kept_back, lambda i: f"{scores.classes[best[i]]} is never decided alone"),
        (out_of_distribution(scores, policy), lambda i: _far(scores, policy, i)),
        (scores.overflow & policy.overflow, lambda i: "longer than was judged"),
        (sure < policy.confidence, lambda i: f"confidence {below(sure[i], policy.confidence)}"),
        (apart < policy.margin, lambda i: f"margin {below(apart[i], policy.margin)}"),
    ]
    reasons: dict[int, str] = {}
    rows: list[int] = []
    for deferred, why in found:
        new = [int(i) for i in np.flatnonzero(deferred) if int(i) not in reasons]
        reasons.update((i, why(i)) for i in new)
        rows += sorted(new, key=lambda i: (float(sure[i]), i))
    return Deferrals(rows, reasons, sure)


def _far(scores: Scores, policy: Policy, i: int) -> str:
    assert scores.ood_distance is not None and policy.ood_distance is not None
    return f"out of distribution: distance {_compared(scores.ood_distance[i], '>', policy.ood_distance)}"


def below(value: float, limit: float) -> str:
    """Return `0.93 < 0.934`, with as many digits as it takes to tell them apart."""
    return _compared(value, "<", limit)


def _compared(value: float, sign: str, limit: float) -> str:
    for digits in range(2, 17):
        if f"{value:.{digits}f}" != f"{limit:.{digits}f}":
            break
    return f"{value:.{digits}f} {sign} {limit:.{max(digits, 3)}f}"
