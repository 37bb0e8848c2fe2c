"""Report whether a model's verdicts hang on anything but the event: what was varied, and what that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from overproof.results.stored import without
from overproof.results.typed_json import from_json

INT16_MAX = 32767


@dataclass(frozen=True)
class Variation:
    """One thing that was varied while the events stayed the same.

    Attributes
    ----------
    varied
        Batch size, order, padding, ….
    tried
        The variants.
    events
        Events compared; 0 where unmeasured.
    flips
        Events whose label changed under at least one variant.
    max_difference
        Largest |Δlogit| over variants and events.
    unmeasured
        Why nothing was compared; None if something was.
    """

    varied: str
    tried: tuple[str, ...]
    events: int = 0
    flips: int = 0
    max_difference: float = 0.0
    unmeasured: str | None = None

    def __str__(self) -> str:
        if self.unmeasured is not None:
            return f"{self.varied}: unmeasured: {self.unmeasured}"
        changed = f"{self.flips:,} of {self.events:,} verdicts flip, max |Δlogit| {self.max_difference:.2g}"
        return f"{self.varied}: {changed} ({', '.join(self.tried)})"


@dataclass(frozen=True)
class PairSums:
    """One matrix under 16-bit sums of two products u8 · s8.

    Attributes
    ----------
    name, rows, columns
        The weights; (rows, columns) are (features in, features out).
    bound
        Largest |pair sum| that any activations could give.
    largest
        Largest |pair sum| of the events' activations.
    total, saturated
        Pair sums of the events' activations, and how many of them 16 bits do not hold.
    """

    name: str
    rows: int
    columns: int
    bound: int
    largest: int
    total: int
    saturated: int

    @property
    def can_saturate(self) -> bool:
        """True if any activations could give a pair sum that 16 bits do not hold."""
        return self.bound > INT16_MAX

    def __str__(self) -> str:
        return (
            f"{self.name} {self.rows} x {self.columns}: {self.saturated:,} of {self.total:,} pair sums saturate, "
            f"largest {self.largest:,}, worst case {self.bound:,}"
        )


@dataclass(frozen=True)
class PortabilityReport:
    """What was varied, and the matrices behind the row on instruction sets.

    Attributes
    ----------
    variations
        One row for each thing varied, unmeasured ones among them.
    matrices
        Every product of U8 activations by S8 weights; empty where that row is unmeasured.
    """

    variations: tuple[Variation, ...]
    matrices: tuple[PairSums, ...]

    @classmethod
    def unmeasured(cls, reason: str) -> PortabilityReport:
        """Report that nothing was varied, for that reason."""
        return cls((Variation("anything", (), unmeasured=reason),), ())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PortabilityReport:
        """Read what `to_json` gave; ValueError if it is something else."""
        return from_json(cls, stored_portability(data))

    @property
    def flips(self) -> int:
        """The flips of all rows together; what was not measured counts for nothing."""
        return sum(row.flips for row in self.variations)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "variations": [asdict(row) for row in self.variations],
            "matrices": [{**asdict(m), "can_saturate": m.can_saturate} for m in self.matrices],
        }

    def render(self) -> str:
        """Write the report as plain text; of the matrices, those that can saturate."""
        lines = ["What changes a verdict besides the event:", *(f"  {row}" for row in self.variations)]
        risky = [m for m in self.matrices if m.can_saturate]
        if self.matrices and not risky:
            bound = max(m.bound for m in self.matrices)
            lines.append(f"  none of {len(self.matrices)} matrices can saturate: {bound:,} of {INT16_MAX:,} at worst")
        elif risky:
            lines.append(f"  {len(risky)} of {len(self.matrices)} matrices can saturate:")
            lines += [f"    {m}" for m in risky]
        return "\n".join(lines)


def stored_portability(data: Any) -> Any:
    """Leave out of what `PortabilityReport.to_json` gave what it derived."""
    if not isinstance(data, Mapping) or not isinstance(data.get("matrices"), list):
        return data
    return {**data, "matrices": [without(matrix, "can_saturate") for matrix in data["matrices"]]}
