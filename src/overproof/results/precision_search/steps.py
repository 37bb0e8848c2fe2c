"""Hold the steps of a search for a precision: what each layer costs, and the guards that a step was held to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from overproof.results.divergence import Divergence
from overproof.results.formatting import count_of

HELD, BROKEN, UNMEASURED = "held", "broken", "unmeasured"


@dataclass(frozen=True)
class Finding:
    """One guard, measured.

    Attributes
    ----------
    guard
        What it limits.
    limit, measured
        In the guard's own unit: a share, or nats.
    status
        `held`, `broken` or `unmeasured`.
    events, needed
        Events it was measured on, and how many it would take; None where that is not a question of number.
    """

    guard: str
    limit: float
    measured: float
    status: str
    events: int | None = None
    needed: int | None = None

    def __post_init__(self) -> None:
        if self.events is not None and not math.isfinite(self.measured * self.events):
            raise ValueError(f"a share of {self.measured:g} of {self.events} events")

    def __str__(self) -> str:
        if self.events is None:
            return f"{self.guard} {self.measured:.3g} nats, limit {self.limit:g}: {self.status}"
        share = count_of(round(self.measured * self.events), self.events)
        line = f"{self.guard} {share}, limit {100 * self.limit:.4g}%: {self.status}"
        return line if self.needed is None else f"{line}: {self.events:,} samples, needs {self.needed:,}"


@dataclass(frozen=True)
class Sensitivity:
    """One layer's part in what quantization costs.

    Attributes
    ----------
    name, op, weights
        The layer, its operator, how many numbers it holds.
    alone
        With this layer quantized and all others in float.
    left_out
        With this layer in float and all others quantized.
    """

    name: str
    op: str
    weights: int
    alone: Divergence
    left_out: Divergence


@dataclass(frozen=True)
class Step:
    """One step of the search.

    Attributes
    ----------
    kept
        Layers kept in float.
    found
        What the rest costs.
    findings
        The guards.
    """

    kept: tuple[str, ...]
    found: Divergence
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """True if every guard held; an unmeasured one has not."""
        return all(finding.status == HELD for finding in self.findings)

    @property
    def not_held(self) -> tuple[Finding, ...]:
        """The guards that are broken or unmeasured."""
        return tuple(finding for finding in self.findings if finding.status != HELD)
