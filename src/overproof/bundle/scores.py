"""Define what a model says about events: scores, the scorer protocol and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
UNTAUGHT = np.finfo(np.float32).max  # distance of a kind of record of which nothing was taught: JSON has no infinity


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


def attack_of(probabilities: Floats, benign: Sequence[bool] | NDArray[np.bool_]) -> Floats:
    """Return one minus the benign classes' share of each event, shape (n, classes) to (n,)."""
    # contiguous: else numpy adds up one row in another order than many, and a verdict would hang on its batch
    shares = np.ascontiguousarray(probabilities[:, np.asarray(benign, dtype=bool)])
    return np.asarray(1.0 - shares.sum(axis=1), dtype=np.float32)


def labels_of(probabilities: Floats, benign: Sequence[bool] | NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """Return the class that each event is given, shape (n,).

    It is an attack where the attacks together are likelier than not, and then the likeliest of them; else the likeliest
    benign class. An event that is surely an attack, and of which family is open, is not benign for that.

    Parameters
    ----------
    probabilities
        Shape (n, classes), adding up to 1.
    benign
        For each class, whether it is benign; None, all or none of them leave the likeliest class.
    """
    p = np.asarray(probabilities)
    if not len(p):
        return np.zeros(0, dtype=np.intp)
    best: NDArray[np.intp] = p.argmax(axis=1)
    innocent = np.zeros(p.shape[1], dtype=bool) if benign is None else np.asarray(benign, dtype=bool)
    if innocent.all() or not innocent.any():
        return best
    attack = attack_of(p, innocent)
    # what is no number stays where it is: there is no verdict on it
    outvoted = (innocent[best] == (attack > 0.5)) & np.isfinite(attack)
    if outvoted.any():
        allowed = innocent == (attack <= 0.5)[outvoted, None]
        best[outvoted] = np.where(allowed, p[outvoted], -1.0).argmax(axis=1)
    return best


def confidence_of(
    logits: Floats, benign: Sequence[bool] | NDArray[np.bool_] | None, temperature: float = 1.0
) -> Floats:
    """Return the probability of the class that each event is given, shape (n,); the temperature changes no label."""
    labels = labels_of(softmax(logits), benign)
    return np.take_along_axis(softmax(logits, temperature), labels[:, None], axis=1)[:, 0]


def entropy_bits(probabilities: Floats) -> NDArray[np.float64]:
    """Shannon entropy of each row in bits; 0 · log 0 is 0. Shape (n, classes) to (n,)."""
    p = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=-1), dtype=np.float64)


def distillation_loss(student: Floats, teacher: Floats, temperature: float = 1.0) -> float:
    """KL(softmax(z_t / T) ‖ softmax(z_s / T)) · T² in nats, the mean over rows.

    The numpy twin of `distillation.losses.distillation_loss`, for where torch is not (Hinton et al. 2015, section 2).

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
        `UNTAUGHT` where it is of a kind of record of which the model was taught none (`Manifest.kinds`). None where
        that is not known.
    tier
        Shape (n,), int8: which student of the bundle decided, 1 or 2 (`tiers.TieredScorer`); None where the bundle
        holds one student.
    benign
        Shape (classes,), bool: which classes are benign; None where that is not known.
    """

    logits: Floats
    classes: tuple[str, ...]
    windows: NDArray[np.int32]
    overflow: NDArray[np.bool_]
    ood_distance: Floats | None = None
    tier: NDArray[np.int8] | None = None
    benign: NDArray[np.bool_] | None = None

    @property
    def labels(self) -> NDArray[np.intp]:
        """The class that each event is given (see `labels_of`), shape (n,)."""
        return labels_of(self.probabilities, self.benign)

    def confidence(self, temperature: float) -> Floats:
        """Return the probability of each event's label at a temperature, shape (n,)."""
        return confidence_of(self.logits, self.benign, temperature)

    @property
    def probabilities(self) -> Floats:
        """softmax(logits), shape (n, classes)."""
        return softmax(self.logits)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Scores:
        """Return the scores of some events, copied."""
        distances = None if self.ood_distance is None else self.ood_distance[rows]
        tiers = None if self.tier is None else self.tier[rows]
        found = (self.logits[rows], self.classes, self.windows[rows], self.overflow[rows])
        return Scores(*found, distances, tiers, self.benign)


def joined(parts: Sequence[Scores]) -> Scores:
    """Join scores of one model for different events, one after the other; at least one part."""
    if len(parts) == 1:
        return parts[0]
    distances = [part.ood_distance for part in parts if part.ood_distance is not None]
    tiers = [part.tier for part in parts if part.tier is not None]
    return Scores(
        np.concatenate([part.logits for part in parts]),
        parts[0].classes,
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.overflow for part in parts]),
        np.concatenate(distances) if len(distances) == len(parts) else None,
        np.concatenate(tiers) if len(tiers) == len(parts) else None,
        parts[0].benign,
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
        The likeliest attack where `attack` is above one half, else the likeliest benign class.
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
