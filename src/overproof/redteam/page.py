"""Draw what an attack found as one offline HTML file: how much falls, and the edits that do it, the shortest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from overproof.bundle.model_names import QUANTIZED
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.result import AttackReport
from overproof.report.markup import Html, many, name, paragraph, preformatted, table
from overproof.report.offline import page_head
from overproof.report.templating import environment
from overproof.report.words import interval, short
from overproof.results.attack_edits import edits_by_family


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    body: Html


def page(report: AttackReport) -> str:
    """Draw the whole report."""
    sections = [*_objectives(report), *_transfer(report), *_blind_spots(report), *_triggers(report), *_cases(report)]
    return (
        environment("overproof.redteam")
        .get_template("page.html")
        .render(
            page_head=page_head(f"overproof attack: {short(report.bundle)}"),
            head=paragraph(
                f"{short(report.bundle)}, full model {short(report.full or 'none')}: {report.events:,} events, at most "
                f"{report.budget:,} queries each, seed {report.seed}"
            ),
            sentence=_sentence(report),
            sections=sections,
        )
    )


def _sentence(report: AttackReport) -> str:
    own = [row for row in report.rows if row.model == QUANTIZED]
    if not own:
        return "Nothing was attacked."
    objective = own[0].objective
    best = max((row for row in own if row.objective == objective), key=lambda row: row.at[str(report.budget)].value)
    return (
        f"{interval(best.at[str(report.budget)])} of {report.events:,} events fall ({objective}, {best.search}): "
        f"{OBJECTIVES[objective].wants}."
    )


def _objectives(report: AttackReport) -> Iterator[Section]:
    for objective in dict.fromkeys(row.objective for row in report.rows):
        rows = [row for row in report.rows if row.objective == objective]
        counts = list(rows[0].at)
        searches = table(
            "What falls, its meaning proved, by queries an event [95 %]",
            ["Search", "Against", *(f"≤ {count}" for count in counts), "Meaning unproved"],
            [
                [row.search, name(row.model), *(interval(row.at[c]) for c in counts), f"{row.unproved:,}"]
                for row in rows
            ],
            left=(0, 1),
        )
        own = [row for row in rows if row.model == QUANTIZED]
        families = table(
            "By family, in the bundle, at the full budget [95 %]",
            ["Family", *(row.search for row in own)],
            [[name(family), *(interval(row.families[family]) for row in own)] for family in own[0].families],
        )
        blame = [paragraph(one.sentence()) for one in report.exclusive if one.objective == objective]
        wants = paragraph(f"Looked for: {OBJECTIVES[objective].wants}.")
        yield Section(objective, many([wants, searches, families, *blame]))


def _transfer(report: AttackReport) -> Iterator[Section]:
    if not report.transfer:
        return
    models = list(report.transfer)
    body = [
        [name(model), *("" if other == model else interval(rates[other]) for other in models)]
        for model, rates in report.transfer.items()
    ]
    head = ["What fools", *(name(model) for model in models)]
    yield Section("What fools one, fools the others how often", table("Of all successes [95 %]", head, body))


def _blind_spots(report: AttackReport) -> Iterator[Section]:
    found = report.blind_spots
    if found is None:
        return
    body = [
        [
            region.kind,
            many([preformatted(ngram) for ngram in region.ngrams] or ["alike in the embedding"]),
            f"{region.count:,}",
            interval(region.of_all),
            preformatted(short(region.examples[0].text)),
        ]
        for region in found.regions
    ]
    head = ["Kind", "What its events share", "Events", "Of all such events [95 %]", "For example"]
    caption = "Where student and full model part, the largest loss first"
    shown = table(caption, head, body, left=(0, 1, 4)) if body else paragraph("No region is shown to be one.", "quiet")
    yield Section("Blind spots without edits", many([paragraph(found.sentences()[0]), shown]))


def _triggers(report: AttackReport) -> Iterator[Section]:
    found = report.triggers
    if found is None:
        return
    rows = [*((one, "a trigger" if one.accused else "not told from ordinary words") for one in found.held)]
    rows += [(one, "ordinary words") for one in found.ordinary]
    body = [
        [
            preformatted(short(one.words)),
            one.place,
            interval(one.felled),
            "" if one.of_left is None else interval(one.of_left),
            what,
        ]
        for one, what in rows
    ]
    head = ["Words", "Put", "Attacks that become benign [95 %]", "Of what ordinary words leave [95 %]", "What they are"]
    caption = f"On {found.verified:,} attacks that chose nothing"
    shown = [table(caption, head, body, left=(0, 1, 4))] if body else []
    yield Section("Words that make any attack benign", many([paragraph(found.sentences()[0]), *shown]))


def _cases(report: AttackReport) -> Iterator[Section]:
    for family, drawn in edits_by_family([case for case in report.cases if case.model == QUANTIZED]):
        yield Section(f"Edits: {short(family)}", drawn)
