"""Hold what came of a run, and of those that it went on with: one report of them all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overproof.files import atomic_write

STORED = "report.json"  # in the run's folder


@dataclass
class Report:
    """What came of all runs together: counts and seconds of a core by target, and the findings, once for each place.

    Attributes
    ----------
    runs
        How many runs it is of; each went on behind the inputs of those before it.
    following
        The number of an input such that none from there on was tried.
    seconds
        By the clock, of all runs.
    """

    seed: int
    workers: int
    kept: int
    runs: int = 0
    following: int = 0
    seconds: float = 0.0
    inputs: dict[str, int] = field(default_factory=dict)
    core_seconds: dict[str, float] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many inputs were tried."""
        return sum(self.inputs.values())

    def store(self, out: Path) -> None:
        """Write it into the run's folder, where the next run finds it."""
        atomic_write(out / STORED, json.dumps(asdict(self), indent=1).encode())


def stored(out: Path) -> Report | None:
    """Read what earlier runs stored; None where there were none."""
    path = out / STORED
    return Report(**json.loads(path.read_text())) if path.exists() else None
