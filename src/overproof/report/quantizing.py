"""The report of one quantization: sensitivity of the layers, the guards, the path of the search, as JSON and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overproof.compare.divergence import Divergence
from overproof.report.layer_text import one_line

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
        if self.status == UNMEASURED:
            return f"{self.guard}: unmeasured: {self.events:,} samples, needs {self.needed:,} to show {self.limit:g}"
        of = "" if self.events is None else f" ({round(self.measured * self.events):,} of {self.events:,})"
        return f"{self.guard}: {self.measured:.3g}{of}, limit {self.limit:g}: {self.status}"


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


@dataclass(frozen=True)
class Quantizing:
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
    compared
        Other ways of quantizing, not written, to compare with.
    tested
        The same on events that the search never saw; None if there were none.
    portability
        Parity of verdicts over batches, threads and instruction sets, as plain JSON.
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
    compared: Mapping[str, Divergence] = field(default_factory=dict)
    tested: Divergence | None = None
    portability: Mapping[str, Any] = field(default_factory=dict)
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
        return {**asdict(self), "out": str(self.out), "passed": self.passed}

    def render_search(self) -> str:
        """The path and the guards as plain text."""
        after = ", after training with the rounding" if self.trained else ""
        lines = [f"Quantization ({self.precision}{after}) on {self.held_back:,} validation events:"]
        return "\n".join([*lines, *map(_told, self.path)])

    def render(self) -> str:
        """The report as plain text."""
        parts = [
            f"{self.model}: {self.bytes_before:,} → {self.bytes_after:,} bytes "
            f"({self.bytes_before / max(1, self.bytes_after):.1f} times smaller), {self.precision}",
            f"Calibrated on {self.calibrated:,} events, measured on {self.held_back:,} others.",
        ]
        if self.sensitivity:
            parts.append("Sensitivity of the layers (KL and flips against float):\n" + table(self.sensitivity))
        parts.append("The search:\n" + "\n".join(_told(step) for step in self.path))
        parts.append("What was written:\n" + _costs(self.step.found))
        if self.tested is not None:
            parts.append("On test events that nothing was chosen by:\n" + _costs(self.tested))
        for name, other in self.compared.items():
            parts.append(f"To compare with, {name}:\n" + _costs(other))
        if self.step.findings:
            verdict = "every guard holds" if self.passed else "NOT every guard holds; this is the best that was found"
            parts.append(f"Guards: {verdict}\n" + "\n".join(f"  {finding}" for finding in self.step.findings))
        parts.append(f"Written: {self.out}")
        return "\n\n".join(parts)


def table(rows: Sequence[Sensitivity]) -> str:
    """One aligned line for each layer: alone and left out, with the family that lost most."""
    head: tuple[str, ...] = (
        "layer",
        "op",
        "weights",
        "alone: KL",
        "flips",
        "lost most",
        "left out: KL",
        "flips",
        "lost most",
    )
    lines = [head]
    for row in rows:
        cells = [row.name, row.op, f"{row.weights:,}"]
        for found in (row.alone, row.left_out):
            worst = found.worst
            most = "-" if worst is None else f"{worst[0]} {worst[1].before - worst[1].after} of {worst[1].events}"
            cells += [f"{found.kl:.2e}", f"{found.flips:,}", most]
        lines.append(tuple(cells))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    left = (0, 1, 5, 8)
    return "\n".join(
        "  "
        + "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def changed(told: Mapping[str, Any]) -> str:
    """What quantization changed on held-back events, in a line, from what `Quantizing.to_json` gave.

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


def _told(step: Step) -> str:
    kept = f"in float: {', '.join(step.kept)}" if step.kept else "everything quantized"
    guards = "; ".join(map(str, step.findings)) or "no guards"
    return f"  {kept}: KL {step.found.kl:.2e}, {step.found.flips:,} flips; {guards}"


def _costs(found: Divergence) -> str:
    lines = [
        f"  KL {found.kl:.2e} nats, max |Δlogit| {found.max_difference:.2g}, "
        f"{found.flips:,} of {found.events:,} verdicts flip ({found.flip_rate:.2%})"
    ]
    losing = {name: c for name, c in found.families.items() if c.before != c.after}
    for name, caught in sorted(losing.items(), key=lambda item: -item[1].lost):
        lines.append(f"  {name}: {caught.before} → {caught.after} of {caught.events} caught ({-caught.lost:+.2%})")
    if found.families and not losing:
        lines.append(f"  recall at threshold {found.threshold:.3g}: unchanged in all {len(found.families)} families")
    return "\n".join(lines)
