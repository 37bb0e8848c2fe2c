"""Decide which events the student may decide alone: a pure function of its scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import UNTAUGHT, Floats, Scores, softmax
from overproof.errors import InputError
from overproof.inference.cascade.budget import RESERVED, Kind
from overproof.inference.cascade.promise import Promise

OnFullDown = Literal["hold", "student", "fail"]
EVERYTHING = math.inf  # the confidence that no event has: all are deferred
NO_NUMBERS = "the student's scores are no numbers"
ANOTHER_KIND = "out of distribution: a kind of record that training had none of"


@dataclass(frozen=True)
class Policy:
    """When the student's answer is not trusted.

    Attributes
    ----------
    confidence
        Below this calibrated probability of its label an event is deferred; 0 defers none, `EVERYTHING` all.
    margin
        Where the two best labels lie closer than this (calibrated probability), the event is deferred; 0 defers none.
    ood_distance
        An event that lies farther than this from all training events is out of distribution (`ood.OodDetector`), and
        deferred; None defers none but those of a kind of record that training had none of.
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
    promise
        What a check promises of a cascade with this policy; None: nothing is promised.

    Raises
    ------
    InputError
        A threshold or temperature that is no number, or out of its range.
    """

    confidence: float = 0.0
    margin: float = 0.0
    ood_distance: float | None = None
    overflow: bool = True
    never_alone: tuple[str, ...] = ()
    temperature: float = 1.0
    on_full_down: OnFullDown = "hold"
    basis: str = "no threshold"
    promise: Promise | None = None

    def __post_init__(self) -> None:
        # written so that NaN, of which every comparison is false, fits no range
        far = self.ood_distance
        ranges = (
            ("confidence", self.confidence, 0 <= self.confidence <= 1 or self.confidence == EVERYTHING, "from 0 to 1"),
            ("margin", self.margin, 0 <= self.margin <= 1, "from 0 to 1"),
            ("ood_distance", far, far is None or 0 <= far < math.inf, "from 0 up, or none"),
            ("temperature", self.temperature, 0 < self.temperature < math.inf, "above 0"),
        )
        for name, value, fits, expected in ranges:
            if not fits:
                raise InputError(f"the policy's {name} is {value}, expected a number {expected}")
        if self.on_full_down not in get_args(OnFullDown):
            raise InputError(f"on_full_down {self.on_full_down}: expected one of {', '.join(get_args(OnFullDown))}")


@dataclass(frozen=True)
class Deferrals:
    """The events, of n, that the student may not decide alone.

    Attributes
    ----------
    rows
        The deferred events: by kind, and within a kind the least sure first.
    reasons
        Row to why it is deferred, in one phrase: the first of its reasons.
    kinds
        Row to the kind of that reason, whose part of the budget it may use.
    confidence
        Calibrated probability of the student's label, shape (n,); NaN where the scores are no numbers.
    """

    rows: list[int]
    reasons: Mapping[int, str]
    kinds: Mapping[int, Kind]
    confidence: Floats


def out_of_distribution(scores: Scores, policy: Policy) -> NDArray[np.bool_]:
    """Return which events are unlike all training events, shape (n,)."""
    if scores.ood_distance is None:
        return np.zeros(len(scores.overflow), dtype=np.bool_)
    if policy.ood_distance is None:
        return np.asarray(scores.ood_distance == UNTAUGHT)
    return np.asarray(scores.ood_distance > policy.ood_distance)


def deferrals(scores: Scores, policy: Policy) -> Deferrals:
    """Return the events that the student may not decide alone, and why; an event's depends on no other."""
    probabilities = softmax(scores.logits, policy.temperature)
    best = scores.labels
    sure = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    others = probabilities.copy()
    np.put_along_axis(others, best[:, None], 0.0, axis=1)
    # one that its label's side outvotes may be likelier than the label: that is no margin
    apart = np.maximum(sure - others.max(axis=1), 0) if probabilities.shape[1] > 1 else np.ones_like(sure)
    kept_back = np.array([name in policy.never_alone for name in scores.classes])[best]
    known = numbers(scores, probabilities)
    found: list[tuple[NDArray[np.bool_], Kind, Callable[[int], str]]] = [
        (~known, "doubt", lambda i: NO_NUMBERS),
        (kept_back, "other", lambda i: f"{scores.classes[best[i]]} is never decided alone"),
        (out_of_distribution(scores, policy), "ood", lambda i: _far(scores, policy, i)),
        (scores.overflow & policy.overflow, "other", lambda i: "longer than was judged"),
        (sure < policy.confidence, "doubt", lambda i: f"confidence {below(sure[i], policy.confidence)}"),
        (apart < policy.margin, "doubt", lambda i: f"margin {below(apart[i], policy.margin)}"),
    ]
    reasons: dict[int, str] = {}
    kinds: dict[int, Kind] = {}
    for deferred, kind, why in found:
        new = [i for i in deferred.nonzero()[0].tolist() if i not in reasons]
        reasons.update((i, why(i)) for i in new)
        kinds.update(dict.fromkeys(new, kind))
    order = {kind: place for place, kind in enumerate(RESERVED)}
    least = np.where(known, sure, -1.0)  # nothing is less sure than what is no number
    rows = sorted(reasons, key=lambda i: (order[kinds[i]], float(least[i]), i))
    return Deferrals(rows, reasons, kinds, np.where(known, sure, np.float32(np.nan)))


def numbers(scores: Scores, probabilities: Floats) -> NDArray[np.bool_]:
    """Return which events' logits, probabilities (shape (n, classes)) and OOD distance are numbers, shape (n,)."""
    finite = np.isfinite(scores.logits).all(axis=1) & np.isfinite(probabilities).all(axis=1)
    return np.asarray(finite if scores.ood_distance is None else finite & np.isfinite(scores.ood_distance))


def _far(scores: Scores, policy: Policy, i: int) -> str:
    assert scores.ood_distance is not None
    if scores.ood_distance[i] == UNTAUGHT:
        return ANOTHER_KIND
    assert policy.ood_distance is not None
    return f"out of distribution: distance {_compared(scores.ood_distance[i], '>', policy.ood_distance)}"


def below(value: float, limit: float) -> str:
    """Return `0.93 < 0.934`, with as many digits as it takes to tell them apart."""
    if limit == EVERYTHING:
        return f"{value:.2f}, and every event goes to the full model"
    return _compared(value, "<", limit)


def _compared(value: float, sign: str, limit: float) -> str:
    for digits in range(2, 17):
        if f"{value:.{digits}f}" != f"{limit:.{digits}f}":
            break
    return f"{value:.{digits}f} {sign} {limit:.{max(digits, 3)}f}"
