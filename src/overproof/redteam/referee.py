"""Decide about what attacks propose: the full model is asked, and an oracle whether the event still does the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from overproof.bundle.scores import Floats
from overproof.redteam.base import Oracle, Proof
from overproof.redteam.objectives import Objective

AskFull = Callable[[Sequence[str]], Floats]  # texts to the full model's probability of an attack, shape (n,)

NO_ORACLE = Proof("unproved", "no oracle for this kind of event")
NOT_ASKED = Proof("unproved", "not asked: it was refused before")
FULL_AGREES = "the full model says the same"
CHANGED = "it no longer does what it did"


@dataclass(frozen=True)
class Claim:
    """What an attack proposes as a success: an edited event of a domain."""

    domain: str
    original: str
    edited: str


@dataclass(frozen=True)
class Ruling:
    """What the referee says of a claim.

    Attributes
    ----------
    refused
        Why it does not count; None where it does.
    full
        The full model's probability that the edited event is an attack; None where it was not asked.
    proof
        What the oracle says of its meaning.
    """

    refused: str | None
    full: float | None
    proof: Proof

    @property
    def proved(self) -> bool:
        """Whether the claim counts, and its meaning is proved."""
        return self.refused is None and self.proof.meaning == "proved"


@dataclass(frozen=True)
class Referee:
    """Rules on claims; what it refuses is counted by reason.

    Attributes
    ----------
    ask_full
        None where there is no full model: what it would say is then not looked at.
    oracles
        By domain.
    """

    ask_full: AskFull | None
    oracles: Mapping[str, Oracle]
    refusals: Counter[str] = field(default_factory=Counter)

    def rule(self, claims: Sequence[Claim], objective: Objective) -> list[Ruling]:
        """Rule on claims, in their order."""
        full: list[float | None] = [None] * len(claims)
        if objective.full is not None and self.ask_full is not None and claims:
            full = list(map(float, self.ask_full([claim.edited for claim in claims])))
        parts = [p is None or (p > 0.5) == (objective.full == "attack") for p in full]
        proofs = iter(self.prove([claim for claim, stands in zip(claims, parts, strict=True) if stands]))
        rulings = []
        for stands, p in zip(parts, full, strict=True):
            proof = next(proofs) if stands else NOT_ASKED
            refused = FULL_AGREES if not stands else CHANGED if proof.meaning == "changed" else None
            rulings.append(Ruling(refused, p, proof))
        self.refusals.update(ruling.refused for ruling in rulings if ruling.refused is not None)
        return rulings

    def prove(self, claims: Sequence[Claim]) -> list[Proof]:
        """Ask the oracle of each claim's domain."""
        found = [NO_ORACLE] * len(claims)
        for domain in sorted({claim.domain for claim in claims} & set(self.oracles)):
            rows = [row for row, claim in enumerate(claims) if claim.domain == domain]
            proofs = self.oracles[domain]([(claims[row].original, claims[row].edited) for row in rows])
            for row, proof in zip(rows, proofs, strict=True):
                found[row] = proof
        return found
