"""Section: what happened to the rare families, to slices, and to hard benign events?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import intervals, words
from overproof.report.events import event_list
from overproof.report.markup import Html, details, el, legend, many, model, name, paragraph, part, table
from overproof.report.reading import at, by_model, number, rows, whole
from overproof.report.words import count, interval, pairs, probability

STEPS = ("distillation", "quantization", "churn")
FEW = 8  # rows that are shown without being asked for


def rare(data: Mapping[str, Any]) -> Html:
    """Recall of every family, the slices that lost most, hard benign events, and exemplars."""
    return many(
        [
            part("Recall by family", data.get("families"), _families),
            part("Slices", data.get("slices"), lambda found: _slices(data, found)),
            part("Hard benign events", data.get("hard_benign"), _hard),
            part("Exemplars: where compression changed most", data.get("exemplars"), event_list),
        ]
    )


def _families(found: Any) -> Html:
    families = rows(found)
    models = list(by_model({m: 1 for row in families for m in by_model(row.get("models"))}))
    axis = el("span", "Right label, Wilson 95 %", intervals.heads())
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


def _family(row: Mapping[str, Any]) -> list[str]:
    title = words.short(row.get("name"))
    trained = whole(row.get("trained_on"))
    facts = f"{words.figure(row.get('n'), count)} events" + ("" if trained is None else f", trained on {trained:,}")
    rarity = el("span", "rare", class_="rare") if row.get("rare") else ""
    return [
        el("span", name(title), " ", rarity, el("span", facts, class_="facts")),
        intervals.shares(f"Recall of {title}", row.get("models"), "wilson"),
        pairs(row),
        interval(row.get("loss")),
        probability(row.get("holm")),
        *(_step(at(row, "steps", step)) for step in STEPS),
    ]


def _step(value: object) -> str:
    """A step's flips."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return words.NOT_MEASURED
    return " : ".join(words.figure(k, count) for k in value)


def _counts(families: list[Mapping[str, Any]]) -> Html:
    body = [
        [
            name(row.get("name")),
            model(m),
            words.ratio(entry) if isinstance(entry, Mapping) else words.NOT_MEASURED,
            interval(at(entry, "wilson")),
            interval(at(entry, "clopper_pearson")),
        ]
        for row in families
        for m, entry in by_model(row.get("models")).items()
    ]
    head = ["Family", "Model", "Right", "Wilson [95 %]", "Clopper-Pearson [95 %]"]
    return table("Right labels by family and model", head, body, left=(0, 1))


def _slices(data: Mapping[str, Any], found: Any) -> Html:
    body = [
        [
            el("span", words.short(row.get("by")), " = ", name(row.get("name"))),
            words.figure(row.get("n"), count),
            pairs(row),
            interval(row.get("loss")),
            probability(row.get("p")),
            probability(row.get("p_holm")),
        ]
        for row in rows(found)
    ]
    tested = words.figure(data.get("tested"), count)
    head = ["Slice", "Events", "Lost : gained", "Net loss [95 %]", "p", "p (Holm)"]
    first = table(f"The slices that lost most, of {tested} tested together", head, body[:FEW])
    rest = details(f"{len(body) - FEW} more slices", table("Further slices", head, body[FEW:])) if body[FEW:] else ""
    return many([first, rest])


def _hard(found: Mapping[str, Any]) -> Html:
    n, loss = words.figure(found.get("n"), count), interval(found.get("loss"))
    message = f"{n} events, {words.short(found.get('how'), 300)}. Lost : gained {pairs(found)}, net loss {loss}."
    return paragraph(message if number(found.get("n")) else f"{words.short(found.get('how'), 300)}: {n} events.")
