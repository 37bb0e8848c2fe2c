"""The report of one quantization: sensitivity of the layers, the guards, the path of the search, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import QUANTIZING
from overproof.progress import SILENT, Console, one_line
from overproof.report.svg import write
from overproof.results.divergence import Divergence
from overproof.results.portability import PortabilityReport
from overproof.results.precision_search_text import path, render, told
from overproof.results.sensitivity_svg import draw
from overproof.results.stored import read_back

HELD, BROKEN, UNMEASURED = "held", "broken", "unmeasured"


@dataclass(frozen=True)
class Finding:
    """One guard, measured.

    Attributes
    ----------
    guard
        What it limits.
    limit, measured
        In the guard's own unit: a share, or nats.
    status
        `held`, `broken` or `unmeasured`.
    events, needed
        Events it was measured on, and how many it would take; None where that is not a question of number.
    """

    guard: str
    limit: float
    measured: float
    status: str
    events: int | None = None
    needed: int | None = None

    def __str__(self) -> str:
        return told(self)


@dataclass(frozen=True)
class Sensitivity:
    """One layer's part in what quantization costs.

    Attributes
    ----------
    name, op, weights
        The layer, its operator, how many numbers it holds.
    alone
        With this layer quantized and all others in float.
    left_out
        With this layer in float and all others quantized.
    """

    name: str
    op: str
    weights: int
    alone: Divergence
    left_out: Divergence

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sensitivity:
        """Read back what `PrecisionSearchReport.to_json` wrote."""
        found = {name: Divergence.from_json(data[name]) for name in ("alone", "left_out")}
        return cls(**{**data, **found})


@dataclass(frozen=True)
class Step:
    """One step of the search.

    Attributes
    ----------
    kept
        Layers kept in float.
    found
        What the rest costs.
    findings
        The guards.
    """

    kept: tuple[str, ...]
    found: Divergence
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Every guard held; an unmeasured one has not."""
        return all(finding.status == HELD for finding in self.findings)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """Read back what `PrecisionSearchReport.to_json` wrote."""
        findings = tuple(Finding(**finding) for finding in data["findings"])
        return cls(tuple(data["kept"]), Divergence.from_json(data["found"]), findings)


@dataclass(frozen=True)
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
        Events that ranges were taken from, and events that everything below was measured on.
    path
        The search; its `chosen` step is what was written.
    chosen
        Index into `path`.
    trained
        Whether the weights were trained with the rounding (QAT) after calibration alone.
    sensitivity
        Of every layer; empty where it was not asked for.
    whole
        Every layer quantized, on the events of `sensitivity`: what its rows are to be compared with.
    compared
        Other ways of quantizing, not written, to compare with.
    tested
        The same on events that the search never saw; None if there were none.
    portability
        Whether verdicts hang on anything but the event; None where that was not asked for.
    seed
        What the held-back events were drawn by.
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
    whole: Divergence | None = None
    compared: Mapping[str, Divergence] = field(default_factory=dict)
    tested: Divergence | None = None
    portability: PortabilityReport | None = None
    seed: int = 0

    @property
    def step(self) -> Step:
        """What was written."""
        return self.path[self.chosen]

    @property
    def passed(self) -> bool:
        """Every guard holds for what was written."""
        return self.step.passed

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        portability = self.portability and self.portability.to_json()
        return {**asdict(self), "out": str(self.out), "portability": portability, "passed": self.passed}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PrecisionSearchReport:
        """Read what `to_json` gave; KeyError or TypeError if it is something else."""
        known = {name: value for name, value in data.items() if name != "passed"}
        whole, tested, portability = (known[name] for name in ("whole", "tested", "portability"))
        changed = {
            "out": Path(known["out"]),
            "path": tuple(map(Step.from_json, known["path"])),
            "sensitivity": tuple(map(Sensitivity.from_json, known["sensitivity"])),
            "whole": whole and Divergence.from_json(whole),
            "compared": {name: Divergence.from_json(other) for name, other in known["compared"].items()},
            "tested": tested and Divergence.from_json(tested),
            "portability": portability and PortabilityReport.from_json(portability),
        }
        return cls(**{**known, **changed})

    @classmethod
    def of_bundle(cls, path: Path | str, console: Console = SILENT) -> PrecisionSearchReport:
        """What a bundle, or the folder of a quantized ONNX file, tells of its quantization (see `stored.read_back`)."""
        return read_back(path, QUANTIZING, cls.from_json, console)

    def render_search(self) -> str:
        """The path and the guards as plain text."""
        after = ", after training with the rounding" if self.trained else ""
        head = f"Quantization ({self.precision}{after}) on {self.held_back:,} validation events:"
        return f"{head}\n\n{path(self)}"

    def render(self) -> str:
        """The report as plain text."""
        return render(self)


def changed(told: Mapping[str, Any]) -> str:
    """What quantization changed on held-back events, in a line, from what `PrecisionSearchReport.to_json` gave.

    Raises
    ------
    AttributeError, IndexError, KeyError, TypeError, ValueError
        It is something else.
    """
    path, chosen = told["path"], told["chosen"]
    found, kept = Divergence.from_json(path[chosen]["found"]), ", ".join(map(one_line, path[chosen]["kept"]))
    return (
        f"{one_line(told['precision'])}, {f'in float: {kept}' if kept else 'everything quantized'}"
        f" (step {chosen + 1:,} of {len(path):,} in the search"
        f"{', after training with the rounding' if told['trained'] else ''}): KL {found.kl:.2e} nats, "
        f"{found.flips:,} of {found.events:,} verdicts flip ({found.flip_rate:.2%})"
    )


def look_at(bundle: Path | str, svg: Path | None = None, console: Console = SILENT) -> PrecisionSearchReport:
    """What quantization cost a bundle, layer by layer; drawn into `svg` if a file is named."""
    report = PrecisionSearchReport.of_bundle(bundle, console)
    if svg is not None:
        write(draw(report), svg)
    return report
