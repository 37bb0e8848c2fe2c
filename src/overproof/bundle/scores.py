"""Define what a model says about events: scores, the scorer protocol and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """softmax(z / T) along the last axis, computed stably.

    A logit of -inf is no probability; a row with NaN, inf or nothing else is NaN.

    Parameters
    ----------
    logits
        Shape (n, classes).
    temperature
        T > 0; above 1 spreads the probabilities (Hinton et al. 2015, eq. 1).
    """
    # inf - inf is NaN, as it should be, and no reason for a warning
    with np.errstate(invalid="ignore", over="ignore"):
        z = np.asarray(logits, dtype=np.float64) / temperature
        z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return np.asarray(e / e.sum(axis=-1, keepdims=True), dtype=np.float32)


def entropy_bits(probabilities: Floats) -> NDArray[np.float64]:
    """Shannon entropy of each row in bits; 0 · log 0 is 0. Shape (n, classes) to (n,)."""
    p = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=-1), dtype=np.float64)


def distillation_loss(student: Floats, teacher: Floats, temperature: float = 1.0) -> float:
    """KL(softmax(z_t / T) ‖ softmax(z_s / T)) · T² in nats, the mean over rows.

    The numpy twin of `compression.distill.distillation_loss`, for where torch is not (Hinton et al. 2015, section 2).

    Parameters
    ----------
    student, teacher
        Logits, shape (n, classes).
    temperature
        T > 0.
    """
    log_student, log_teacher = (_log_softmax(z, temperature) for z in (student, teacher))
    divergence = (np.exp(log_teacher) * (log_teacher - log_student)).sum(axis=-1)
    return float(divergence.mean()) * temperature**2


def distillation_gradient(student: Floats, teacher: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """d `distillation_loss` / d student = T · (softmax(z_s / T) - softmax(z_t / T)) / n, shape (n, classes)."""
    log_student, log_teacher = (_log_softmax(z, temperature) for z in (student, teacher))
    return np.asarray(temperature * (np.exp(log_student) - np.exp(log_teacher)) / len(log_student), dtype=np.float64)


def _log_softmax(logits: Floats, temperature: float) -> NDArray[np.float64]:
    z = np.asarray(logits, dtype=np.float64) / temperature
    z -= z.max(axis=-1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)), dtype=np.float64)


@dataclass(frozen=True)
class Scores:
    """Logits of one model for n events.

    Attributes
    ----------
    logits
        Shape (n, classes), float32: the deciding window's logits of each event.
    classes
        Class names, in the order of the columns.
    windows
        Shape (n,): how many windows each event was judged in.
    overflow
        Shape (n,), bool: the event went on past the last window that was judged.
    ood_distance
        Shape (n,), float32: how far each event lies from all that the model was taught (`ood.OodDetector`);
        None where that is not known.
    tier
        Shape (n,), int8: which student of the bundle decided, 1 or 2 (`tiers.TieredScorer`); None where the bundle
        holds one student.
    """

    logits: Floats
    classes: tuple[str, ...]
    windows: NDArray[np.int32]
    overflow: NDArray[np.bool_]
    ood_distance: Floats | None = None
    tier: NDArray[np.int8] | None = None

    @property
    def probabilities(self) -> Floats:
        """softmax(logits), shape (n, classes)."""
        return softmax(self.logits)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Scores:
        """Return the scores of some events, copied."""
        distances = None if self.ood_distance is None else self.ood_distance[rows]
        tiers = None if self.tier is None else self.tier[rows]
        return Scores(self.logits[rows], self.classes, self.windows[rows], self.overflow[rows], distances, tiers)


def joined(parts: Sequence[Scores]) -> Scores:
    """Join scores of one model for different events, one after the other; at least one part."""
    distances = [part.ood_distance for part in parts if part.ood_distance is not None]
    tiers = [part.tier for part in parts if part.tier is not None]
    return Scores(
        np.concatenate([part.logits for part in parts]),
        parts[0].classes,
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.overflow for part in parts]),
        np.concatenate(distances) if len(distances) == len(parts) else None,
        np.concatenate(tiers) if len(tiers) == len(parts) else None,
    )


class Scorer(Protocol):
    """Anything that scores texts: a bundle, a full model behind an adapter."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the score columns."""
        ...

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, in their order."""
        ...


@dataclass(frozen=True)
class Verdict:
    """One judged event.

    Attributes
    ----------
    label
        The class with the highest probability.
    attack
        Probability that the event is not benign: one minus the benign classes' share.
    probabilities
        Class name to probability.
    windows
        Windows the event was judged in; the worst one decided.
    overflow
        True if the event went on past the last judged window: its rest was not seen.
    origin
        Where the event came from, such as `access.csv:17`.
    """

    label: str
    attack: float
    probabilities: dict[str, float]
    windows: int
    overflow: bool
    origin: str
