"""Draw what a bundle of two students trades."""

from __future__ import annotations

from collections.abc import Callable

from overproof.bundle.model_names import QUANTIZED
from overproof.checks.escalation.result import TierTrade
from overproof.checks.escalation.tiers import TIERS
from overproof.report import words
from overproof.report.markup import Html
from overproof.report.svg import Axis, frame, mark, path, svg, text
from overproof.report.words import count, percent

NAMES = {"first": "first student", "second": "second student", "full": "full model"}
LEFT, RIGHT, TOP, BOTTOM = 58, 348, 22, 232


def by_share(found: TierTrade) -> Html:
    """Draw the attacks that are missed against the share that the first student decides."""
    shares = [point.decided["first"] for point in found.points]
    axis = Axis(0, 1, LEFT, RIGHT)
    return _plot(
        found, "Attacks missed by share decided", shares, axis, ("share that the first student decides", _whole)
    )


def by_cost(found: TierTrade) -> Html | None:
    """Draw the attacks that are missed against what an event costs on average; None where that was not measured."""
    costs = [1e6 * point.seconds for point in found.points if point.seconds is not None]
    if len(costs) < len(found.points):
        return None
    axis = Axis(0.9 * min(costs), 1.05 * max(costs), LEFT, RIGHT)
    return _plot(found, "Attacks missed by cost", costs, axis, ("microseconds an event", "{:g}".format))


def _plot(found: TierTrade, title: str, across: list[float], x: Axis, axis: tuple[str, Callable[[float], str]]) -> Html:
    """Draw one curve in the order of its thresholds; a mark is at those that are sealed."""
    missed = [sum(point.missed.values()) / max(1, found.attacks) for point in found.points]
    y = Axis(0, 1.05 * (max(missed) or 0.01), BOTTOM, TOP)
    left, top = x.at(across[found.sealed]), y.at(missed[found.sealed])
    # written towards the middle, so that it stays on the picture
    beside, anchor = (left + 9, "start") if left < (LEFT + RIGHT) / 2 else (left - 9, "end")
    drawn = [
        frame(x, y, axis, ("attacks missed", percent)),
        path([(x.at(a), y.at(b)) for a, b in zip(across, missed, strict=True)], "curve quantized"),
        mark(left, top, QUANTIZED),
        text(beside, max(top - 7, TOP + 10), "sealed", anchor=anchor, style="label"),
    ]
    name, words = axis
    told = [f"{percent(share)} at {words(at)}" for at, share in zip(across, missed, strict=True)]
    description = f"{name}: {', '.join(told)}; sealed: {told[found.sealed]}"
    return svg(title, description, drawn, width=360, height=268)


def tier_rows(found: TierTrade) -> list[list[str]]:
    """List the tiers at the sealed thresholds as rows of a table."""
    at = found.points[found.sealed]
    return [
        [
            NAMES[name],
            percent(at.decided[name]),
            f"{at.missed[name]:,}/{found.attacks:,}",
            words.figure(found.seconds.get(name), duration),
        ]
        for name in TIERS
    ]


def tier_points(found: TierTrade) -> list[list[str]]:
    """List the curve as rows of a table."""
    return [
        [
            f"{percent(point.decided['first'])}{' *' if i == found.sealed else ''}",
            percent(point.decided["second"]),
            percent(point.decided["full"]),
            f"{sum(point.missed.values()):,}/{found.attacks:,}",
            f"{count(point.flagged)}/{found.benign:,}",
            words.figure(point.seconds, duration),
        ]
        for i, point in enumerate(found.points)
    ]


def duration(seconds: float) -> str:
    """Write a time by its size."""
    value, unit = (1e6 * seconds, "µs") if seconds < 1e-3 else (1e3 * seconds, "ms")
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _whole(value: float) -> str:
    return f"{100 * value:.0f} %"
