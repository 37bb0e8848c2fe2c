"""Draw what a bundle of two students trades."""

from __future__ import annotations

from overproof.checks.escalation.result import TierPoint, TierTrade
from overproof.checks.escalation.tiers import TIERS
from overproof.report import words
from overproof.report.markup import Html
from overproof.report.svg import Axis, circle, frame, path, svg
from overproof.report.words import count, percent

NAMES = {"first": "first student", "second": "second student", "full": "full model"}
LEFT, RIGHT, TOP, BOTTOM = 58, 348, 22, 232
GAP = 366  # from one plot to the next


def traded(found: TierTrade) -> Html:
    """Draw the attacks that are missed against the share that the first student decides, and against the cost."""
    missed = [_missed(found, point) for point in found.points]
    up = Axis(0, 1.05 * (max(missed) or 0.01), BOTTOM, TOP)
    drawn = _plot(found, [point.decided["first"] for point in found.points], missed, up)
    costs = [point.seconds for point in found.points]
    width = 360
    if all(cost is not None for cost in costs):
        times = [1e6 * (cost or 0.0) for cost in costs]
        drawn += _plot(found, times, missed, up, shift=GAP)
        width += GAP
    at = found.points[found.sealed]
    description = "; ".join(
        f"{percent(point.decided['first'])} decided by the first: {percent(share)} of the attacks missed"
        for point, share in zip(found.points, missed, strict=True)
    )
    description += f". Sealed: {percent(at.decided['first'])} decided by the first"
    return svg("What the tiers trade", description, drawn, width=width, height=268)


def _plot(found: TierTrade, across: list[float], missed: list[float], y: Axis, shift: float = 0.0) -> list[Html]:
    """Draw one curve; the ring is at the sealed thresholds."""
    cost = shift > 0
    low, high = (min(across), max(across)) if cost else (0.0, 1.0)
    x = Axis(0.9 * low, 1.05 * high or 1.0, LEFT + shift, RIGHT + shift) if cost else Axis(0, 1, LEFT, RIGHT)
    title = ("microseconds an event", "{:g}".format) if cost else ("share that the first student decides", _whole)
    ends = sorted(zip(across, missed, strict=True))
    sealed = (x.at(across[found.sealed]), y.at(missed[found.sealed]))
    return [
        frame(x, y, title, ("attacks missed", percent)),
        path([(x.at(a), y.at(b)) for a, b in ends], "curve quantized"),
        circle(*sealed, 6, "misses distilled-int8"),
    ]


def tier_rows(found: TierTrade) -> list[list[str]]:
    """List the tiers at the sealed thresholds as rows of a table."""
    at = found.points[found.sealed]
    return [
        [
            NAMES[name],
            percent(at.decided[name]),
            f"{at.missed[name]:,}/{found.attacks:,}",
            words.figure(found.seconds.get(name), _time),
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
            words.figure(point.seconds, _time),
        ]
        for i, point in enumerate(found.points)
    ]


def _missed(found: TierTrade, point: TierPoint) -> float:
    return sum(point.missed.values()) / max(1, found.attacks)


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:,.3g} µs"


def _whole(value: float) -> str:
    return f"{100 * value:.0f} %"
