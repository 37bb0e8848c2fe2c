"""Hold a bundle for the service: the cascade and the index, and what scoring threads do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats, Scores, joined, softmax
from overproof.bundle.tiers import deciding
from overproof.errors import BundleError, InputError
from overproof.inference.cascade import Cascade, Decision, FullDown, PromiseStatus, Unverified
from overproof.inference.cascade.budget import Kind
from overproof.inference.cascade.policy import Deferrals
from overproof.inference.exceptions import Silencer
from overproof.inference.service.drift import Drift
from overproof.inference.similarity.search import Searcher

Verdict = dict[str, Any]
TRIED = ("", "GET /index.html", "id=1' or 1=1-- " * 400)  # the last takes several windows


@dataclass(frozen=True)
class Escalated:
    """One event that goes to the full model: its scores, a row of them, and why it goes."""

    text: str
    scores: Scores
    reason: str
    kind: Kind
    confidence: float


@dataclass
class _Judged:
    """How many events were judged, and which of them were not verified."""

    events: int = 0
    unverified: Unverified = field(default_factory=Unverified)


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
        self.opened = datetime.now(UTC).isoformat(timespec="seconds")
        self.drift = Drift(cascade.student.manifest.signals)
        self.searcher = None if index is None else Searcher(cascade.student, index)
        self.embed = cascade.student.embed
        self.work_of = cascade.student.manifest.windowing.work
        self._judged = _Judged()
        self.silencer = Silencer(cascade.exceptions, cascade) if cascade.exceptions else None

    def tried(self) -> LoadedBundle:
        """Return it if it judges a few made-up texts; a seal does not show that a bundle can do so.

        Raises
        ------
        BundleError
            It cannot, or what it says is no number.
        """
        student = self.cascade.student
        try:
            scores = student.score(TRIED)
            probabilities = scores.probabilities
            Cascade(student, None, self.cascade.policy).judge(TRIED)  # without a full model, and without its budget
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of a library too
            raise BundleError(f"the bundle cannot judge a sample: {type(error).__name__}: {error}") from error
        if probabilities.shape != (len(TRIED), len(student.classes)) or not np.isfinite(probabilities).all():
            raise BundleError("the bundle's scores of a sample are no probabilities of its classes")
        return self

    @property
    def promised(self) -> PromiseStatus | None:
        """What is left of the check's promise after the events that were judged; None where nothing was promised."""
        promise = self.cascade.policy.promise
        return None if promise is None else PromiseStatus(promise, self._judged.events, self._judged.unverified)

    def count(self, verdicts: Sequence[Verdict]) -> PromiseStatus | None:
        """Count verdicts that are answered; returns the promise's status if they withdraw it."""
        judged = self._judged
        stood = judged.unverified.total == 0
        judged.events += len(verdicts)
        judged.unverified += Unverified.among(verdicts)
        return self.promised if stood and judged.unverified.total else None

    def follow(self, before: LoadedBundle) -> None:
        """Go on with another's budget, and with its counts if it is the same cascade: a reload mends no promise."""
        self.cascade.bucket = before.cascade.bucket
        mine, its = ((one.cascade.policy, one.cascade.models) for one in (self, before))
        if mine == its:
            self._judged = before._judged

    def judge(self, texts: list[str]) -> list[Verdict | Escalated]:
        """Return the verdict on each text, or what to ask the full model; spend the escalation budget."""
        cascade = self.cascade
        scores = cascade.student.score(texts)
        decision = cascade.decide(scores)
        deferrals = decision.deferrals
        self.drift.add(confidence=deferrals.confidence, ood_distance=scores.ood_distance)
        found: list[Verdict | Escalated] = list(cascade.verdicts(scores, decision, None))
        for i in decision.escalated:
            why, kind, sure = deferrals.reasons[i], deferrals.kinds[i], float(deferrals.confidence[i])
            found[i] = Escalated(texts[i], scores.take([i]), why, kind, sure)
        return found

    def settle(self, escalated: Sequence[Escalated], answers: Floats | FullDown | str) -> list[Verdict]:
        """Return verdicts on what was to be asked: by the full model's answers, or by why there are none.

        Parameters
        ----------
        answers
            Probabilities, shape (n, classes); FullDown; or why the full model was not asked: they are deferred.
        """
        rows = range(len(escalated))
        parts = [one.scores for one in escalated]
        scores = joined(parts)
        confidence = np.array([one.confidence for one in escalated], dtype=np.float32)
        reasons, kinds = {i: escalated[i].reason for i in rows}, {i: escalated[i].kind for i in rows}
        deferrals = Deferrals(list(rows), reasons, kinds, confidence)
        if isinstance(answers, str):
            return list(self.cascade.verdicts(scores, Decision(deferrals, [], dict.fromkeys(rows, answers)), None))
        return list(self.cascade.verdicts(scores, Decision(deferrals, list(rows), {}), answers))

    def look(self, texts: list[str]) -> list[dict[str, Any]]:
        """Show how the student reads each text: its windows, their tokens, what each says, and which decides.

        Of two students it is the one that decides the text.
        """
        students = deciding(self.cascade.student, texts)
        return [_looked(student, text) for student, text in zip(students, texts, strict=True)]

    def fits(self, before: LoadedBundle) -> None:
        """Raise InputError unless it can take the place of another: clients know that one's classes."""
        new, old = self.cascade.student.manifest, before.cascade.student.manifest
        if (new.classes, new.benign) != (old.classes, old.benign):
            raise InputError(
                f"the new bundle's classes are {', '.join(new.classes)} (benign: {', '.join(new.benign)}), expected "
                f"those of the one in service: {', '.join(old.classes)} (benign: {', '.join(old.benign)})"
            )


def _looked(student: OnnxScorer, text: str) -> dict[str, Any]:
    """Show how one student reads a text."""
    windows = student.windows([text])
    logits = student.window_logits(windows)
    probabilities = softmax(logits)
    labels = student.labels(probabilities)
    attack, decides = student.attack(probabilities), int(student.deciding(windows, logits)[0])
    shown = [
        {
            "tokens": student.spell(windows, i),
            # of logits that are no numbers there is neither
            "label": student.classes[labels[i]] if np.isfinite(attack[i]) else None,
            "attack": round(float(attack[i]), 7) if np.isfinite(attack[i]) else None,
            "decides": i == decides,
        }
        for i in range(len(logits))
    ]
    return {"windows": shown, "overflow": bool(windows.overflow[0])}
