"""Say what a check promises of a run, and withdraw it once the run is another than the one that was checked.

The promise is of a cascade in which every event that the student may not decide alone is decided by the full model.
Where one of them is not, its label is the student's own, and nobody has shown how often that is wrong. Of a student
that was checked to be deployed alone it is of its labels, whoever else would have to decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from overproof.errors import InputError

Status = Literal["stands", "withdrawn"]


@dataclass(frozen=True)
class Promise:
    """What `overproof check` promises of a cascade.

    Attributes
    ----------
    limit
        At most this share of the attacks that the full model detects is lost: called benign by the student, alone.
        Of a student alone: it misses at most so many more of the attacks than the full model, as a share of them.
    confidence
        With which that was shown.
    source
        Where it was read.
    alone
        Whether it is of a student that is deployed without a full model.

    Raises
    ------
    InputError
        A limit or confidence that is no number from 0 up, below 1.
    """

    limit: float
    confidence: float
    source: str
    alone: bool = False

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("confidence", self.confidence)):
            if not 0 <= value < 1:
                raise InputError(f"{self.source}: a promise's {name} of {value}, expected a number from 0 up, below 1")

    def __str__(self) -> str:
        share = f"at most {100 * self.limit:g} %"
        what = (
            f"the student alone misses {share} more of the attacks than the full model that it was checked against"
            if self.alone
            else f"{share} of the attacks that the full model detects are lost"
        )
        return (
            f"{what}, copies counted once, with {100 * self.confidence:g} % confidence, for events like those of the "
            f"check ({self.source})"
        )


@dataclass(frozen=True)
class Unverified:
    """How many events the full model should have decided and did not.

    Attributes
    ----------
    deferred, held, abstained
        Those that nobody decided: over the budget or the full model's queue; for a full model that is down; for none.
    stood_in
        Those that the student decided in place of a full model that is down.
    """

    deferred: int = 0
    held: int = 0
    abstained: int = 0
    stood_in: int = 0

    @classmethod
    def of(cls, status: Mapping[str, int], stood_in: int) -> Unverified:
        """Take them from counts of the verdicts' status."""
        deferred, held, abstained = (status.get(name, 0) for name in ("deferred", "held", "abstained"))
        return cls(deferred, held, abstained, stood_in)

    @classmethod
    def among(cls, verdicts: Iterable[Mapping[str, Any]]) -> Unverified:
        """Count them among verdicts."""
        found = Counter("stood_in" if verdict["stood_in"] else verdict["status"] for verdict in verdicts)
        return cls.of(found, found["stood_in"])

    def __add__(self, other: Unverified) -> Unverified:
        return Unverified(
            self.deferred + other.deferred,
            self.held + other.held,
            self.abstained + other.abstained,
            self.stood_in + other.stood_in,
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.deferred + self.held + self.abstained + self.stood_in

    def __str__(self) -> str:
        said = {
            "deferred": self.deferred,
            "held while it was down": self.held,
            "abstained from": self.abstained,
            "decided by the student in its place": self.stood_in,
        }
        return ", ".join(f"{count:,} {what}" for what, count in said.items() if count)


@dataclass(frozen=True)
class PromiseStatus:
    """What is left of a promise after so many events.

    Attributes
    ----------
    promise
        What the check promised.
    events
        Events that were judged.
    unverified
        Those of them that should have gone to the full model and were not decided by it.
    """

    promise: Promise
    events: int
    unverified: Unverified

    @property
    def status(self) -> Status:
        """`stands` while the full model has decided every event that it should."""
        return "withdrawn" if self.unverified.total else "stands"

    @property
    def message(self) -> str:
        """What can be said, in a sentence that is understood alone."""
        if self.status == "stands":
            return f"stands: {self.promise}"
        if self.promise.alone:
            return (
                f"withdrawn: nobody decided {self.unverified.total:,} of {self.events:,} events ({self.unverified!s}); "
                "their labels are the student's own, and provisional. Where these are taken for its answers, "
                f"{self.promise}"
            )
        return (
            f"withdrawn: the full model did not verify {self.unverified.total:,} of {self.events:,} events "
            f"({self.unverified!s}); their labels are the student's own, and nothing is promised of them. "
            f"Beside what is lost among them, {self.promise}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        counts = self.unverified
        return {
            "limit": self.promise.limit,
            "confidence": self.promise.confidence,
            "source": self.promise.source,
            "alone": self.promise.alone,
            "status": self.status,
            "deferred": counts.deferred,
            "held": counts.held,
            "abstained": counts.abstained,
            "stood_in": counts.stood_in,
            "message": self.message,
        }
