"""Draw what compression costs each family as one forest plot, the most lost first."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.bundle.model_names import QUANTIZED
from overproof.checks.formatting import among
from overproof.checks.rare.result import FamilyLoss
from overproof.checks.report import families
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.checks.stats import Interval
from overproof.report.markup import Html, details, many, name, span, table, unmeasured
from overproof.report.svg import Rule, line, steps, svg
from overproof.report.words import interval, percent, short

SHOWN = 5  # families that are not folded
HEIGHT = 18
GATE = "rare/family"

Lost = tuple[FamilyLoss, Interval]  # a family, and what is lost in it


def forest(report: CheckOutcome) -> Html:
    """Draw the section."""
    found = [(row, row.loss) for row in families.families_of(report) if row.loss is not None]
    if not found:
        return section("forest", unmeasured("no family has labelled events that both models judged"))
    found.sort(key=lambda lost: (-lost[1].value, -lost[1].high))
    rule, limit = _rule(found), next((g.limit for g in report.gates if g.key.partition(":")[0] == GATE), None)
    rows = [_row(rule, limit, lost) for lost in found]
    axis = span("Net loss, 95 %", rule.heads(_values(rule), _short))
    head = ["Family", axis, "Net loss [95 %]", "Lost : gained"]
    caption = (
        "Events that only the full model gets right, less those that only INT8 does, of all events of the family. "
        "Right of the thin line is a loss"
    )
    caption += "" if limit is None else f", right of the red one more than the limit of {percent(limit)}"
    caption += "; intervals are not corrected for the number of families"
    parts = [table(caption, head, rows[:SHOWN], left=(0, 1), kind="records forest")]
    if rest := rows[SHOWN:]:
        parts.append(
            details(
                f"{len(rest)} more, of which less was lost",
                table(caption, head, rest, left=(0, 1), kind="records forest"),
            )
        )
    return section("forest", many(parts))


def _rule(found: Sequence[Lost]) -> Rule:
    """Return one axis for all families; it holds zero."""
    low, high = min(0.0, *(loss.low for _, loss in found)), max(0.0, *(loss.high for _, loss in found))
    return Rule(low, max(high, low + 0.01))


def _values(rule: Rule) -> list[float]:
    return steps(rule.low, rule.high, 5)  # of five at most there are two at least


def _short(share: float) -> str:
    return f"{100 * share:g} %".replace("-", "\N{MINUS SIGN}")


def _row(rule: Rule, limit: float | None, lost: Lost) -> list[str]:
    row, loss = lost
    drawn = rule.grid(_values(rule), HEIGHT)
    drawn.append(line(rule.x(0), 0, rule.x(0), HEIGHT, "zero"))
    if limit is not None and rule.low <= limit <= rule.high:
        drawn.append(line(rule.x(limit), 0, rule.x(limit), HEIGHT, "limit"))
    drawn += rule.whisker(loss, HEIGHT / 2, QUANTIZED)
    picture = svg(
        f"Net loss in {short(row.name)}",
        f"{interval(loss)} of {among(row.n, 'events', row.units)}",
        drawn,
        height=HEIGHT,
    )
    facts = span(among(row.n, "events", row.units), kind="facts")
    return [
        span(name(row.name), " ", *([span("rare", kind="rare"), " "] if row.rare else []), facts),
        picture,
        interval(loss),
        families.pairs(row),
    ]
