"""Hold what models miss at the same false-positive rate: each behind a threshold of its own, from validation events.

By their verdicts two models stand at different points of their curves: one that misses less may only flag more. At the
same false-positive rate they can be compared. The intervals are computed where the statistics lie (`checks`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.report.not_measured import NotMeasured
from overproof.results.metrics import Share

RATES = (1e-3, 5e-3, 1e-2)
FAMILY_RATE = 5e-3  # of which tables show the families; all are stored
SLACK = 1e-9  # 0.07 * 100 is a little more than 7, other such products a little less
FORMER = NotMeasured("this comparison was stored before version 0.2.0, the first to compare at equal false positives")


@dataclass(frozen=True)
class Counted:
    """How many of some events count, and the exact 95 % interval of their share in independent units.

    Attributes
    ----------
    k, n
        Events that count, of how many.
    units
        How many of the n are independent.
    low, high
        Ends of the interval.
    """

    k: int
    n: int
    units: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0 <= self.k <= self.n and 1 <= self.units <= self.n and 0 <= self.low <= self.high <= 1):
            raise ValueError(f"{self.k} of {self.n} events, {self.units} independent, from {self.low} to {self.high}")

    @property
    def value(self) -> float:
        """The share of the events."""
        return self.k / self.n


@dataclass(frozen=True)
class OperatingPoint:
    """One model behind the threshold of one false-positive rate.

    Attributes
    ----------
    threshold
        The attack probability above which an event is flagged: at most the rate's share of benign validation events
        lies above it.
    flagged
        Benign test events flagged: the rate that was achieved.
    missed
        Attacks of the test events that are not flagged.
    families
        Family to how many of its attacks are flagged.
    """

    threshold: float
    flagged: Counted | NotMeasured
    missed: Counted | NotMeasured
    families: Mapping[str, Share]


@dataclass(frozen=True)
class PairedDifference:
    """How many more attacks the quantized student misses than another model, where both flag as many benign events.

    Attributes
    ----------
    n, units
        Attacks, and how many of them are independent.
    student_only, other_only
        How many that model alone misses.
    value
        (student_only - other_only) / n.
    low, high
        Ends of its 95 % interval, in independent units; they allow for how well the flagged shares can be matched.
    """

    n: int
    units: int
    student_only: int
    other_only: int
    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        alone = self.student_only + self.other_only
        counts = min(self.student_only, self.other_only) >= 0 and alone <= self.n and 1 <= self.units <= self.n
        if not (counts and -1 <= self.low <= self.value <= self.high <= 1):
            interval = f"{self.value} from {self.low} to {self.high}"
            raise ValueError(f"{self.student_only} and {self.other_only} of {self.n} events apart, {interval}")


@dataclass(frozen=True)
class Difference:
    """What sets the quantized student apart from another model behind that model's threshold.

    Attributes
    ----------
    flagged, student_flagged
        Benign test events that the other model flags there, and the student, which is moved to flag at most as many.
    missed
        All attacks.
    families
        Family to its attacks. These intervals are not corrected for their number.
    """

    flagged: Share
    student_flagged: Share
    missed: PairedDifference
    families: Mapping[str, PairedDifference]


@dataclass(frozen=True)
class RatePoints:
    """All models at one false-positive rate.

    Attributes
    ----------
    rate
        The share of benign events that is allowed to be flagged.
    models
        Model to its operating point.
    against
        Model to how many more attacks than it the quantized student misses.
    """

    rate: float
    models: Mapping[str, OperatingPoint | NotMeasured]
    against: Mapping[str, Difference | NotMeasured]


@dataclass(frozen=True)
class OperatingPoints:
    """The models at the same false-positive rates.

    Attributes
    ----------
    at
        A false-positive rate after the other, the lowest first.
    """

    at: tuple[RatePoints, ...]

    def point(self, model: str, rate: float) -> OperatingPoint | None:
        """Return a model's operating point at one of the rates; None where it was not measured."""
        found = next((at.models.get(model) for at in self.at if at.rate == rate), None)
        return found if isinstance(found, OperatingPoint) else None


def threshold_at(attack: NDArray[np.floating[Any]], rate: float) -> float | None:
    """Return the attack probability above which at most that share of these benign events lies (strictly above).

    None where there are too few to see the rate once.
    """
    allowed = math.floor(rate * len(attack) + SLACK)
    return float(np.sort(attack)[len(attack) - 1 - allowed]) if allowed else None


def benign_needed(rate: float) -> int:
    """Return how many benign events it takes to see a rate once."""
    return math.ceil(1 / rate - SLACK)


def attack_probability(logits: Floats, benign: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Add up the probabilities of the classes that are not benign, shape (n, classes) to (n,).

    In double precision and without a subtraction: thresholds lie where one minus a probability would round.
    """
    z = np.asarray(logits, dtype=np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e[:, ~benign].sum(axis=1) / e.sum(axis=1))
