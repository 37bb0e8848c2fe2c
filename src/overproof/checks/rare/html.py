"""Draw the section: what happened to the rare families, to slices, and to hard benign events?"""

from __future__ import annotations

from collections.abc import Sequence

from overproof.checks.event_list import event_list
from overproof.checks.formatting import among
from overproof.checks.rare.result import FamilyLoss, HardBenign, Rare, SliceLoss, Step
from overproof.report import intervals, words
from overproof.report.intervals import Counted
from overproof.report.markup import Html, details, legend, many, model, name, paragraph, part, span, table
from overproof.report.words import interval, probability

STEPS: tuple[Step, ...] = ("distillation", "quantization", "churn")
FEW = 8  # rows that are shown without being asked for


def section(data: Rare) -> Html:
    """Draw recall of every family, the slices that lost most, hard benign events, and exemplars."""
    return many(
        [
            part("Recall by family", data.families, _families),
            part("Slices", data.slices, lambda found: _slices(found, data.tested)),
            part("Hard benign events", data.hard_benign, _hard),
            part("Exemplars: where compression changed most", data.exemplars, event_list),
        ]
    )


def _families(families: Sequence[FamilyLoss]) -> Html:
    models = list(dict.fromkeys(title for row in families for title in row.models))
    axis = span("Right label, Wilson 95 %", intervals.heads())
    head = ["Family", axis, "Lost : gained", "Net loss [95 %]", "p (Holm)", "Distilling", "Quantizing", "Churn"]
    caption = (
        "Events with the right label, on an axis that is stretched towards 100 %. "
        "Lost : gained counts those that only the full model, or only INT8, gets right"
    )
    return many(
        [
            legend(models),
            table(caption, head, [_family(row) for row in families], left=(0, 1), kind="records families"),
            details("Every count and interval", _counts(families)),
        ]
    )


def _family(row: FamilyLoss) -> list[str]:
    facts = among(row.n, "events", row.units) + ("" if row.trained_on is None else f", trained on {row.trained_on:,}")
    rarity = span("rare", kind="rare") if row.rare else ""
    shares = {title: Counted(right.k, right.n, right.wilson) for title, right in row.models.items()}
    return [
        span(name(row.name), " ", rarity, span(facts, kind="facts")),
        intervals.shares(f"Recall of {words.short(row.name)}", shares),
        _flips(row.b, row.c),
        interval(row.loss),
        probability(row.holm),
        *(_flips(*row.steps.get(step, (None, None))) for step in STEPS),
    ]


def _flips(lost: int | None, gained: int | None) -> str:
    return words.NOT_MEASURED if lost is None or gained is None else f"{lost:,} : {gained:,}"


def _counts(families: Sequence[FamilyLoss]) -> Html:
    body = [
        [
            name(row.name),
            model(title),
            f"{right.k:,}/{right.n:,}",
            interval(right.wilson),
            interval(right.clopper_pearson),
        ]
        for row in families
        for title, right in row.models.items()
    ]
    head = ["Family", "Model", "Right", "Wilson [95 %]", "Clopper-Pearson [95 %]"]
    return table("Right labels by family and model", head, body, left=(0, 1))


def _slices(slices: Sequence[SliceLoss], tested: int) -> Html:
    body = [
        [
            span(words.short(row.by), " = ", name(row.name)),
            among(row.n, "events", row.units),
            _flips(row.b, row.c),
            interval(row.loss),
            probability(row.p),
            probability(row.p_holm),
        ]
        for row in slices
    ]
    head = ["Slice", "Events", "Lost : gained", "Net loss [95 %]", "p", "p (Holm)"]
    first = table(f"The slices that lost most, of {tested:,} tested together", head, body[:FEW])
    rest = details(f"{len(body) - FEW} more slices", table("Further slices", head, body[FEW:])) if body[FEW:] else ""
    return many([first, rest])


def _hard(found: HardBenign) -> Html:
    how = words.short(found.how, 300)
    if not found.n:
        return paragraph(f"{how}: 0 events.")
    lost = f"Lost : gained {_flips(found.b, found.c)}, net loss {interval(found.loss)}."
    return paragraph(f"{found.n:,} events, {how}. {lost}")
