"""Plots of bars: distributions of scores and margins, and where the figures were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overproof.bundle.model_names import CONTROL
from overproof.report.markup import Html, slug
from overproof.report.reading import Span, span
from overproof.report.svg import Axis, frame, line, mark, rect, svg, text
from overproof.report.words import NOT_MEASURED, interval, percent

COST = (
    ("full", "full"),
    ("distillation", "distilled"),
    ("quantization", "distilled + INT8"),
    ("quantized", "distilled + INT8"),
)


def cost(row: Mapping[str, Any]) -> Html:
    """From the full model to the quantized student, step by step; dashed beside, what retraining alone moves."""
    full, steps, end = (
        span(row.get("full")),
        [span(row.get(n)) for n in ("distillation", "quantization")],
        span(row.get("quantized")),
    )
    churn = span(row.get("churn"))
    level = None if full is None or steps[0] is None else full.value + steps[0].value
    bars = [
        _Bar("full", "full", None, full),
        _Bar("distil", "distilled", None if full is None else full.value, steps[0]),
        _Bar("quantize", "distilled + INT8", level, steps[1]),
        _Bar("retrain", CONTROL, level, churn),
        _Bar("INT8", "distilled + INT8", None, end),
    ]
    places = [place for bar in bars for place in bar.reach()]
    low, high = (min(places), max(places)) if places else (0.0, 1.0)
    room = 0.12 * (high - low) or 0.01
    y = Axis(low - room, high + room, 186, 22)
    told = str(row.get("figure"))
    drawn = [frame(Axis(0, 0, 54, 332), y, ("", lambda _: ""), (told, percent))]
    for place, bar in enumerate(bars):
        drawn += bar.drawn(54 + 278 * (place + 0.5) / len(bars), y)
    levels = [
        y.at(v)
        for v in (None if full is None else full.value, level, None if end is None else end.value)
        if v is not None
    ]
    drawn += _links(levels)
    said = "; ".join(f"{bar.title} {interval(bar.found)}" for bar in bars)
    return svg(f"What each step cost: {told}", said, drawn, width=340, height=232)


class _Bar:
    """One column of the waterfall: a level, or a step that starts at one."""

    def __init__(self, title: str, model: str, start: float | None, found: Span | None) -> None:
        self.title, self.model, self.start, self.found = title, model, start, found
        self.step = title not in ("full", "INT8")

    def reach(self) -> list[float]:
        """Every value that it is drawn at."""
        if self.found is None or (self.step and self.start is None):
            return []
        base = self.start or 0.0 if self.step else 0.0
        return [base + v for v in (self.found.value, *self.found.ends)] + ([base] if self.step else [])

    def drawn(self, x: float, y: Axis) -> list[Html]:
        """The column with its whisker and its figure."""
        names = [text(x, 201, self.title, anchor="middle", style="small")]
        reach = self.reach()
        if self.found is None or not reach:
            missing = NOT_MEASURED.split() if self.found is None else []
            told = [text(x, 214 + 12 * i, word, anchor="middle", style="small") for i, word in enumerate(missing)]
            return [*names, *told]
        value, low, high = (y.at(v) for v in reach[:3])
        figure = percent(self.found.value)
        names.append(
            text(x, 214, f"+{figure}" if self.step and self.found.value > 0 else figure, anchor="middle", style="small")
        )
        kind = slug(self.model)
        body = []
        if self.step:
            base = y.at(reach[3])
            dashed = " dashed" if self.model == CONTROL else ""
            body.append(rect(x - 14, min(base, value), 28, max(abs(base - value), 1), f"fill {kind}{dashed}"))
        whisker = line(x, low, x, high, f"whisker upright {kind}")
        return [*names, *body, whisker, *([] if self.step else [mark(x, value, self.model)])]


def _links(levels: Sequence[float]) -> list[Html]:
    """Faint lines at the levels that the steps lead between."""
    return [line(54, level, 332, level, "level") for level in levels]


def known_steps(row: Mapping[str, Any]) -> list[str]:
    """The waterfall as a row of a table."""
    return [interval(row.get(name)) for name in ("full", "distillation", "quantization", "churn", "quantized")]
