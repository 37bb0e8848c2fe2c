"""Join student and full model in a cascade: what the student cannot be trusted with goes to the full model.

`policy.py` says which events those are, a pure function of scores; `budget.py` how many may go, `decision.py` which;
`full.py` what they go to, `remote.py` where that stands elsewhere; `verdicts.py` writes down who decided, and why;
`promise.py` says what may be said of it all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from overproof.bundle.scores import Floats, Scores
from overproof.bundle.tiers import Student
from overproof.inference.cascade.budget import Bucket, Rate, parse_rate
from overproof.inference.cascade.decision import Decision, spend
from overproof.inference.cascade.full import Full, FullDown, aligned
from overproof.inference.cascade.guard import Deadline, guarded
from overproof.inference.cascade.policy import EVERYTHING, Policy, deferrals
from overproof.inference.cascade.promise import Promise, PromiseStatus, Unverified
from overproof.inference.cascade.verdicts import Settled, Verdicts, verdicts

if TYPE_CHECKING:
    from overproof.inference.exceptions.rules import Rule

__all__ = [
    "EVERYTHING",
    "Bucket",
    "Cascade",
    "Decision",
    "Full",
    "FullDown",
    "Policy",
    "Promise",
    "PromiseStatus",
    "Rate",
    "Unverified",
    "Verdicts",
    "parse_rate",
]

HASH_DIGITS = 16
Answers = Floats | FullDown | None


class Cascade:
    """Student, full model and policy.

    `judge` does all of it. A service that must not wait for the full model takes the steps apart: `decide`, `ask` for
    the escalated texts, `verdicts`.

    Parameters
    ----------
    student
        An opened bundle.
    full
        The full model, or None: then what the student may not decide is abstained from.
    bucket
        The escalation budget; None is without limit.

    Attributes
    ----------
    about
        What the bundle was made from, in a sentence that whoever deploys it is told; empty: nothing is told.
    exceptions
        Rules that whoever deploys it wants alerts to be silenced by; no verdict of the cascade heeds them.
    """

    def __init__(
        self, student: Student, full: Full | None = None, policy: Policy | None = None, bucket: Bucket | None = None
    ) -> None:
        self.student, self.about = student, ""
        self.exceptions: Sequence[Rule] = ()
        self._unguarded = None if full is None else aligned(full, student.classes)
        self.full = None if self._unguarded is None else guarded(self._unguarded)
        self.policy = policy or Policy()
        self.bucket = bucket or Bucket(None)
        manifest = student.manifest
        self._benign = [name in manifest.benign for name in manifest.classes]
        self.models: dict[str, str | None] = {
            "student": "+".join(sha256[:HASH_DIGITS] for sha256 in manifest.models),
            "full": None if full is None else full.model,
        }

    def within(self, seconds: float) -> Cascade:
        """Give the full model so many seconds for a call, however many texts it has; returns the cascade itself."""
        if self._unguarded is not None:
            self.full = guarded(self._unguarded, Deadline(seconds, None))
        return self

    def judge(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Judge texts: verdicts in their order, without origins.

        Raises
        ------
        FullDown
            If the full model does not answer and the policy is to fail.
        """
        return list(self.settle(texts, self.student.score(texts)))

    def settle(self, texts: Sequence[str], scores: Scores) -> Iterator[dict[str, Any]]:
        """Return verdicts on texts that the student has scored."""
        decision = self.decide(scores)
        return self.verdicts(scores, decision, self.ask([texts[i] for i in decision.escalated]))

    def decide(self, scores: Scores) -> Decision:
        """Choose the events that go to the full model; spends the budget on those that need it most first."""
        found = deferrals(scores, self.policy)
        return Decision(found, [], {}) if self.full is None else spend(found, self.bucket)

    def ask(self, texts: Sequence[str]) -> Answers:
        """Ask the full model for probabilities, shape (n, classes), or for why there are none.

        Raises
        ------
        FullDown
            If it does not answer and the policy is to fail.
        """
        if self.full is None or not texts:
            return None
        try:
            return self.full.ask(texts)
        except FullDown as down:
            if self.policy.on_full_down == "fail":
                raise
            return down

    def verdicts(self, scores: Scores, decision: Decision, answers: Answers) -> Iterator[dict[str, Any]]:
        """Return the verdicts, as JSON objects (docs/verdict-schema.md) without origins."""
        return self.columns(scores, decision, answers).objects()

    def columns(self, scores: Scores, decision: Decision, answers: Answers) -> Verdicts:
        """Return the verdicts, as columns."""
        return verdicts(scores, self._settled(decision, answers), benign=self._benign, models=self.models)

    def _settled(self, decision: Decision, answers: Answers) -> Settled:
        confidence, deferred = decision.deferrals.confidence, decision.deferrals.reasons
        n = len(confidence)
        status, decided_by, reasons = ["decided"] * n, ["student"] * n, self._trusted(confidence)
        for i, why in deferred.items():
            status[i], decided_by[i], reasons[i] = "abstained", "nobody", f"{why}; no full model was given"
        for i, why in decision.deferred.items():
            status[i], reasons[i] = "deferred", f"{deferred[i]}; {why}"
        full: dict[int, Floats] = {}
        stood_in: set[int] = set()
        for place, i in enumerate(decision.escalated):
            if isinstance(answers, FullDown):
                # a student whose scores are no numbers (NaN) has no answer that could stand
                stands = self.policy.on_full_down == "student" and confidence[i] >= 0
                status[i], decided_by[i] = ("decided", "student") if stands else ("held", "nobody")
                then = "the student's answer stands" if stands else "held"
                if stands:
                    stood_in.add(i)
                reasons[i] = f"{deferred[i]}; the full model is down, {then} ({answers})"
            elif answers is not None:
                status[i], decided_by[i], reasons[i], full[i] = "decided", "full", deferred[i], answers[place]
        return Settled(status, decided_by, stood_in, reasons, confidence, full)

    def _trusted(self, confidence: Floats) -> list[str]:
        """Say why the student may decide: how sure it is of each event, and how sure it has to be."""
        if not self.policy.confidence:
            return ["no threshold to defer it by"] * len(confidence)
        said = _sure_enough(self.policy.confidence)
        known = np.where(confidence >= 0, confidence, 0)  # what is no number is deferred, and gets another reason
        thousandths = np.rint(1000 * known.astype(np.float64))  # exact before it is rounded
        return [said[place] for place in thousandths.astype(np.intp).tolist()]


@lru_cache(maxsize=4)
def _sure_enough(limit: float) -> list[str]:
    """Say of each thousandth of confidence that it is not below the limit."""
    return [f"confidence {place / 1000:.3f} ≥ {limit:.3f}" for place in range(1001)]
