"""Define what the eight checks share: what a check is, what it returns, and what it sees (`context`, `gate_result`).

A check is a pure function of a `CheckContext`: scores and what is known of the events. It touches no model, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from overproof.bundle.model_names import BASELINE, CONTROL, DISTILLED, FULL, MODELS, QUANTIZED
from overproof.checks.context import (
    AskedAgain,
    Bools,
    Boundary,
    CheckContext,
    HeldOut,
    ModelOutputs,
    Operation,
    Sample,
    Training,
    TwoStudents,
    Variant,
)
from overproof.checks.gate_result import (
    FAILED,
    PASSED,
    STATUSES,
    UNMEASURED,
    Gate,
    GateResult,
    Gates,
    Measured,
    Status,
    decided,
    unmeasured,
)
from overproof.report.markup import Html
from overproof.results.typed_json import difference, from_json, to_json

__all__ = [
    "BASELINE",
    "CONFIDENCE",
    "CONTROL",
    "DISTILLED",
    "FAILED",
    "FULL",
    "MODELS",
    "PASSED",
    "QUANTIZED",
    "STATUSES",
    "UNMEASURED",
    "AskedAgain",
    "Bools",
    "Boundary",
    "Check",
    "CheckContext",
    "CheckResult",
    "Gate",
    "GateResult",
    "Gates",
    "HeldOut",
    "Measured",
    "ModelOutputs",
    "Operation",
    "Sample",
    "Status",
    "Training",
    "TwoStudents",
    "Variant",
    "decided",
    "unmeasured",
]

CONFIDENCE = 0.95

D = TypeVar("D")


@dataclass(frozen=True)
class CheckResult(Generic[D]):
    """What one check came to.

    Attributes
    ----------
    key, title, question
        `own-data`, …; its name; the question it answers.
    gates
        A result for each gate that applies.
    data
        Everything it measured: the type in the check's own `result.py`.
    """

    key: str
    title: str
    question: str
    gates: tuple[GateResult, ...]
    data: D

    @property
    def status(self) -> Status:
        """Failed if any gate failed; unmeasured if a required one is, waived or not, or every one; else passed."""
        if any(gate.status == FAILED for gate in self.gates):
            return FAILED
        passed = any(gate.status == PASSED for gate in self.gates)
        return PASSED if passed and not any(gate.closed or gate.waived for gate in self.gates) else UNMEASURED

    @property
    def message(self) -> str:
        """The message of the gate that decides: the first failed, else the first closed, waived, or of all."""
        for decisive in (
            lambda gate: gate.status == FAILED,
            lambda gate: gate.closed,
            lambda gate: gate.waived,
            lambda gate: True,
        ):
            found = next(filter(decisive, self.gates), None)
            if found is not None:
                return found.message
        return "unmeasured: no gate applies"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with what follows from its gates: status, message, and which gates are closed."""
        return {
            "key": self.key,
            "title": self.title,
            "question": self.question,
            "status": self.status,
            "message": self.message,
            "gates": [{**to_json(gate), "closed": gate.closed} for gate in self.gates],
            "data": to_json(self.data),
        }


@dataclass(frozen=True)
class Check(Generic[D]):
    """One check of the checklist: what its folder holds, and all that the rest of the program knows of it.

    Attributes
    ----------
    key
        `own-data`, …: what its gates begin with.
    compute
        The check itself: scores in, result out.
    data
        The type of its result's data.
    html
        Draws that data as a section of the page.
    """

    key: str
    compute: Callable[[CheckContext], CheckResult[D]]
    data: type[D]
    html: Callable[[D], Html]

    def from_json(self, data: Mapping[str, Any]) -> CheckResult[D]:
        """Read back what `CheckResult.to_json` gave.

        Raises
        ------
        ValueError
            An entry that does not fit its type, or one that its gates contradict: which, in one line.
        """
        plain = {name: entry for name, entry in data.items() if name not in ("status", "message")}
        plain["gates"] = [_without(gate, "closed") for gate in _listed(data.get("gates"))]
        result = from_json(CheckResult[self.data], plain)  # type: ignore[name-defined]
        found = difference(result.to_json(), to_json(data))
        if found:
            raise ValueError(found)
        return result


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _without(value: object, name: str) -> object:
    return {key: entry for key, entry in value.items() if key != name} if isinstance(value, Mapping) else value
