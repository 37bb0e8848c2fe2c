"""Measure how far a quantized model is from the one it was made of: KL, flips, and recall lost in every family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, attack_of, labels_of, softmax

MIN_BENIGN = 100  # recall is read where one benign event in so many is flagged: a false-positive rate of 1 %


@dataclass(frozen=True)
class Detected:
    """Attacks of one family that stand above the operating threshold.

    Attributes
    ----------
    events
        Attacks of the family.
    before, after
        Of those, how many the float and the quantized model detect.
    lost
        Of those that the float model detects, how many the quantized one misses. Attacks that it gains make up for
        none of them: they are others.
    """

    events: int
    before: int
    after: int
    lost: int

    def __post_init__(self) -> None:
        if min(self.before, self.after) < 0 or max(self.before, self.after) > self.events:
            raise ValueError(f"{self.before} and {self.after} detected of {self.events} attacks")
        if not max(0, self.before - self.after) <= self.lost <= min(self.before, self.events - self.after):
            raise ValueError(f"{self.lost} lost, {self.before} and {self.after} detected of {self.events} attacks")

    @property
    def recall_lost(self) -> float:
        """The attacks lost as a share of the family's events."""
        return self.lost / self.events if self.events else 0.0


@dataclass(frozen=True)
class Divergence:
    """What quantization changed on some events.

    Attributes
    ----------
    events
        How many were judged by both.
    kl
        Mean KL(float ‖ quantized) of their class probabilities, in nats.
    flips
        Events whose label changed.
    max_difference
        Largest |Δlogit|.
    threshold
        The attack probability above which an event counts as detected.
    families
        Family to what was detected of it; empty where no event says what it is.
    sqnr_db
        Spread of the float model's logits against their error, in dB, both without each event's mean, which changes no
        probability; None where nothing changed. It weighs all events; a KL hangs on the few that nearly flip.
    """

    events: int
    kl: float
    flips: int
    max_difference: float
    threshold: float
    families: Mapping[str, Detected]
    sqnr_db: float | None = None

    @property
    def flip_rate(self) -> float:
        """The share of labels that changed."""
        return self.flips / self.events if self.events else 0.0

    @property
    def worst(self) -> tuple[str, Detected] | None:
        """The family that lost the largest share of its recall, and what of it; None if none lost any."""
        losing = [(found.recall_lost, name, found) for name, found in self.families.items() if found.lost]
        return max(losing)[1:] if losing else None


@dataclass(frozen=True)
class Truth:
    """What is known of the events, and where the threshold lies.

    Attributes
    ----------
    benign
        For each class, whether it is benign; all False where that is not known.
    families
        Family of each attack; None for benign events and unknown ones.
    threshold
        Operating threshold on the attack probability.
    """

    benign: NDArray[np.bool_]
    families: Sequence[str | None]
    threshold: float


@dataclass(frozen=True)
class Changes:
    """What quantization changed of each event; `Divergence` sums it up.

    Attributes
    ----------
    kl
        KL(float ‖ quantized) of its class probabilities, in nats, at least 0, shape (n,).
    flipped
        Whether its label changed, shape (n,).
    before, after
        Whether its attack probability lies above the threshold, by the float and the quantized model, shape (n,).
    families
        Family of each attack, empty for benign events and unknown ones, shape (n,).
    """

    kl: NDArray[np.float64]
    flipped: NDArray[np.bool_]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    families: NDArray[np.str_]

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Whether the float model detects it and the quantized one misses it, shape (n,)."""
        return self.before & ~self.after


def truth(
    logits: Floats,
    classes: Sequence[str],
    benign: Sequence[str],
    labels: Sequence[str | None],
    kinds: Sequence[str | None],
) -> Truth:
    """Return the families of the attacks, and the float model's threshold at a false-positive rate of 1 %.

    With fewer than a hundred benign events, or no benign class, the threshold is one half.

    Parameters
    ----------
    logits
        Of the float model, shape (n, classes).
    kinds
        Family of each event, or its label where it has none.
    """
    classes_benign = np.array([name in benign for name in classes])
    families = [None if label is None or label in benign else kind for label, kind in zip(labels, kinds, strict=True)]
    events_benign = np.array([label is not None and label in benign for label in labels], dtype=bool)
    threshold = 0.5
    if classes_benign.any() and events_benign.sum() >= MIN_BENIGN:
        attack = np.sort(attack_of(softmax(logits[events_benign]), classes_benign))
        threshold = float(attack[len(attack) - 1 - len(attack) // MIN_BENIGN])
    return Truth(classes_benign, families if classes_benign.any() else [None] * len(labels), threshold)


def changes(before: Floats, after: Floats, truth: Truth) -> Changes:
    """Compare two models' logits event by event, shape (n, classes) both."""
    log_p, log_q = _log_softmax(before), _log_softmax(after)
    kl = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
    detected = [attack_of(softmax(logits), truth.benign) > truth.threshold for logits in (before, after)]
    return Changes(
        kl=np.maximum(kl, 0.0),  # rounding alone makes it negative
        flipped=np.not_equal(*(labels_of(softmax(logits), truth.benign) for logits in (before, after))),
        before=detected[0],
        after=detected[1],
        families=np.array([name or "" for name in truth.families], dtype=str),
    )


def judge(before: Floats, after: Floats, truth: Truth) -> Divergence:
    """Compare two models' logits on the same events, shape (n, classes) both."""
    found = changes(before, after, truth)
    return Divergence(
        events=len(before),
        kl=float(found.kl.mean()) if len(before) else 0.0,
        flips=int(found.flipped.sum()),
        max_difference=float(np.abs(before - after).max(initial=0.0)),
        threshold=truth.threshold,
        families={str(name): _detected(found, found.families == name) for name in np.unique(found.families) if name},
        sqnr_db=_sqnr_db(before, after),
    )


def _detected(found: Changes, members: NDArray[np.bool_]) -> Detected:
    counts = (int((members & each).sum()) for each in (found.before, found.after, found.lost))
    return Detected(int(members.sum()), *counts)


def _log_softmax(logits: Floats) -> NDArray[np.float64]:
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def _sqnr_db(before: Floats, after: Floats) -> float | None:
    a, b = (z.astype(np.float64) - z.mean(axis=1, keepdims=True, dtype=np.float64) for z in (before, after))
    signal, noise = float(np.square(a).sum()), float(np.square(a - b).sum())
    return 10 * float(np.log10(signal / noise)) if signal and noise else None
