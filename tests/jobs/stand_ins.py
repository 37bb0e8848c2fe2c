"""A stand-in for a full model, and events that a small untrained bundle can be checked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.distillation.teachers.interface import Report, TeacherCard, texts_of
from overproof.events.schema import event_table


@dataclass(frozen=True)
class StandIn:
    """A full model that answers by a function of texts; a fingerprint of None makes it a service."""

    classes: tuple[str, ...]
    answer: Callable[[Sequence[str]], Floats]
    fingerprint: str | None = "stand-in"
    labels_new_events: bool = True
    asked: list[int] = field(default_factory=list)

    @property
    def card(self) -> TeacherCard:
        return TeacherCard("stand-in", "a stand-in", None, None, "python", self.fingerprint)

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        texts = texts_of(events)
        self.asked.append(len(texts))
        if report is not None:
            report(len(texts))
        return np.asarray(np.log(np.maximum(self.answer(texts), 1e-7)), dtype=np.float32)


def drawn(student: OnnxScorer, count: int = 2000, seed: int = 0) -> pa.Table:
    """Draw events that are labelled as the student labels them, but for a share of its least sure benign verdicts.

    Those are attacks, which it misses: a cascade that escalates what is unsure detects them. Of none is another class
    likelier than its label: of an untrained network these would be many, and all doubtful.
    """
    random, letters = np.random.default_rng(seed), np.array(list("ABCDEFGHIJ "))
    texts = ["".join(random.choice(letters, int(random.integers(6, 24)))) for _ in range(2 * count)]
    scores = student.score(texts)
    rows = np.flatnonzero(scores.confidence(1.0) > 0.5)[:count]
    texts, scores = [texts[row] for row in rows], scores.take(rows)
    labels = np.array(student.classes, dtype=object)[scores.labels]
    sure = scores.confidence(1.0)
    labels[np.argsort(sure + 10 * (labels != "benign"))[: count // 50]] = "sqli"
    return event_table({"text": texts, "label": labels.tolist()})


def right(events: pa.Table, student: OnnxScorer) -> Callable[[Sequence[str]], Floats]:
    """Answer with the events' own labels; of any other text, with the student's in other words."""
    known = dict(zip(texts_of(events), events["label"].to_pylist(), strict=True))

    def answer(texts: Sequence[str]) -> Floats:
        p = student.score(list(texts)).probabilities ** 0.5
        place = [student.classes.index(known[text]) if text in known else -1 for text in texts]
        for row, column in enumerate(place):
            if column >= 0:
                p[row] = 0.02
                p[row, column] = 0.96
        return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float32)

    return answer
