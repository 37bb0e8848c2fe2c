"""Report one quantization: sensitivity of the layers, the guards, the path of the search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import QUANTIZING, Bundle
from overproof.progress import SILENT, Console, one_line
from overproof.report.markup import Html
from overproof.report.notebook import as_text, to_frame
from overproof.results.divergence import Divergence
from overproof.results.portability import PortabilityReport, stored_portability
from overproof.results.precision_search import text
from overproof.results.precision_search.audit import Audit
from overproof.results.precision_search.former import upgraded
from overproof.results.precision_search.steps import Decision, Sensitivity, Step
from overproof.results.stored import read_back, read_from, without
from overproof.results.typed_json import from_json


@dataclass(frozen=True, repr=False)
class PrecisionSearchReport:
    """What `quantize` did and measured.

    Attributes
    ----------
    model, out
        From where to where.
    precision
        Of the layers that are not kept in float.
    bytes_before, bytes_after
        Of the ONNX files.
    calibrated, held_back
        Events that ranges were taken from, and events that everything below was measured on and chosen by, except
        `tested` and `decision`.
    path
        The search; its `chosen` step is what was written.
    chosen
        Index into `path`.
    trained
        Whether the weights were trained with the rounding (QAT) after calibration alone.
    sensitivity
        Of every layer; empty where it was not asked for.
    all_quantized
        Every layer quantized, on the events of `sensitivity`: what its rows are to be compared with.
    compared
        Other ways of quantizing, not written, to compare with.
    tested
        The same on test events; None if there were none.
    portability
        Whether verdicts hang on anything but the event; None where that was not asked for.
    seed
        What the held-back events were drawn by.
    decision
        The guards, on events that chose nothing; None where there are no guards.
    audit
        Whether the model changes when it is quantized; None where that was not asked for.
    """

    model: str
    out: Path
    precision: str
    bytes_before: int
    bytes_after: int
    calibrated: int
    held_back: int
    path: tuple[Step, ...]
    chosen: int
    trained: bool = False
    sensitivity: tuple[Sensitivity, ...] = ()
    all_quantized: Divergence | None = None
    compared: Mapping[str, Divergence] = field(default_factory=dict)
    tested: Divergence | None = None
    portability: PortabilityReport | None = None
    seed: int = 0
    decision: Decision | None = None
    audit: Audit | None = None

    @property
    def step(self) -> Step:
        """The step that was written."""
        return self.path[self.chosen]

    @property
    def passed(self) -> bool:
        """True if every guard holds for what was written, and no audit found that it changes; so it is without any."""
        return (self.decision is None or self.decision.passed) and (self.audit is None or self.audit.passed)

    def __post_init__(self) -> None:
        if not 0 <= self.chosen < len(self.path):
            raise ValueError(f"step {self.chosen} chosen of {len(self.path)}")

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        portability = self.portability and self.portability.to_json()
        audit = self.audit and self.audit.to_json()
        rest = {"out": str(self.out), "portability": portability, "audit": audit, "passed": self.passed}
        return {**asdict(replace(self, audit=None)), **rest}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `to_json`, as plain Python values."""
        return self.to_json()

    def to_pandas(self) -> Any:
        """Return a row for each step of the search; MissingExtra without pandas."""
        return to_frame(self.to_json()["path"])

    def __repr__(self) -> str:
        held = "every guard holds" if self.passed else "a guard does not hold"
        sizes = f"{self.bytes_before:,} bytes to {self.bytes_after:,}"
        return f"PrecisionSearchReport({str(self.out)!r}: {self.precision}, {sizes}, {held})"

    def _repr_html_(self) -> Html:
        return as_text(self.render())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PrecisionSearchReport:
        """Read what `to_json` gave; ValueError if it is something else."""
        stored = upgraded(without(data, "passed"))
        if isinstance(stored, Mapping) and "portability" in stored:
            stored = {**stored, "portability": stored_portability(stored["portability"])}
        return from_json(cls, stored)

    @classmethod
    def of_bundle(cls, path: Path | str, console: Console = SILENT) -> PrecisionSearchReport:
        """Read what quantization cost a bundle, or an ONNX file beside its folder's JSON (see `stored.read_back`)."""
        return read_back(path, QUANTIZING, cls.from_json, console)

    @classmethod
    def of(cls, bundle: Bundle) -> PrecisionSearchReport:
        """Read what quantization cost an open bundle."""
        return read_from(bundle, QUANTIZING, cls.from_json)

    def summary(self) -> str:
        """Write what quantization changed on held-back events in a line."""
        found, kept = self.step.found, ", ".join(map(one_line, self.step.kept))
        return (
            f"{one_line(self.precision)}, {f'in float: {kept}' if kept else 'everything quantized'}"
            f" (step {self.chosen + 1:,} of {len(self.path):,} in the search"
            f"{', after training with the rounding' if self.trained else ''}): KL {found.kl:.2e} nats, "
            f"{found.flips:,} of {found.events:,} verdicts flip ({found.flip_rate:.2%})"
        )

    def render_search(self) -> str:
        """Write the path and the guards as plain text."""
        after = ", after training with the rounding" if self.trained else ""
        head = f"Quantization ({self.precision}{after}) on {self.held_back:,} validation events:"
        parts = [head, text.path_table(self.path, self.chosen)]
        return "\n\n".join(parts if self.decision is None else [*parts, text.guards(self.decision)])

    def render(self) -> str:
        """Write size, sensitivity, search, cost, portability and guards as plain text.

        What decides stands last, where a terminal shows it.
        """
        found = self.tested or self.step.found
        parts = [
            self._head(),
            text.sensitivity_table(self.sensitivity, self.all_quantized, self.step.kept, trained=self.trained),
            text.search(self.path, self.chosen),
            text.costs(self._measured()),
            text.recall(found, " on test events" if self.tested else ""),
            self.portability.render() if self.portability is not None else "",
            self.audit.render() if self.audit is not None else "",
            f"{text.guards(self.decision)}\nWritten: {self.out}",
        ]
        return "\n\n".join(part for part in parts if part)

    def _head(self) -> str:
        smaller = self.bytes_before / max(1, self.bytes_after)
        kept = self.step.kept
        layers = f"{len(kept)} layers" if len(kept) > 1 else "one layer"
        lines = [
            f"{self.model}: {self.bytes_before:,} -> {self.bytes_after:,} bytes ({smaller:.1f} times smaller)",
            f"{self.precision}, {'trained with the rounding, ' if self.trained else ''}"
            + (f"{layers} kept in float" if kept else "every layer quantized"),
            f"ranges of activations from {self.calibrated:,} events; what follows was measured on {self.held_back:,} "
            "others, held back",
        ]
        return "\n".join(lines)

    def _measured(self) -> Iterator[tuple[str, Divergence]]:
        """Yield what was written, and the other ways to do it that it is compared with."""
        yield "written", self.step.found
        if self.decision is not None:
            yield "written, on the events that decide", self.decision.found
        if self.tested is not None:
            yield "written, on test events", self.tested
        for name, found in self.compared.items():
            yield f"to compare: every layer {one_line(name)}", found
