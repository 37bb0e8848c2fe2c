"""Draw what each layer costs as one self-contained SVG: KL alone and left out on a logarithmic axis, flips beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from overproof.progress import one_line
from overproof.report.markup import Html
from overproof.report.svg import circle, document, element, group, line, rect, text
from overproof.results.divergence import Divergence
from overproof.results.precision_search.result import PrecisionSearchReport
from overproof.results.precision_search.steps import Sensitivity
from overproof.results.precision_search.text import lost_most

MARGIN, GAP = 24, 28
GREATEST = 1e300  # a decade above it must still be a number
PLOT, ZERO = 380, 34  # the axis; left of it the place of those whose KL is 0
ROW, TOP = 22, 164
LETTER = 7.3  # of the monospaced names; a little more than most fonts take
NAMES, FAMILIES = 56, 24  # characters that are shown at most; the name is shown in full when one points at it
DOT = {"alone": 4, "left": 5}  # radius; the greater one is drawn below
FAMILY = 112  # pixels that a column of families takes at least
STYLE = """
svg { --alone: #3566b8; --left: #c2410c }
@media (prefers-color-scheme: dark) { svg { --alone: #7aa5ea; --left: #fb923c } }
.name, .cell { font: 12px ui-monospace, monospace } .kept { font-weight: 700 }
.alone { fill: var(--alone) } .left { fill: var(--paper); stroke: var(--left); stroke-width: 2 }
.all-quantized { stroke: var(--ink); stroke-dasharray: 3 3 } .band { fill: var(--rule); opacity: .28 }
"""


def draw(report: PrecisionSearchReport) -> str:
    """Draw a row for each layer, in the order of the graph."""
    rows, kept = report.sensitivity, frozenset(report.step.kept)
    title = f"What each layer costs: {_end(Path(report.model).name)}"
    if not rows:
        message = "No layer was measured alone."
        parts = [text(MARGIN, 34, title, style="title"), text(MARGIN, 60, message)]
        return document(title, message, STYLE, (880, 90), parts)
    longest = max(len(_end(row.name)) for row in rows)
    axis = _Axis(MARGIN + longest * LETTER + GAP + ZERO, [d.kl for d in _all(report)])
    columns = _columns(axis.right + GAP, rows)
    width, bottom = max(columns.end + MARGIN, 880), TOP + ROW * len(rows)
    head = [
        text(MARGIN, 34, title, style="title"),
        text(
            MARGIN,
            56,
            f"{report.precision} against float, on {rows[0].alone.events:,} held-back events. "
            "KL is the mean KL(float || quantized) of an event, in nats.",
            style="faint",
        ),
        _legend(report),
        *_heads(columns, TOP - 14),
    ]
    drawn = [_row(row, i, axis, columns, row.name in kept) for i, row in enumerate(rows)]
    return document(
        title,
        _summary(report),
        STYLE,
        (math.ceil(width), bottom + 58),
        [*head, axis.drawn(bottom, report.all_quantized), *drawn],
    )


class _Axis:
    """A logarithmic axis of decades, with a place of its own for 0 at its left end."""

    def __init__(self, left: float, values: Sequence[float]) -> None:
        logs = [math.log10(min(value, GREATEST)) for value in values if 0 < value < math.inf]
        self.low = math.floor(min(logs, default=0))
        self.high = max(math.ceil(max(logs, default=0)), self.low + 1)
        self.powers = range(self.low, self.high + 1, -(-(self.high - self.low) // 7)) if logs else ()
        self.left, self.right = left, left + PLOT
        self.zero = left - ZERO if any(not value > 0 for value in values) else None

    def x(self, value: float) -> float:
        """Return where a value lies; what is not finite at the right end."""
        if not value > 0:
            return self.left if self.zero is None else self.zero
        share = (math.log10(min(value, 10.0**self.high)) - self.low) / (self.high - self.low)
        return self.left + PLOT * share

    def drawn(self, bottom: float, all_quantized: Divergence | None) -> Html:
        """Draw lines at the decades with their values below, at 0 if a value is, and at all layers' KL."""
        top = TOP - 4
        parts: list[Html] = []
        for power in self.powers:
            x = self.x(10.0**power)
            parts += [
                line(x, top, x, bottom, "rule"),
                text(x, bottom + 18, f"1e{power:+03d}", style="faint", anchor="middle"),
            ]
        if self.zero is not None:
            parts += [line(self.zero, top, self.zero, bottom, "rule")]
            parts.append(text(self.zero, bottom + 18, "0", style="faint", anchor="middle"))
        if all_quantized is not None:
            parts.append(line(self.x(all_quantized.kl), top, self.x(all_quantized.kl), bottom, "all-quantized"))
        parts.append(text(self.left + PLOT / 2, bottom + 40, "KL in nats, logarithmic", style="faint", anchor="middle"))
        return group("axis", parts)


@dataclass(frozen=True)
class _Columns:
    """Where the columns stand beside the axis.

    Attributes
    ----------
    flips_alone, flips_left_out
        Right ends of the two columns of flips.
    alone, left_out
        Left ends of the two columns of families.
    end
        Right end of the last.
    """

    flips_alone: float
    flips_left_out: float
    alone: float
    left_out: float
    end: float


def _columns(left: float, rows: Sequence[Sensitivity]) -> _Columns:
    """Place the columns so that the longest family fits."""
    alone = max(FAMILY, LETTER * max(len(_family(row.alone)) for row in rows))
    left_out = max(FAMILY, LETTER * max(len(_family(row.left_out)) for row in rows))
    first = left + 116 + GAP
    second = first + alone + GAP
    return _Columns(left + 52, left + 116, first, second, second + left_out)


def _legend(report: PrecisionSearchReport) -> Html:
    """Say what each mark means."""
    x, y = MARGIN + 6.0, 86.0
    parts = [
        circle(x, y - 4, DOT["alone"], "alone"),
        text(x + 14, y, "alone: this layer quantized, all others in float"),
    ]
    parts += [
        circle(x + 330, y - 4, DOT["left"], "left"),
        text(x + 344, y, "left out: this layer in float, all others quantized"),
    ]
    if report.all_quantized is not None:
        parts += [line(x - 6, y + 20, x + 6, y + 20, "all-quantized")]
        parts.append(text(x + 14, y + 24, f"all of them quantized: KL {report.all_quantized.kl:.2e}"))
    if report.step.kept:
        parts.append(text(x + 344, y + 24, "bold: kept in float", style="kept"))
    return group("legend", parts)


def _heads(at: _Columns, y: float) -> list[Html]:
    """Write the heads of the columns."""
    return [
        text(MARGIN, y, "layer", style="head"),
        text(at.flips_left_out, y - 18, "labels that flip", style="head", anchor="end"),
        text(at.flips_alone, y, "alone", style="faint", anchor="end"),
        text(at.flips_left_out, y, "left out", style="faint", anchor="end"),
        text(at.alone, y - 18, "family that loses most attacks", style="head"),
        text(at.alone, y, "alone", style="faint"),
        text(at.left_out, y, "left out", style="faint"),
    ]


def _row(row: Sensitivity, place: int, axis: _Axis, at: _Columns, kept: bool) -> Html:
    """Draw one layer: its name, both divergences, its flips and the families that lose most."""
    y = TOP + ROW * place
    middle, baseline = y + ROW / 2, y + ROW / 2 + 4
    parts = [
        element("title", one_line(_described(row, kept))),
        *([rect(MARGIN - 8, y, at.end - MARGIN + 16, ROW, "band")] if place % 2 else []),
        text(MARGIN, baseline, _end(row.name), style="name kept" if kept else "name"),
        circle(axis.x(row.left_out.kl), middle, DOT["left"], "left"),
        circle(axis.x(row.alone.kl), middle, DOT["alone"], "alone"),
        text(at.flips_alone, baseline, f"{row.alone.flips:,}", style="cell", anchor="end"),
        text(at.flips_left_out, baseline, f"{row.left_out.flips:,}", style="cell", anchor="end"),
        text(at.alone, baseline, _family(row.alone), style="cell"),
        text(at.left_out, baseline, _family(row.left_out), style="cell"),
    ]
    return group("layer", parts)


def _described(row: Sensitivity, kept: bool) -> str:
    """Describe a row in words."""
    parts = (
        f"{what} KL {found.kl:.2e}, {found.flips:,} flips, lost most: {lost_most(found)}"
        for what, found in (("alone", row.alone), ("left out", row.left_out))
    )
    return f"{row.name} ({row.op}, {row.weights:,} weights{', kept in float' if kept else ''}): {'; '.join(parts)}"


def _summary(report: PrecisionSearchReport) -> str:
    """Describe the picture in words, for those who do not see it."""
    rows = sorted(report.sensitivity, key=lambda row: -row.alone.kl)
    worst = "; ".join(f"{row.name} KL {row.alone.kl:.2e} and {row.alone.flips:,} flips" for row in rows[:3])
    kept = f" Kept in float: {', '.join(report.step.kept)}." if report.step.kept else ""
    return f"{len(rows)} layers. Costliest when quantized alone: {worst}.{kept}"


def _all(report: PrecisionSearchReport) -> list[Divergence]:
    found = [d for row in report.sensitivity for d in (row.alone, row.left_out)]
    return found if report.all_quantized is None else [*found, report.all_quantized]


def _family(found: Divergence) -> str:
    """Write the family as in the table, with a long name shortened and the count kept."""
    if found.worst is None:
        return "-"
    name, count = one_line(found.worst[0]), lost_most(found)
    return count if len(name) <= FAMILIES else f"{name[: FAMILIES - 1]}…{count[len(name) :]}"


def _end(name: str) -> str:
    """Return a layer's name, or its end, where the names of a model differ."""
    name = one_line(name)
    return name if len(name) <= NAMES else f"…{name[1 - NAMES :]}"
