"""Decide gates: limits fixed before the run, and what each came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from overproof.checks.stats import Interval

Status = Literal["passed", "failed", "unmeasured"]
PASSED: Status = "passed"
FAILED: Status = "failed"
UNMEASURED: Status = "unmeasured"
STATUSES = (PASSED, FAILED, UNMEASURED)


@dataclass(frozen=True)
class Gate:
    """One limit, fixed before the run.

    Attributes
    ----------
    limit
        What the measured figure may be at most.
    required
        Whether "unmeasured" closes it too. A failed gate is closed in any case.
    """

    limit: float
    required: bool = True


Gates = Mapping[str, Gate]


@dataclass(frozen=True)
class GateResult:
    """What one gate came to.

    Attributes
    ----------
    key
        `check/gate`, or `check/gate:which` where a gate is applied to each of several.
    status
        `passed`, `failed` or `unmeasured`.
    message
        What it came to in one sentence, with its figures; if unmeasured, why, and how many events it would take.
    value, low, high
        The figure and its interval; None where there is none.
    limit, required
        Of the gate.
    events
        How many it was measured on.
    needed
        How many it would take; None unless that can be said.
    """

    key: str
    status: Status
    message: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    required: bool = True
    events: int | None = None
    needed: int | None = None

    @property
    def closed(self) -> bool:
        """True if the gate lets nothing through: failed, or required and unmeasured."""
        return self.status == FAILED or (self.required and self.status == UNMEASURED)


@dataclass(frozen=True)
class Measured:
    """What a gate is decided by.

    Attributes
    ----------
    figure
        The figure and its interval; the larger, the worse.
    events
        How many events it was measured on.
    needed
        How many would decide it, for where these do not; None unless that can be said.
    """

    figure: Interval
    events: int
    needed: int | None = None


def decided(key: str, message: str, gate: Gate, measured: Measured) -> GateResult:
    """Decide a gate: an interval below the limit passes, one above it fails, any other proves nothing."""
    figure, events, needed = measured.figure, measured.events, measured.needed
    value, low, high = float(figure.value), float(figure.low), float(figure.high)
    status = PASSED if high <= gate.limit else FAILED if low > gate.limit else UNMEASURED
    if status == UNMEASURED:
        more = f", needs {needed:,}" if needed is not None and needed > events else ""
        message = f"unmeasured: {events:,} events{more}: {message}"
    short = needed if status == UNMEASURED else None
    return GateResult(key, status, message, value, low, high, gate.limit, gate.required, events, short)


def unmeasured(key: str, why: str, gate: Gate, *, events: int | None = None, needed: int | None = None) -> GateResult:
    """Return a gate that nothing could be measured for, and why."""
    return GateResult(
        key, UNMEASURED, f"unmeasured: {why}", limit=gate.limit, required=gate.required, events=events, needed=needed
    )
