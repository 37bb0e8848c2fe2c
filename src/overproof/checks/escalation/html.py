"""Draw the section: does handing doubtful events to the full model help, and what does it promise?"""

from __future__ import annotations

from collections.abc import Mapping

from overproof.checks.escalation.figures import CURVES, curve_points, risk
from overproof.checks.escalation.result import (
    BudgetRow,
    Escalation,
    EscalationThreshold,
    Replay,
    RiskCurves,
    SentShare,
    TierTrade,
)
from overproof.checks.escalation.tier_figure import by_cost, by_share, tier_points, tier_rows
from overproof.checks.formatting import share_of
from overproof.report import words
from overproof.report.markup import (
    Html,
    beside,
    box,
    details,
    figure,
    many,
    model,
    paragraph,
    part,
    pictures,
    span,
    table,
)
from overproof.report.words import count, decimal, interval, percent

KINDS = {"doubt": "Doubtful:", "ood": "Out of distribution:", "other": "Too long, or never decided alone:"}


def section(data: Escalation) -> Html:
    """Draw risk and coverage, budgets, and the threshold with its guarantee."""
    return many(
        [
            part("Risk and coverage", data.curves, lambda curves: _curves(curves, data.augrc)),
            part("Budgets", data.budgets, _budgets),
            part("The threshold and what it promises", data.threshold, lambda found: _threshold(found, data.warning)),
            *([] if data.tiers is None else [part("Two students and the full model", data.tiers, _tiers)]),
        ]
    )


def _curves(curves: RiskCurves, areas: Mapping[str, float]) -> Html:
    keys = span(*(span(span(kind=f"stroke {name}"), f" {name} ") for name in CURVES))
    points = table(
        "Wrong labels among the events that are kept, of these events alone: points of curves, without intervals",
        ["Share kept", "Quantized", "Oracle", "Random"],
        curve_points(curves),
    )
    scores = table(
        "AUGRC: the area under the curve of undetected errors, the smaller the better",
        ["Order", "AUGRC"],
        [[model(name), decimal(area)] for name, area in areas.items()],
    )
    return beside(figure(risk(curves), keys), box(scores, details("The curves in figures", points)))


def _budgets(rows: tuple[BudgetRow, ...]) -> Html:
    body = [
        [
            percent(row.budget),
            count(row.escalated),
            f"{row.missed:,}, {share_of(row.missed / max(row.attacks, 1), row.attacks)}",
            *(f"{missed:,.4g}" for missed in (row.oracle, row.random)),
            words.figure(row.useful) if row.useful is None else share_of(row.useful, row.escalated),
        ]
        for row in rows
    ]
    head = ["Budget", "Escalated", "Attacks missed [95 %]", "by an oracle", "at random", "Useful [95 %]"]
    caption = "When that share of the events goes to the full model. Useful: the share of those that go there of which "
    caption += "the student's label is wrong; the rest is waste"
    return table(caption, head, body)


def _threshold(found: EscalationThreshold, warning: str) -> Html:
    missed, sent = found.missed, found.escalated
    body = [
        ["Escalate below a confidence of", decimal(found.value)],
        ["and besides", found.policy],
        ["so that at most so many attacks are missed", percent(found.limit)],
        ["with confidence", percent(found.confidence)],
        ["chosen on", _attacks(found.chosen_on, found.chosen_units)],
        ["verified on", _attacks(found.verified_on, found.verified_units)],
        [f"Escalated{_where(sent)} [95 %]", interval(None if sent is None else sent.share)],
        ["Missed there [95 %]", f"{missed.k:,}/{missed.n:,}, {interval(missed.share)}"],
    ]
    shown = table("Below it an event goes to the full model", ["What", "Figure"], body)
    replayed = [] if found.replay is None else [_replay(found.replay)]
    return many([beside(shown, *replayed), paragraph(warning, "warning")])


def _attacks(events: int, units: int) -> str:
    return f"{events:,} attacks, {units:,} of them independent"


def _where(sent: SentShare | None) -> str:
    """Say for which share of attacks a share is."""
    if sent is None or sent.prevalence is None:
        return ""
    return f" where {percent(sent.prevalence)} are attacks" + ("" if sent.weighted else ", as here")


def _replay(found: Replay) -> Html:
    body = [
        *([f"{what} escalated", count(found.escalated.get(kind, 0))] for kind, what in KINDS.items()),
        *([f"{what} deferred", count(found.deferred.get(kind, 0))] for kind, what in KINDS.items()),
        ["Attacks lost", f"{found.lost:,}/{found.attacks:,}, {found.lost_deferred:,} of them deferred"],
        ["Benign events flagged", f"{found.flagged:,}/{found.benign:,}"],
    ]
    caption = f"The cascade replayed on {found.events:,} events {found.order}, with a budget of {percent(found.budget)}"
    return table(caption, ["What", "Events"], body)


def _tiers(found: TierTrade) -> Html:
    """Draw what is traded where the first of two students decides more, or less."""
    shown = table(
        f"Who decides {found.events:,} events, at the thresholds that the bundle seals",
        ["Tier", "Share decided", "Attacks missed by it", "Time an event"],
        tier_rows(found),
    )
    points = table("The curve in figures; * are the sealed thresholds", TIER_HEAD, tier_points(found))
    lost = f"Missed in all [95 %]: {interval(found.lost)} of {found.attacks:,} attacks. {CERTIFIED}"
    drawn = [figure(picture) for picture in (by_share(found), by_cost(found)) if picture is not None]
    return many([pictures(drawn), paragraph(lost), shown, details("The curve in figures", points)])


TIER_HEAD = ["First decides", "Second", "Full", "Attacks missed", "Benign flagged", "Time an event"]
CERTIFIED = (
    "All thresholds are certified together: what the threshold above promises is the loss of first student, second "
    "student and full model as one."
)
