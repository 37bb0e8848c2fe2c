"""A bundle as the service holds it: the cascade and the index, and what scoring threads do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats, Scores, joined, softmax
from overproof.errors import InputError
from overproof.inference.cascade import Cascade, Decision, FullDown
from overproof.inference.cascade.policy import Deferrals
from overproof.inference.service.drift import Drift
from overproof.inference.similarity.search import Searcher

Verdict = dict[str, Any]


@dataclass(frozen=True)
class Doubted:
    """One event that goes to the full model: its scores, a row of them, and why it goes."""

    text: str
    scores: Scores
    reason: str
    confidence: float


class LoadedBundle:
    """One bundle, from when it was opened to the last request that began with it.

    Parameters
    ----------
    index
        Folder of the known events; None where none was given.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        See `similar.search.Searcher`.
    """

    def __init__(self, cascade: Cascade, index: Path | None = None) -> None:
        self.cascade = cascade
        self.drift = Drift(cascade.student.manifest.signals)
        self.searcher = None if index is None else Searcher(cascade.student, index)
        self.embed = cascade.student.embed

    def judge(self, texts: list[str]) -> list[Verdict | Doubted]:
        """The verdict on each text, or what is to be asked of the full model; spends the escalation budget."""
        cascade = self.cascade
        scores = cascade.student.score(texts)
        decision = cascade.decide(scores)
        doubts = decision.doubts
        self.drift.add(confidence=doubts.confidence, novelty=scores.novelty)
        found: list[Verdict | Doubted] = list(cascade.verdicts(scores, decision, None))
        for i in decision.escalated:
            found[i] = Doubted(texts[i], scores.take([i]), doubts.reasons[i], float(doubts.confidence[i]))
        return found

    def settle(self, doubted: Sequence[Doubted], answers: Floats | FullDown | str) -> list[Verdict]:
        """Verdicts on what was to be asked: by the full model's answers, or by why there are none.

        Parameters
        ----------
        answers
            Probabilities, shape (n, classes); FullDown; or why the full model was not asked: they are deferred.
        """
        rows = range(len(doubted))
        parts = [one.scores for one in doubted]
        scores = joined(parts)
        confidence = np.array([one.confidence for one in doubted], dtype=np.float32)
        doubts = Deferrals(list(rows), {i: doubted[i].reason for i in rows}, confidence)
        if isinstance(answers, str):
            return list(self.cascade.verdicts(scores, Decision(doubts, [], dict.fromkeys(rows, answers)), None))
        return list(self.cascade.verdicts(scores, Decision(doubts, list(rows), {}), answers))

    def look(self, texts: list[str]) -> list[dict[str, Any]]:
        """How the student reads each text: its windows' tokens, what each says, and which decides."""
        student = self.cascade.student
        windows = student.windows(texts)
        probabilities = softmax(student.window_logits(windows.ids))
        attack = student.attack(probabilities)
        found = []
        for event, overflow in enumerate(windows.overflow.tolist()):
            own = np.flatnonzero(windows.owner == event)
            decides = int(own[attack[own].argmax()])
            told = [
                {
                    "tokens": _spelled(student, windows.ids[i]),
                    "label": student.classes[int(probabilities[i].argmax())],
                    "attack": round(float(attack[i]), 7),
                    "decides": i == decides,
                }
                for i in own.tolist()
            ]
            found.append({"windows": told, "overflow": overflow})
        return found

    def fits(self, before: LoadedBundle) -> None:
        """InputError unless it can take the place of another: clients know that one's classes."""
        new, old = self.cascade.student.manifest, before.cascade.student.manifest
        if (new.classes, new.benign) != (old.classes, old.benign):
            raise InputError(
                f"the new bundle's classes are {', '.join(new.classes)} (harmless: {', '.join(new.benign)}), expected "
                f"those of the one in service: {', '.join(old.classes)} (harmless: {', '.join(old.benign)})"
            )


def _spelled(student: OnnxScorer, ids: list[int]) -> list[str]:
    """Tokens as text, without the special one in front; part of a character is shown as U+FFFD."""
    tokenizer = student._tokenizer
    return [tokenizer.decode([i], skip_special_tokens=False) for i in ids[1:]]
