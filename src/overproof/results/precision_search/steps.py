"""Hold the steps of a search for a precision, what it went by, and the guards as they were decided in the end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from overproof.results.divergence import Divergence
from overproof.results.formatting import count_of

HELD, BROKEN, UNMEASURED = "held", "broken", "unmeasured"
CONFIDENCE = 0.95  # one-sided, of every bound of a guard


@dataclass(frozen=True)
class Observed:
    """What the search goes by: a guarded figure as it was observed. It shows nothing; `Finding` does.

    Attributes
    ----------
    guard
        What is limited.
    limit, measured
        In the guard's own unit: a share, or nats.
    events
        Events that a share is counted of; None for nats.
    """

    guard: str
    limit: float
    measured: float
    events: int | None = None

    def __post_init__(self) -> None:
        _require_countable(self.measured, self.events)

    @property
    def exceeded(self) -> bool:
        """Whether it lies above the limit; a figure that is no number does."""
        return not self.measured <= self.limit

    @property
    def excess(self) -> float:
        """By how much it lies above the limit, in units of the limit; 0 if it does not."""
        return (self.measured - self.limit) / max(self.limit, 1e-6) if self.exceeded else 0.0

    def __str__(self) -> str:
        if self.events is None:
            return f"{self.guard} {self.measured:.3g} nats, limit {self.limit:g}"
        return f"{self.guard} {_count(self.measured, self.events)}, limit {_percent(self.limit)}"


@dataclass(frozen=True)
class Finding:
    """One guard, decided by a one-sided bound with 95 % confidence.

    Attributes
    ----------
    guard
        What it limits.
    limit, measured
        In the guard's own unit: a share, or nats.
    status
        `held` if `high` is at most the limit, `broken` if `low` lies above it, else `unmeasured`.
    events, units
        Events it was measured on, and how many of them are independent, in the way of counting that the bound is of.
    low, high
        Each a one-sided bound with 95 % confidence, of nats that of the mean in which no event counts more than
        `cap`; None where there is no event, and in what an older version wrote.
    nats, cap
        Whether the unit is nats, not a share; and if so how many an event counts at most in the bound.
    needed
        How many independent events would show that it holds, were the rate to stay as it is; None where no number
        would, or where that is not the question.
    reason
        Why it is unmeasured, in words; else empty.
    """

    guard: str
    limit: float
    measured: float
    status: str
    events: int
    units: int | None = None
    low: float | None = None
    high: float | None = None
    nats: bool = False
    cap: float | None = None
    needed: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _require_countable(self.measured, None if self.nats else self.events)

    def __str__(self) -> str:
        return f"{self._figure()}, limit {self._limit()}: {self.status}{self.reason and f': {self.reason}'}"

    def _figure(self) -> str:
        """Write what was measured, with the one bound that the status hangs on."""
        figure = f"{self.measured:.3g} nats" if self.nats else _count(self.measured, self.events)
        bound, word = (self.low, "at least") if self.status == BROKEN else (self.high, "at most")
        if bound is None:
            return f"{self.guard} {figure}"
        rounded = _outwards(bound, up=self.status != BROKEN)
        shown = f"{rounded:g}" if self.nats else _percent(rounded)
        of = "" if self.cap is None else f", no event counting more than {self.cap:g}"
        among = "" if self.units in (None, self.events) else f" ({self.units:,} independent)"
        return f"{self.guard} {figure}{among}, {word} {shown} with {CONFIDENCE:.0%} confidence{of}"

    def _limit(self) -> str:
        return f"{self.limit:g}" if self.nats else _percent(self.limit)


@dataclass(frozen=True)
class Decision:
    """The guards, decided on events that chose nothing: neither ranges nor layers nor when training ends.

    Attributes
    ----------
    chosen_from
        Which events these are, in words.
    left_out
        Events left out of them for being near-duplicates of events that did choose, or of one group with them.
    found
        What the quantized model changed on them.
    findings
        The guards.
    """

    chosen_from: str
    left_out: int
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

    @property
    def described(self) -> str:
        """Which events decided, how many, and how many of them were left out."""
        left = "" if not self.left_out else f" ({self.left_out:,} left out: near-duplicates of events that chose)"
        return f"{self.found.events:,} {self.chosen_from}{left}"


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
        What the rest costs, on the events that the search chooses by.
    observed
        The guarded figures on them.
    """

    kept: tuple[str, ...]
    found: Divergence
    observed: tuple[Observed, ...]

    @property
    def exceeded(self) -> tuple[Observed, ...]:
        """The figures above their limits."""
        return tuple(figure for figure in self.observed if figure.exceeded)

    @property
    def excess(self) -> float:
        """By how much figures lie above their limits, in units of the limits; 0 if none does."""
        return excess(self.observed)


def excess(figures: Iterable[Observed]) -> float:
    """Return by how much figures lie above their limits, in units of the limits; 0 if none does."""
    return sum(figure.excess for figure in figures)


def _require_countable(share: float, events: int | None) -> None:
    if events is not None and not math.isfinite(share * events):
        raise ValueError(f"a share of {share:g} of {events} events")


def _count(share: float, events: int) -> str:
    return count_of(round(share * events), events)


def _outwards(bound: float, *, up: bool) -> float:
    """Round a bound to three digits, so that what is written is never more than what was shown."""
    if not 1e-300 < bound < math.inf:
        return bound
    scale = 10.0 ** (2 - math.floor(math.log10(bound)))
    digits = bound * scale
    return (math.ceil(digits - 1e-9) if up else math.floor(digits + 1e-9)) / scale


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
