"""Draw what each step cost, and what training without a family costs in detecting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overproof.checks.base import CONTROL, DISTILLED, FULL, QUANTIZED
from overproof.checks.held_out.result import Cost, HeldOutFamily
from overproof.checks.pairs import Share
from overproof.checks.stats import Interval
from overproof.report.intervals import LINES, RIGHT, STEP
from overproof.report.markup import Html, slug
from overproof.report.svg import Axis, frame, line, mark, rect, svg, text
from overproof.report.words import NOT_MEASURED, interval, percent

LEFT, WIDTH = 54, 278  # of the waterfall's columns


def waterfall(row: Cost) -> Html:
    """Draw the way from the full model to the quantized student; dashed beside, what retraining alone moves."""
    full = None if row.full is None else row.full.value
    level = None if full is None or row.distillation is None else full + row.distillation.value
    bars = [
        _Bar("full", FULL, None, row.full, step=False),
        _Bar("distil", DISTILLED, full, row.distillation),
        _Bar("quantize", QUANTIZED, level, row.quantization),
        _Bar("retrain", CONTROL, level, row.churn),
        _Bar("INT8", QUANTIZED, None, row.quantized, step=False),
    ]
    places = [place for bar in bars for place in bar.reach()]
    low, high = (min(places), max(places)) if places else (0.0, 1.0)
    room = 0.12 * (high - low) or 0.01
    y = Axis(low - room, high + room, 186, 22)
    drawn = [frame(Axis(0, 0, LEFT, LEFT + WIDTH), y, ("", lambda _: ""), (row.figure, percent))]
    for place, bar in enumerate(bars):
        drawn += bar.draw(LEFT + WIDTH * (place + 0.5) / len(bars), y)
    levels = (full, level, None if row.quantized is None else row.quantized.value)
    drawn += _links([y.at(value) for value in levels if value is not None])
    description = "; ".join(f"{bar.title} {interval(bar.found)}" for bar in bars)
    return svg(f"What each step cost: {row.figure}", description, drawn, width=340, height=232)


@dataclass(frozen=True)
class _Bar:
    """One column of the waterfall.

    Attributes
    ----------
    title, model
        What stands below it, and whose mark and colour it has.
    start
        The level at which a step starts.
    found
        A level, or what a step adds.
    step
        Whether it is a step.
    """

    title: str
    model: str
    start: float | None
    found: Interval | None
    step: bool = True

    def reach(self) -> list[float]:
        """List every value that it is drawn at: its own, the ends of the interval, and where a step starts."""
        if self.found is None or (self.step and self.start is None):
            return []
        base = self.start or 0.0
        return [base + v for v in (self.found.value, self.found.low, self.found.high)] + ([base] if self.step else [])

    def draw(self, x: float, y: Axis) -> list[Html]:
        """Draw the column with its whisker and its figure."""
        title = text(x, 201, self.title, anchor="middle", style="small")
        reach = self.reach()
        if self.found is None or not reach:
            missing = NOT_MEASURED.split() if self.found is None else []
            return [
                title,
                *(text(x, 214 + 12 * i, word, anchor="middle", style="small") for i, word in enumerate(missing)),
            ]
        value, low, high = (y.at(v) for v in reach[:3])
        sign = "+" if self.step and self.found.value > 0 else ""
        figure = text(x, 214, f"{sign}{percent(self.found.value)}", anchor="middle", style="small")
        whisker = line(x, low, x, high, f"whisker upright {slug(self.model)}")
        if not self.step:
            return [title, figure, whisker, mark(x, value, self.model)]
        base, style = y.at(reach[3]), f"fill {slug(self.model)}{' dashed' if self.model == CONTROL else ''}"
        return [title, figure, rect(x - 14, min(base, value), 28, max(abs(base - value), 1), style), whisker]


def _links(levels: Sequence[float]) -> list[Html]:
    """Draw faint lines at the levels that the steps lead between."""
    return [line(LEFT, level, LEFT + WIDTH, level, "level") for level in levels]


def with_and_without(title: str, row: HeldOutFamily, models: Sequence[str]) -> Html:
    """Draw a line for each model: hollow where it was trained without the family, filled where with it."""
    height = STEP * len(models) + 2
    drawn, described = RIGHT.grid(LINES[RIGHT], height), []
    for place, model in enumerate(models):
        y = STEP * place + 8
        without, trained = row.trained_without.get(model), row.trained_with.get(model)
        drawn += _pair(without, trained, y, model)
        counts = ["-" if found is None else f"{found.k:,}/{found.n:,}" for found in (without, trained)]
        drawn.append(text("100%", y + 4, " | ".join(counts), anchor="end"))
        shares = [interval(None if found is None else found.share) for found in (without, trained)]
        described.append(f"{model}: without {shares[0]} ({counts[0]}), with {shares[1]} ({counts[1]})")
    return svg(title, "; ".join(described), drawn, height=height)


def _pair(without: Share | None, trained: Share | None, y: float, model: str) -> list[Html]:
    """Draw the step between the two, the interval of the one that never met the family, and both marks."""
    before, after = (None if found is None else found.share for found in (without, trained))
    drawn: list[Html] = []
    if before is not None and after is not None:
        drawn.append(line(RIGHT.x(before.value), y, RIGHT.x(after.value), y, "step"))
    if before is not None:
        drawn += RIGHT.whisker(before, y, model, hollow=True)
    if after is not None:
        drawn.append(mark(RIGHT.x(after.value), y, model))
    return drawn
