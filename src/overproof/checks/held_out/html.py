"""Section: what does the student miss that the full model catches?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import intervals, words
from overproof.report.bars import cost, known_steps
from overproof.report.events import event_list
from overproof.report.markup import (
    Html,
    details,
    el,
    figure,
    legend,
    listed,
    many,
    model,
    name,
    paragraph,
    part,
    pictures,
    table,
    unmeasured,
)
from overproof.report.reading import by_model, entries, names, rows, string
from overproof.report.words import count, interval, probability, ratio

CELLS = ("both", "full_only", "student_only", "neither")


def held_out(data: Mapping[str, Any]) -> Html:
    """Two by two, families, families trained without, where it was lost, and the events."""
    alone, missed = data.get("missed_by_quantized_alone"), data.get("missed_by_student")
    totals = [data.get(f"{key}_total") for key in ("missed_by_quantized_alone", "missed_by_student")]
    return many(
        [
            el(
                "div",
                part("Attacks", data.get("attacks"), lambda found: _two_by_two(found, "attacks", "caught", "missed")),
                part(
                    "Benign events",
                    data.get("benign"),
                    lambda found: _two_by_two(found, "benign events", "left alone", "flagged"),
                ),
                class_="beside",
            ),
            part("Attacks by family", data.get("families"), _families),
            part("Families that no one was trained on", data.get("held_out"), _without),
            part("New families among these events", data.get("novel"), _novel),
            part("Where it was lost", data.get("cost"), _cost),
            part("Missed by INT8 alone", alone, lambda found: event_list(found, totals[0])),
            part("Missed by the student, caught by the full model", missed, lambda found: event_list(found, totals[1])),
        ]
    )


def _two_by_two(found: Mapping[str, Any], title: str, good: str, bad: str) -> Html:
    both, full, student, neither = (words.figure(found.get(cell), count) for cell in CELLS)
    body = [
        [f"full: {good}", both, el("strong", full, class_="lost")],
        [f"full: {bad}", student, neither],
    ]
    n = words.figure(found.get("n"), count)
    message = f"McNemar's exact p {probability(found.get('mcnemar'))}; net loss {interval(found.get('loss'))}."
    shown = table(f"{n} {title}", ["", f"INT8: {good}", f"INT8: {bad}"], body, kind="two")
    return many([shown, paragraph(message, "small")])


def _families(found: Any) -> Html:
    body = [
        [
            name(row.get("name")),
            *(words.figure(row.get(cell), count) for cell in ("n", *CELLS)),
            interval(row.get("loss")),
            probability(row.get("mcnemar")),
            probability(row.get("holm")),
        ]
        for row in rows(found)
    ]
    head = [
        "Family",
        "Attacks",
        "Caught by both",
        "Only full",
        "Only INT8",
        "Neither",
        "Net loss [95 %]",
        "p",
        "p (Holm)",
    ]
    return table("Caught attacks, whichever label they were given", head, body)


def _without(found: Any) -> Html:
    tested = rows(found)
    if not tested:
        return unmeasured("no family was held out of training")
    models = list(by_model({m: 1 for row in tested for key in ("with", "without") for m in by_model(row.get(key))}))
    axis = el("span", "Caught: hollow trained without, filled with", intervals.heads())
    head = ["Family", axis, "False positives without it", "Not there"]
    body = [
        [
            el(
                "span",
                name(row.get("family")),
                " ",
                el("span", f"{words.figure(row.get('n'), count)} events", class_="facts"),
            ),
            intervals.with_and_without(f"Caught of {words.short(row.get('family'))}", row),
            _each(row.get("false_positives")),
            el(
                "span",
                *(
                    el("span", f"{m}: {words.short(why, 200)}", class_="value")
                    for m, why in entries(row.get("absent")).items()
                ),
            ),
        ]
        for row in tested
    ]
    caption = "Teacher, student and baseline trained again without the family. Counts: without | with"
    figures = [
        [
            name(row.get("family")),
            m,
            key,
            ratio(entry) if isinstance(entry, Mapping) else "",
            interval(entry.get("share") if isinstance(entry, Mapping) else None),
        ]
        for row in tested
        for key in ("without", "with")
        for m, entry in by_model(row.get(key)).items()
    ]
    counts = table("Attacks caught", ["Family", "Model", "Trained", "Caught", "Share [95 %]"], figures, left=(0, 1, 2))
    shown = table(caption, head, body, left=(0, 1, 2, 3), kind="records held")
    return many([legend(models), shown, details("The same in figures", counts)])


def _each(value: object) -> Html:
    told = by_model(value)
    return el(
        "span",
        *(
            el("span", f"{m} {ratio(entry)}, {interval(entry.get('share'))}", class_="value")
            for m, entry in told.items()
            if isinstance(entry, Mapping)
        ),
    )


def _novel(found: Mapping[str, Any]) -> Html:
    models = by_model(found.get("models"))
    body = [
        [model(m), ratio(entry), interval(entry.get("share"))]
        for m, entry in models.items()
        if isinstance(entry, Mapping)
    ]
    families = el("p", "Families: ", listed(names(found.get("families"))))
    n, loss = words.figure(found.get("n"), count), interval(found.get("loss"))
    message = paragraph(f"{n} events; net loss against the full model {loss}.")
    return many(
        [
            families,
            message,
            table("Attacks caught of families that training never met", ["Model", "Caught", "Share [95 %]"], body),
        ]
    )


def _cost(found: Any) -> Html:
    figures = rows(found)
    drawn = pictures(figure(cost(row)) for row in figures)
    body = [[string(row.get("figure")), *known_steps(row)] for row in figures]
    head = ["Figure", "Full", "Distilling", "Quantizing", "Retraining alone (churn)", "INT8"]
    note = (
        "The vertical axes do not begin at 0. A step downwards is a loss. "
        "Dashed: what training once more moves without any compression."
    )
    return many([drawn, paragraph(note, "small"), table("From the full model to INT8 [95 %]", head, body)])
