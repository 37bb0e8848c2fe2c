"""Measure what one model got right on labelled events, as counts first and rates from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, labels_of, softmax

MIN_SUPPORT = 15
Names = NDArray[np.object_]


@dataclass(frozen=True)
class Share:
    """k of n.

    Attributes
    ----------
    k, n
        The counts.
    """

    k: int
    n: int

    @property
    def rate(self) -> float | None:
        """The share k / n, or None where there was nothing to count."""
        return self.k / self.n if self.n else None


@dataclass(frozen=True)
class Labelled:
    """What events truly are.

    Attributes
    ----------
    labels, families
        Label and family of each event; None where unknown.
    benign
        The labels that are benign.
    """

    labels: Sequence[str | None]
    families: Sequence[str | None]
    benign: Collection[str]


@dataclass(frozen=True)
class Metrics:
    """One model on one set of events; None and shares of 0 are "not measured", never "0 %".

    Attributes
    ----------
    n
        Labelled events.
    correct
        Those whose predicted label is the true one; a label that the model lacks is always wrong.
    macro_f1
        Mean F1 of the classes with at least `min_support` labelled events.
    macro_f1_all
        Mean F1 of every class with a labelled event.
    families
        Family to how many of its events got their true label.
    missed
        FN: attacks that were called benign, of all attacks.
    flagged
        FP: benign events that were called attacks, of all benign events.
    agreed
        Events with the teacher's own verdict, of all events, unlabelled ones too.
    min_support
        Events that a class needs to count in `macro_f1`.
    """

    n: int
    correct: Share
    macro_f1: float | None
    macro_f1_all: float | None
    families: Mapping[str, Share]
    missed: Share
    flagged: Share
    agreed: Share
    min_support: int = MIN_SUPPORT

    @property
    def accuracy(self) -> float | None:
        """The share of labelled events with the right label."""
        return self.correct.rate

    @property
    def fn_rate(self) -> float | None:
        """The share of attacks called benign."""
        return self.missed.rate

    @property
    def fp_rate(self) -> float | None:
        """The share of benign events called attacks."""
        return self.flagged.rate

    @property
    def agreement(self) -> float | None:
        """The share of events on which model and teacher say the same."""
        return self.agreed.rate


def measure(
    logits: Floats,
    classes: Sequence[str],
    events: Labelled,
    teacher_logits: Floats | None,
    min_support: int = MIN_SUPPORT,
) -> Metrics:
    """Measure one model's logits against the truth and the teacher.

    Parameters
    ----------
    logits, teacher_logits
        Shape (events, classes), columns in the order of `classes` both.
    events
        The truth. An unlabelled event counts in the agreement only; if no class is benign, the model cannot say
        "benign", and FN and FP are not measured.
    min_support
        Events a class needs to count in `macro_f1`.
    """
    _check_lengths(logits, classes, events, teacher_logits)
    benign = [name in events.benign for name in classes]
    best = labels_of(softmax(logits), benign)
    labelled = np.array([label is not None for label in events.labels], dtype=bool)
    predicted = np.array(classes, dtype=object)[best][labelled]
    truth = np.array(events.labels, dtype=object)[labelled]
    family = np.array(events.families, dtype=object)[labelled]
    right = predicted == truth
    support = {name: int((truth == name).sum()) for name in sorted(set(truth))}
    says_benign = bool(set(events.benign) & set(classes))
    attack = np.array([label not in events.benign for label in truth], dtype=bool)
    called = np.array([name not in events.benign for name in predicted], dtype=bool)
    return Metrics(
        n=len(truth),
        correct=_share(right),
        macro_f1=_macro_f1(truth, predicted, [name for name, n in support.items() if n >= min_support]),
        macro_f1_all=_macro_f1(truth, predicted, list(support)),
        families={name: _share(right[family == name]) for name in sorted({f for f in family if f is not None})},
        missed=_share(~called[attack]) if says_benign else Share(0, 0),
        flagged=_share(called[~attack]) if says_benign else Share(0, 0),
        agreed=Share(0, 0) if teacher_logits is None else _share(best == labels_of(softmax(teacher_logits), benign)),
        min_support=min_support,
    )


def _check_lengths(
    logits: Floats,
    classes: Sequence[str],
    events: Labelled,
    teacher_logits: Floats | None,
) -> None:
    count, families = len(events.labels), len(events.families)
    expected = (count, len(classes))
    if logits.shape != expected or families != count:
        raise ValueError(f"logits {logits.shape} and {families} families, expected {expected} and {count}")
    if teacher_logits is not None and teacher_logits.shape != expected:
        raise ValueError(f"teacher's logits {teacher_logits.shape}, expected {expected}")


def _share(hits: NDArray[np.bool_]) -> Share:
    return Share(int(np.count_nonzero(hits)), len(hits))


def _macro_f1(truth: Names, predicted: Names, names: Sequence[str]) -> float | None:
    """Return the mean over `names` of F1 = 2 TP / (2 TP + FP + FN); each has an event, so no denominator is 0."""
    if not names:
        return None
    scores = []
    for name in names:
        true, called = truth == name, predicted == name
        scores.append(2 * np.count_nonzero(true & called) / (np.count_nonzero(true) + np.count_nonzero(called)))
    return float(np.mean(scores))
