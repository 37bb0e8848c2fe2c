"""Pictures in the rows of tables: a figure against its limit, shares of several models, with and without training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overproof.report.markup import Html, el
from overproof.report.reading import Estimate, number, span, status, string
from overproof.report.svg import Rule, line, rect, svg, text
from overproof.report.words import interval, of_finding, unit
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


@dataclass(frozen=True)
class Counted:
    """k of n.

    Attributes
    ----------
    share
        k / n with its interval; None where n is 0.
    """

    k: int
    n: int
    share: Estimate | None


def shares(title: str, models: Mapping[str, Counted], rule: Rule = RIGHT) -> Html:
    """Draw a line for each model: its share with its interval, and the count at its end.

    Parameters
    ----------
    models
        Model to its share.
    rule
        The axis.
    """
    height = STEP * len(models) + 2
    drawn, described = rule.grid(LINES[rule], height), []
    for place, (model, found) in enumerate(models.items()):
        y = STEP * place + 8
        share, count = span(found.share), f"{found.k:,}/{found.n:,}"
        drawn += [] if share is None else rule.whisker(share, y, model)
        drawn.append(text("100%", y + 4, count, anchor="end"))
        described.append(f"{model}: {interval(share)} ({count})")
    return svg(title, "; ".join(described), drawn, height=height)


def heads(rule: Rule = RIGHT) -> Html:
    """Draw the axis over a column of `shares`."""
    return rule.heads(LINES[rule], lambda value: f"{100 * value:.0f}{' %' if value == 1 else ''}")
