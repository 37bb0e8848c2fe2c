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
MOST = 100  # times as many units: what takes more is not a question of number
AT_THE_LIMIT = "the estimate sits at the limit, so that more of them will hardly decide"


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
    events, units
        How many it was measured on, and how many of them are independent: copies, and events of one group, count once.
        Units are None where they are not what counts.
    needed
        How many independent ones it would take; None unless that can be said.
    correction
        What the interval was corrected by, such as "Holm, 14 families"; empty where it was not.
    waived
        Whether the user judged by it all the same: it is not closed then, but nothing is passed by it either.
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
    units: int | None = None
    needed: int | None = None
    correction: str = ""
    waived: bool = False

    @property
    def contradiction(self) -> str | None:
        """What of it contradicts the rest: its status follows from its interval and its limit; None if nothing does."""
        if self.value is None or self.low is None or self.high is None or self.limit is None:
            follows = UNMEASURED
        else:
            follows = status_of(Interval(self.value, self.low, self.high), self.limit)
        if self.status != follows:
            return f"{self.key}: the status {self.status!r} contradicts its figures, which come to {follows!r}"
        if self.waived and self.status != UNMEASURED:
            return f"{self.key}: waived and {self.status}, expected only what is unmeasured to be waived"
        return None

    @property
    def closed(self) -> bool:
        """True if the gate lets nothing through: failed, or required and unmeasured; not if it was waived."""
        return not self.waived and (self.status == FAILED or (self.required and self.status == UNMEASURED))


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
        How many units would decide it, for where these do not; None where more would hardly help.
    units
        How many of the events are independent; None where that is not what counts.
    correction
        What the interval was corrected by.
    undecided
        What is said where no number of units would decide it.
    """

    figure: Interval
    events: int
    needed: int | None = None
    units: int | None = None
    correction: str = ""
    undecided: str = AT_THE_LIMIT


def status_of(figure: Interval, limit: float) -> Status:
    """Tell what an interval comes to: below the limit it passes, above it fails, anything else proves nothing."""
    return PASSED if figure.high <= limit else FAILED if figure.low > limit else UNMEASURED


def decided(key: str, message: str, gate: Gate, measured: Measured) -> GateResult:
    """Decide a gate: an interval below the limit passes, one above it fails, any other proves nothing."""
    figure, events, units = measured.figure, measured.events, measured.units
    value, low, high = float(figure.value), float(figure.low), float(figure.high)
    status = status_of(figure, gate.limit)
    needed = None
    if status == UNMEASURED:
        there = events if units is None else units
        needed = measured.needed if measured.needed is not None and there < measured.needed <= MOST * there else None
        copies = units is not None and units != events
        of = f", {units:,} of them independent" if copies else ""
        # the value is that of all events: with copies counted once the estimate may lie elsewhere
        once = "counted once each, " if copies and measured.undecided == AT_THE_LIMIT else ""
        more = f", needs {needed:,}" if needed is not None else f"; {once}{measured.undecided}"
        message = f"unmeasured: {events:,} events{of}{more}: {message}"
    return GateResult(
        key,
        status,
        message,
        value,
        low,
        high,
        gate.limit,
        gate.required,
        events,
        units,
        needed,
        measured.correction,
    )


def unmeasured(key: str, why: str, gate: Gate, *, events: int | None = None, needed: int | None = None) -> GateResult:
    """Return a gate that nothing could be measured for, and why."""
    return GateResult(
        key,
        UNMEASURED,
        f"unmeasured: {why}",
        limit=gate.limit,
        required=gate.required,
        events=events,
        needed=needed,
    )
