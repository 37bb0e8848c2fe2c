"""Hold what one conversion step changed: from torch to ONNX, from FP32 to INT8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from overproof.results.typed_json import from_json


@dataclass(frozen=True)
class Parity:
    """What one conversion step changed, on the same events.

    Attributes
    ----------
    step
        From what to what.
    events
        Events compared.
    max_difference
        Largest |Δlogit|.
    flips
        Events whose label changed.
    """

    step: str
    events: int
    max_difference: float
    flips: int

    def __str__(self) -> str:
        if not self.events:
            return f"{self.step}: unmeasured: 0 events"
        flips = f"{self.flips} of {self.events:,} verdicts flip ({self.flips / self.events:.2%})"
        return f"{self.step}: max |Δlogit| {self.max_difference:.2g}, {flips}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Parity:
        """Read what `to_json` gave; ValueError if it is something else."""
        return from_json(cls, data)
