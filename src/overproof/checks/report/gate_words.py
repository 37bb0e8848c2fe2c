"""Write a gate's figures in words: the same in every format of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from overproof.checks.base import STATUSES, CheckResult, GateResult
from overproof.checks.stats import Interval
from overproof.report import words

DISTANCES = ("own-data/score-drift", "own-data/field-drift", "calibration/error", "calibration/against-full")


def unit(gate: GateResult) -> Callable[[float], str]:
    """Return how the figure of a gate is written: some are distances, most are shares."""
    return words.decimal if gate.key.partition(":")[0] in DISTANCES else words.percent


def measured(gate: GateResult) -> Interval | None:
    """Return a gate's figure with its interval, which is the figure alone where there is none."""
    if gate.value is None:
        return None
    if gate.low is None or gate.high is None:
        return Interval(gate.value, gate.value, gate.value)
    return Interval(gate.value, gate.low, gate.high)


def figure(gate: GateResult) -> str:
    """Write a gate's figure with its interval."""
    if gate.value is not None and (gate.low is None or gate.high is None):
        return unit(gate)(gate.value)
    return words.interval(measured(gate), unit(gate))


def limit(gate: GateResult) -> str:
    """Write a gate's limit."""
    return words.figure(gate.limit, unit(gate))


def support(gate: GateResult) -> str:
    """Write on how many events it was measured, how many are independent, and how many of those it would take."""
    counted = "not counted" if gate.events is None else f"{gate.events:,}"
    if gate.units is not None and gate.units != gate.events:
        counted = f"{counted} ({gate.units:,} independent)"
    return counted if gate.needed is None else f"{counted}, needs {gate.needed:,}"


def tally(check: CheckResult[Any]) -> dict[str, int]:
    """Count how many of a check's gates passed, failed and were not measured."""
    found = [gate.status for gate in check.gates]
    return {status: found.count(status) for status in STATUSES}


def gates(check: CheckResult[Any]) -> str:
    """Write how the gates of a check ended."""
    return ", ".join(f"{k} {status}" for status, k in tally(check).items())
