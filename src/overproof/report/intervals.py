"""Pictures in the rows of tables: a figure against its limit, shares of several models, with and without training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from overproof.report.markup import Html, el
from overproof.report.reading import Span, at, by_model, number, span, status, string
from overproof.report.svg import Rule, line, mark, rect, svg, text
from overproof.report.words import NOT_MEASURED, interval, of_finding, percent, ratio, unit
from overproof.report.words import limit as limit_of

STEP = 14  # pixels from one model's line to the next
RIGHT = Rule(0, 1, right=76, warp=lambda share: 1 - math.sqrt(1 - share))  # room where nearly all are right
FEW = Rule(0, 1, right=76, warp=math.sqrt)  # room where few are concerned
LINES = {RIGHT: (0.0, 0.5, 0.9, 0.99, 1.0), FEW: (0.0, 0.01, 0.1, 0.5, 1.0)}


def against_limit(finding: Mapping[str, Any]) -> Html:
    """A finding's interval and its limit; what lies beyond the limit is shaded."""
    found, limit = span(finding), number(finding.get("limit"))
    if found is None:
        return el("span", "no figure", class_="quiet")
    edge = found.value if limit is None else limit
    low, high = found.ends
    low, high = min(0.0, low, found.value), max(edge * 1.5, high, found.value, 1e-9)
    room = 0.06 * (high - low)
    rule = Rule(low - room if low < 0 else low, high + room)
    kind = status(finding)
    ends = found.ends
    drawn = [
        *([] if limit is None else _limit(rule, limit, finding)),
        line(rule.x(0), 3, rule.x(0), 23, "zero"),
        line(rule.x(ends[0]), 13, rule.x(ends[1]), 13, f"span {kind}"),
        el("use", href="#m-value", x=rule.x(found.value), y=13, class_=f"value {kind}"),
    ]
    if limit is None or abs(rule.at(limit) - rule.at(0)) > 21:
        drawn.append(text(rule.x(0), 35, "0", anchor="middle" if low < 0 else "start"))
    said = f"{of_finding(finding)}, limit {limit_of(finding)}: {kind}"
    return svg(string(finding.get("key")), said, drawn, height=38)


def _limit(rule: Rule, limit: float, finding: Mapping[str, Any]) -> list[Html]:
    place = rule.at(limit)
    anchor = "start" if place < 20 else "end" if place > 80 else "middle"
    return [
        rect(rule.x(limit), 3, f"{max(98 - place, 0):.2f}%", 20, "over"),
        line(rule.x(limit), 1, rule.x(limit), 25, "limit"),
        text(rule.x(limit), 35, unit(string(finding.get("key")))(limit), anchor=anchor),
    ]


def shares(title: str, models: object, which: str, rule: Rule = RIGHT) -> Html:
    """A line for each model: its share with its interval, and the count at its end.

    Parameters
    ----------
    models
        Model to `{"k", "n", which: interval}`.
    which
        The key of the interval; where it is a bare figure there is no whisker.
    rule
        The axis.
    """
    found = by_model(models)
    height = STEP * len(found) + 2
    drawn, said = rule.grid(LINES[rule], height), []
    for place, (model, entry) in enumerate(found.items()):
        y = STEP * place + 8
        figure = span(at(entry, which))
        drawn += [] if figure is None else rule.whisker(figure, y, model)
        counted = ratio(entry) if isinstance(entry, Mapping) else NOT_MEASURED
        told = counted if counted != NOT_MEASURED or figure is None else percent(figure.value)
        drawn.append(text("100%", y + 4, told, anchor="end"))
        said.append(f"{model}: {interval(figure)} ({counted})")
    return svg(title, "; ".join(said), drawn, height=height)


def heads(rule: Rule = RIGHT) -> Html:
    """The axis over a column of `shares`."""
    return rule.heads(LINES[rule], lambda value: f"{100 * value:.0f}{' %' if value == 1 else ''}")


def with_and_without(title: str, row: Mapping[str, Any]) -> Html:
    """A line for each model: hollow where it was trained without the family, filled where with it."""
    without, trained = by_model(row.get("without")), by_model(row.get("with"))
    both = [*without, *(model for model in trained if model not in without)]
    height = STEP * len(both) + 2
    drawn, said = RIGHT.grid(LINES[RIGHT], height), []
    for place, model in enumerate(both):
        y = STEP * place + 8
        pair = [span(at(found.get(model), "share")) for found in (without, trained)]
        drawn += _pair(pair[0], pair[1], y, model)
        counts = [ratio(found[model]) if model in found else "-" for found in (without, trained)]
        drawn.append(text("100%", y + 4, " | ".join(counts), anchor="end"))
        said.append(f"{model}: without {interval(pair[0])} ({counts[0]}), with {interval(pair[1])} ({counts[1]})")
    return svg(title, "; ".join(said), drawn, height=height)


def _pair(without: Span | None, trained: Span | None, y: float, model: str) -> list[Html]:
    """The step between the two, the interval of the one that never saw the family, and both marks."""
    drawn: list[Html] = []
    if without is not None and trained is not None:
        drawn.append(line(RIGHT.x(without.value), y, RIGHT.x(trained.value), y, "step"))
    if without is not None:
        drawn += RIGHT.whisker(without, y, model, hollow=True)
    if trained is not None:
        drawn.append(mark(RIGHT.x(trained.value), y, model))
    return drawn
