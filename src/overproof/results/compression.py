"""The report of one compression: what was measured, as JSON and as the text a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overproof.results import Comparison
from overproof.results.precision_search import PrecisionSearchReport

SIMULATED = "All figures are of SIMULATED traffic: they show that the system works, not how it does on yours."


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


@dataclass(frozen=True)
class SoftLabel:
    """A boundary event as the teacher sees it.

    Attributes
    ----------
    text, label
        The event and its hard label.
    classes
        Class names, in the order of the probabilities.
    probabilities, bits
        Temperature (as written) to class probabilities, and to their entropy in bits.
    """

    text: str
    label: str | None
    classes: tuple[str, ...]
    probabilities: Mapping[str, tuple[float, ...]]
    bits: Mapping[str, float]

    def render(self, classes_shown: int = 3) -> str:
        """The event, and a line for each temperature with its likeliest classes."""
        first = next(iter(self.probabilities.values()))
        best = sorted(range(len(first)), key=lambda i: -first[i])[:classes_shown]
        lines = [f"  {self.text[:100]!r}  hard label: {self.label}"]
        for temperature, p in self.probabilities.items():
            shares = "  ".join(f"{self.classes[i]} {p[i]:.3f}" for i in best)
            lines.append(f"    T = {temperature}:  {shares}  (entropy {self.bits[temperature]:.2f} bits)")
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """What `compress` measured.

    Attributes
    ----------
    bundle
        Where the bundle is.
    comparison
        The strip: full, distilled, distilled + INT8, linear baseline.
    parity
        What each conversion step changed.
    soft_labels
        Boundary events as the teacher sees them.
    data
        Rows, fingerprints, leaked templates, skipped records.
    bundle_bytes
        Size of the whole bundle.
    seed
        What initialization, order and perturbation were drawn from.
    quantizing
        What quantization cost on validation events, and the guards it was held to.
    """

    bundle: Path
    comparison: Comparison
    parity: tuple[Parity, ...]
    soft_labels: tuple[SoftLabel, ...]
    data: Mapping[str, Any]
    bundle_bytes: int
    seed: int
    quantizing: PrecisionSearchReport | None = None

    @property
    def passed(self) -> bool:
        """Every guard of the quantization holds; so it does where there are none."""
        return self.quantizing is None or self.quantizing.passed

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {
            "bundle": str(self.bundle),
            "bundle_bytes": self.bundle_bytes,
            "seed": self.seed,
            "data": dict(self.data),
            "comparison": self.comparison.to_json(),
            "parity": [asdict(step) for step in self.parity],
            "soft_labels": [asdict(event) for event in self.soft_labels],
            "quantizing": None if self.quantizing is None else self.quantizing.to_json(),
        }

    def render(self) -> str:
        """The report as plain text."""
        parts = [
            "What the teacher's soft labels say that hard labels do not, at the boundary:",
            "\n".join(event.render() for event in self.soft_labels) or "  (no event)",
            "Parity of every step:",
            "\n".join(f"  {step}" for step in self.parity),
            *([] if self.quantizing is None else [self.quantizing.render_search()]),
            self.comparison.render(),
        ]
        if self.data.get("simulated"):
            parts.append(SIMULATED)
        parts.append(f"Bundle: {self.bundle} ({self.bundle_bytes:,} bytes)")
        return "\n\n".join(part.rstrip() for part in parts)
