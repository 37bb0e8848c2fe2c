"""Draw the section: what does the student miss that the full model detects?"""

from __future__ import annotations

from collections.abc import Sequence

from overproof.bundle.model_names import in_order
from overproof.checks.event_list import event_list
from overproof.checks.formatting import among
from overproof.checks.held_out.figures import waterfall, with_and_without
from overproof.checks.held_out.result import Cost, FamilyPairs, HeldOutFamily, HeldOutThreats, NovelFamilies
from overproof.checks.pairs import PairedLoss, Share
from overproof.report import intervals, words
from overproof.report.markup import (
    Html,
    beside,
    details,
    figure,
    legend,
    listed,
    many,
    model,
    name,
    paragraph,
    part,
    pictures,
    span,
    strong,
    table,
    unmeasured,
)
from overproof.report.words import interval, probability


def section(data: HeldOutThreats) -> Html:
    """Draw two by two, families, families trained without, where it was lost, and the events."""
    return many(
        [
            beside(part("Attacks", data.attacks, _attacks), part("Benign events", data.benign, _benign)),
            part("Attacks by family", data.families, _families),
            part("Families that no one was trained on", data.held_out, _held_out),
            part("New families among these events", data.novel, _novel),
            part("Where it was lost", data.cost, _cost),
            part(
                "Missed by INT8 alone",
                data.missed_by_quantized_alone,
                lambda found: event_list(found, data.missed_by_quantized_alone_total),
            ),
            part(
                "Missed by the student, detected by the full model",
                data.missed_by_student,
                lambda found: event_list(found, data.missed_by_student_total),
            ),
        ]
    )


def _attacks(found: PairedLoss) -> Html:
    return _two_by_two(found, "attacks", "detected", "missed")


def _benign(found: PairedLoss) -> Html:
    return _two_by_two(found, "benign events", "left alone", "flagged")


def _two_by_two(found: PairedLoss, title: str, good: str, bad: str) -> Html:
    body = [
        [f"full: {good}", f"{found.both:,}", strong(f"{found.full_only:,}", "lost")],
        [f"full: {bad}", f"{found.student_only:,}", f"{found.neither:,}"],
    ]
    message = f"McNemar's exact p {probability(found.mcnemar)}; net loss {interval(found.loss)}."
    shown = table(among(found.n, title, found.units), ["", f"INT8: {good}", f"INT8: {bad}"], body, kind="two")
    return many([shown, paragraph(message, "small")])


def _families(families: Sequence[FamilyPairs]) -> Html:
    body = [
        [
            name(row.name),
            among(row.n, "attacks", row.units),
            *(f"{k:,}" for k in (row.both, row.full_only, row.student_only, row.neither)),
            interval(row.loss),
            probability(row.mcnemar),
            probability(row.holm),
        ]
        for row in families
    ]
    head = [
        "Family",
        "Attacks",
        "Detected by both",
        "Only full",
        "Only INT8",
        "Neither",
        "Net loss [95 %]",
        "p",
        "p (Holm)",
    ]
    return table("Detected attacks, whichever label they were given", head, body)


def _held_out(families: Sequence[HeldOutFamily]) -> Html:
    if not families:
        return unmeasured("no family was held out of training")
    models = in_order(title for row in families for title in (*row.trained_with, *row.trained_without))
    axis = span("Detected: hollow trained without, filled with", intervals.heads())
    head = ["Family", axis, "False positives without it", "Not there"]
    body = [
        [
            span(name(row.family), " ", span(f"{row.n:,} events", kind="facts")),
            with_and_without(f"Detected of {words.short(row.family)}", row, _of_family(row)),
            span(*(span(f"{m} {_ratio(row.false_positives[m])}", kind="value") for m in in_order(row.false_positives))),
            span(*(span(f"{m}: {words.short(why, 200)}", kind="value") for m, why in row.absent.items())),
        ]
        for row in families
    ]
    caption = "Teacher, student and baseline trained again without the family. Counts: without | with"
    shown = table(caption, head, body, left=(0, 1, 2, 3), kind="records held")
    return many([legend(models), shown, details("The same in figures", _figures(families))])


def _figures(families: Sequence[HeldOutFamily]) -> Html:
    body = [
        [name(row.family), title, trained, f"{shares[title].k:,}/{shares[title].n:,}", interval(shares[title].share)]
        for row in families
        for trained, shares in (("without", row.trained_without), ("with", row.trained_with))
        for title in in_order(shares)
    ]
    return table("Attacks detected", ["Family", "Model", "Trained", "Detected", "Share [95 %]"], body, left=(0, 1, 2))


def _of_family(row: HeldOutFamily) -> list[str]:
    """List the models of a family, those that were trained without it first."""
    without = in_order(row.trained_without)
    return [*without, *(title for title in in_order(row.trained_with) if title not in without)]


def _ratio(found: Share) -> str:
    return f"{found.k:,}/{found.n:,}, {interval(found.share)}"


def _novel(found: NovelFamilies) -> Html:
    body = [[model(title), f"{of.k:,}/{of.n:,}", interval(of.share)] for title, of in found.models.items()]
    families = paragraph(many(["Families: ", listed(found.families)]))
    message = paragraph(f"{found.n:,} events; net loss against the full model {interval(found.loss)}.")
    head = ["Model", "Detected", "Share [95 %]"]
    return many([families, message, table("Attacks detected of families that training never met", head, body)])


def _cost(figures: Sequence[Cost]) -> Html:
    drawn = pictures(figure(waterfall(row)) for row in figures)
    body = [
        [row.figure]
        + [interval(step) for step in (row.full, row.distillation, row.quantization, row.churn, row.quantized)]
        for row in figures
    ]
    head = ["Figure", "Full", "Distilling", "Quantizing", "Retraining alone (churn)", "INT8"]
    note = (
        "The vertical axes do not begin at 0. A step downwards is a loss. "
        "Dashed: what training once more moves without any compression."
    )
    return many([drawn, paragraph(note, "small"), table("From the full model to INT8 [95 %]", head, body)])
