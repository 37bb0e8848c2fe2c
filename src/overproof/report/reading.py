"""Reading check.json (docs/check-schema.md) without trusting it.

A field that is missing, or of another kind than it should be, is "not measured" like null: the report says so and
goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from overproof.bundle.model_names import MODELS

STATUSES = ("passed", "failed", "unmeasured")
NOT_HERE = "not in this file"


@runtime_checkable
class Estimate(Protocol):
    """A figure and its interval, whoever computed it."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Span:
    """A figure and, where there is one, its interval."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; without one the figure twice."""
        if self.low is None or self.high is None:
            return self.value, self.value
        return self.low, self.high


def at(value: object, *path: str) -> Any:
    """What lies at the end of a path of keys; None if it breaks off."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def rows(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list | tuple) else []


def entries(value: object) -> dict[str, Any]:
    """The members of an object."""
    return {str(name): entry for name, entry in value.items()} if isinstance(value, Mapping) else {}


def names(value: object) -> list[str]:
    """The words in a list."""
    return [string(entry) for entry in value] if isinstance(value, list | tuple) else []


def string(value: object) -> str:
    """Text as text, a number as a number, and nothing for all else."""
    return str(value) if isinstance(value, str | int | float) else ""


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def whole(value: object) -> int | None:
    """A whole number, or None."""
    found = number(value)
    return None if found is None else round(found)


def numbers(value: object) -> list[float]:
    """The finite numbers of a list; 0 stands for what is none, so that places stay."""
    return [number(entry) or 0.0 for entry in value] if isinstance(value, list | tuple) else []


def span(value: object) -> Span | None:
    """An interval as the schema has it, or a bare figure; None without a value."""
    if isinstance(value, Estimate):
        return Span(value.value, value.low, value.high)
    if not isinstance(value, Mapping):
        bare = number(value)
        return None if bare is None else Span(bare)
    figure, low, high = (number(value.get(name)) for name in ("value", "low", "high"))
    return None if figure is None else Span(figure, low, high)


def why_not(value: object) -> str | None:
    """Why something was not measured; None if it was."""
    if value is None:
        return NOT_HERE
    if hasattr(value, "unmeasured"):
        return str(value.unmeasured)
    if isinstance(value, Mapping) and "unmeasured" in value:
        return string(value["unmeasured"]) or "no reason given"
    return None


def by_model(value: object, read: Callable[[object], Any] = lambda entry: entry) -> dict[str, Any]:
    """What stands for each model, in the order of the strip; names that are not known come last."""
    found = entries(value)
    order = [*(name for name in MODELS if name in found), *(name for name in found if name not in MODELS)]
    read_back = {name: read(found[name]) for name in order}
    return {name: entry for name, entry in read_back.items() if entry is not None}


def checks(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The checks of a report."""
    return rows(data.get("checks"))


def gates(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The gates of all checks, in order."""
    return [gate for check in checks(data) for gate in rows(check.get("gates"))]


def status(value: Mapping[str, Any]) -> str:
    """The status of a check or a finding; what is none of the three proves nothing."""
    found = string(value.get("status"))
    return found if found in STATUSES else "unmeasured"


def tally(check: Mapping[str, Any]) -> dict[str, int]:
    """How many of a check's gates passed, failed and were not measured."""
    found = [status(finding) for finding in rows(check.get("gates"))]
    return {name: found.count(name) for name in STATUSES}
