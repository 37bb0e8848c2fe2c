"""Set guards: the limits of what quantization may cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overproof.errors import InputError
from overproof.results.divergence import Detected, Divergence
from overproof.results.precision_search import BROKEN, HELD, UNMEASURED, Finding

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Guards:
    """Limits; None and an empty mapping guard nothing.

    Attributes
    ----------
    max_flips
        Share of events whose label may change.
    max_kl
        Mean KL(float ‖ quantized), in nats.
    max_recall_loss
        Family to the share of its attacks that may be lost; 0 allows not one of those at hand.
    """

    max_flips: float | None = None
    max_kl: float | None = None
    max_recall_loss: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = {"max-flips": self.max_flips, **{f"max-recall-loss {k}": v for k, v in self.max_recall_loss.items()}}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise InputError(f"{name} is {share}: expected a share from 0 to 1, or a percentage such as 0.5%")
        if self.max_kl is not None and not self.max_kl >= 0:
            raise InputError(f"max-kl is {self.max_kl}: expected 0 or more")

    def __bool__(self) -> bool:
        return self.max_flips is not None or self.max_kl is not None or bool(self.max_recall_loss)

    def require_families(self, known: Sequence[str]) -> None:
        """Raise InputError if a guarded family has no held-back event."""
        for name in self.max_recall_loss:
            if name not in known:
                listed = ", ".join(sorted(known)) or "none: the events have no labels, or no class is benign"
                raise InputError(f"--max-recall-loss {name}: no held-back attack of that family; families are {listed}")

    def findings(self, found: Divergence) -> tuple[Finding, ...]:
        """Measure each guard: held, broken, or unmeasured for want of events.

        A share that is to stay below p is measured only by as many events as would show p with 95 % confidence:
        ln 0.05 / ln (1 - p), the "rule of three" (Hanley, Lippman-Hand 1983).
        """
        results = []
        if self.max_flips is not None:
            results.append(_share("flips", self.max_flips, found.flips, found.events))
        if self.max_kl is not None:
            results.append(Finding("kl", self.max_kl, found.kl, HELD if found.kl <= self.max_kl else BROKEN))
        for family, limit in self.max_recall_loss.items():
            detected = found.families.get(family, Detected(0, 0, 0))
            lost = detected.before - detected.after
            results.append(_share(f"recall lost in {family}", limit, lost, detected.events))
        return tuple(results)


def needed(limit: float) -> int:
    """Return how many events without a loss show a share below `limit` with 95 % confidence; 1 for limits 0 and 1."""
    return 1 if limit in (0.0, 1.0) else math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-limit))


def violation(findings: Sequence[Finding]) -> float:
    """Return by how much guards are broken, in units of their limits; 0 if none is."""
    return sum((f.measured - f.limit) / max(f.limit, 1e-6) for f in findings if f.status == BROKEN)


def _share(name: str, limit: float, lost: int, events: int) -> Finding:
    measured = lost / events if events else 0.0
    if measured > limit:
        return Finding(name, limit, measured, BROKEN, events)
    if events < needed(limit):
        return Finding(name, limit, measured, UNMEASURED, events, needed(limit))
    return Finding(name, limit, measured, HELD, events)
