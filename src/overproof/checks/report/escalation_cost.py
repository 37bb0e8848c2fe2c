"""Draw what escalating a share of the events catches, and what it costs, for a bundle of one student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.checks.escalation.result import Escalation
from overproof.checks.escalation.tier_figure import duration
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.stats import Interval, wilson
from overproof.report.markup import Html, details, figure, many, part, pictures, slug, table
from overproof.report.svg import Axis, frame, line, mark, path, svg
from overproof.report.words import count, interval, percent

LEFT, RIGHT, TOP, BOTTOM = 58, 348, 22, 232
TITLE = "What escalating catches, and what it costs"


@dataclass(frozen=True)
class Point:
    """What a share of escalated events leaves missed, and the times of both models for one event, in seconds."""

    share: float
    missed: Interval
    k: int
    attacks: int
    student: float | None
    full: float | None

    @property
    def seconds(self) -> float | None:
        """What an event costs on average: the student reads all, the full model a share."""
        return None if self.student is None or self.full is None else self.student + self.share * self.full


def escalation_cost(report: CheckOutcome) -> Html:
    """Draw attacks missed by share escalated and by cost; nothing for a bundle of two students, which has its own."""
    found = points(report)
    if not found:
        return Html()
    return part(TITLE, found, _drawn)


def points(report: CheckOutcome) -> list[Point]:
    """List what is known at each budget, from none on; empty where budgets or attacks were not measured."""
    data = next((check.data for check in report.checks if isinstance(check.data, Escalation)), None)
    rows = {row.name: row for row in report.comparison.rows}
    student, full = rows.get(QUANTIZED), rows.get(FULL)
    if data is None or data.tiers is not None or not isinstance(data.budgets, tuple) or student is None:
        return []
    alone = None if student.metrics is None else student.metrics.missed
    times = [None if row is None or row.p50_ms is None else row.p50_ms / 1e3 for row in (student, full)]
    counts = [] if alone is None else [(0.0, alone.k, alone.n)]
    counts += [(row.budget, row.missed, row.attacks) for row in data.budgets]
    return [Point(share, wilson(k, n), k, n, *times) for share, k, n in counts if 0 <= k <= n and n]


def _drawn(found: Sequence[Point]) -> Html:
    x = Axis(0, max(point.share for point in found) or 0.01, LEFT, RIGHT)
    by_share = _plot("Attacks missed by share escalated", found, [p.share for p in found], x, SHARE)
    costs = [1e3 * p.seconds for p in found if p.seconds is not None]
    shown = [figure(by_share)]
    if len(costs) == len(found):
        by_cost = Axis(0, 1.05 * max(costs), LEFT, RIGHT)
        shown.append(figure(_plot("Attacks missed by cost", found, costs, by_cost, COST)))
    head = ["Escalated", f"Missed of {found[0].attacks:,} attacks [95 %]", "Full model, 1,000 events", "Time an event"]
    caption = "The least certain events go to the full model. Times: the median of one event at a time, as the bundle "
    caption += "stores it; an event costs the student's, and that share of the full model's"
    return many([pictures(shown), details("The same in figures", table(caption, head, [_row(p) for p in found]))])


SHARE = ("share of the events escalated", lambda share: f"{100 * share:g} %")
COST = ("milliseconds an event", "{:g}".format)


def _row(point: Point) -> list[str]:
    spent = None if point.full is None else 1000 * point.share * point.full
    times = [duration(value) if value is not None else "not measured" for value in (spent, point.seconds)]
    return [percent(point.share), f"{count(point.k)}, {interval(point.missed)}", *times]


def _plot(
    title: str,
    found: Sequence[Point],
    across: Sequence[float],
    x: Axis,
    axis: tuple[str, Callable[[float], str]],
) -> Html:
    """Draw a curve with the interval of each of its points."""
    y = Axis(0, 1.05 * max(point.missed.high for point in found), BOTTOM, TOP)
    places = [(x.at(a), y.at(point.missed.value)) for a, point in zip(across, found, strict=True)]
    drawn = [frame(x, y, axis, ("attacks missed", percent)), path(places, "curve quantized")]
    for (left, top), point in zip(places, found, strict=True):
        ends = y.at(point.missed.low), y.at(point.missed.high)
        drawn += [line(left, ends[0], left, ends[1], f"whisker {slug(QUANTIZED)}"), mark(left, top, QUANTIZED)]
    name, words = axis
    told = [f"{interval(p.missed)} at {words(a)}" for a, p in zip(across, found, strict=True)]
    return svg(title, f"{name}: {'; '.join(told)}", drawn, width=360, height=268)
