"""Report one compression: what was measured, as JSON and as the text that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overproof.report.markup import Html
from overproof.report.notebook import as_text, to_frame
from overproof.results.boundary_events import SoftLabel
from overproof.results.comparison import Comparison
from overproof.results.hardening import Hardening
from overproof.results.ladder import Ladder
from overproof.results.parity import Parity
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.tiers import JoinedTiers

SIMULATED = "All figures are of SIMULATED traffic: they show that the system works, not how it does on yours."


@dataclass(frozen=True, repr=False)
class Report:
    """What `compress` measured.

    Attributes
    ----------
    bundle
        Where the bundle is.
    comparison
        Full, distilled, distilled + INT8, linear baseline.
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
    precision_search
        What quantization cost on validation events, and the guards, decided on test events.
    tiers
        What a first student may decide; None where there is none.
    ladder
        The students that this one was taken from; None where it was named.
    hardening
        What it was hardened against, and what came of it; None where that was not asked for.
    """

    bundle: Path
    comparison: Comparison
    parity: tuple[Parity, ...]
    soft_labels: tuple[SoftLabel, ...]
    data: Mapping[str, Any]
    bundle_bytes: int
    seed: int
    precision_search: PrecisionSearchReport | None = None
    tiers: JoinedTiers | None = None
    ladder: Ladder | None = None
    hardening: Hardening | None = None

    @property
    def passed(self) -> bool:
        """True if every guard of the quantization holds; so it does where there are none."""
        return self.precision_search is None or self.precision_search.passed

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "bundle": str(self.bundle),
            "bundle_bytes": self.bundle_bytes,
            "seed": self.seed,
            "data": dict(self.data),
            "comparison": self.comparison.to_json(),
            "parity": [step.to_json() for step in self.parity],
            "soft_labels": [asdict(event) for event in self.soft_labels],
            "precision_search": None if self.precision_search is None else self.precision_search.to_json(),
            "tiers": None if self.tiers is None else self.tiers.to_json(),
            "ladder": None if self.ladder is None else self.ladder.to_json(),
            "hardening": None if self.hardening is None else self.hardening.to_json(),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values: the same as `to_json`."""
        return self.to_json()

    def to_pandas(self) -> Any:
        """Return a row for each model of the comparison; MissingExtra without pandas."""
        return to_frame(self.comparison.to_json()["rows"])

    def __repr__(self) -> str:
        held = "every guard holds" if self.passed else "a guard does not hold"
        return f"Report({str(self.bundle)!r}: {self.bundle_bytes:,} bytes, {held})"

    def _repr_html_(self) -> Html:
        return as_text(self.render())

    def render(self) -> str:
        """Write the report as plain text."""
        parts = [
            "What the teacher's soft labels say that hard labels do not, at the boundary:",
            "\n".join(event.render() for event in self.soft_labels) or "  (no event)",
            "Parity of every step:",
            "\n".join(f"  {step}" for step in self.parity),
            *([] if self.ladder is None else [self.ladder.render()]),
            *([] if self.hardening is None else [self.hardening.render()]),
            *([] if self.precision_search is None else [self.precision_search.render_search()]),
            *([] if self.tiers is None else ["\n".join(["Two students:", *self.tiers.sentences()])]),
            self.comparison.render(),
        ]
        if labellers := self.data.get("labelled_by"):
            parts.append(f"Labels by {', '.join(labellers)}: how often they are right is not known.")
        if self.data.get("simulated"):
            parts.append(SIMULATED)
        parts.append(f"Bundle: {self.bundle} ({self.bundle_bytes:,} bytes)")
        return "\n\n".join(part.rstrip() for part in parts)
