"""Draw the section: what falls, whose fault it is, and the edits that do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overproof.checks.attacked import AttackSettings, FloodMix
from overproof.checks.pairs import Share
from overproof.checks.redteam.result import Attacks, Exclusive, Falls, RedTeam
from overproof.report import words
from overproof.report.markup import Html, details, many, model, name, paragraph, part, table
from overproof.report.words import count, interval, percent
from overproof.results.attack_cases import Case
from overproof.results.attack_edits import edits_by_family


def section(data: RedTeam) -> Html:
    """Draw what falls to each attack, by family, beyond the control and under flood, and the edits."""
    return part("Attacked", data.attacks, lambda found: _attacks(data.settings, found))


def _attacks(settings: AttackSettings, found: Attacks) -> Html:
    how = (
        f"At most {count(settings.sample)} attacks and as many benign events, evenly over the families, edited within "
        f"{count(settings.queries)} queries each."
    )
    threshold = (
        "The cascade (bypass, flood) has the bundle's own thresholds, since none was found."
        if found.threshold is None
        else f"The cascade (bypass, flood) passes on what lies below a confidence of {found.threshold:.4f}."
    )
    left_out = [f"Not attacked: {count(n)} ({words.short(why)})." for why, n in found.left_out.items()]
    return many(
        [
            *(paragraph(line, "small") for line in (f"{how} {threshold}", *left_out)),
            part("What falls", found.falls, _falls),
            part("Beyond the control", found.exclusive, _exclusive),
            part("Past the whole cascade", found.past_cascade, _past),
            part("Flooded", found.flood, _flood),
            part("The edits", found.cases, _edits),
        ]
    )


def _falls(falls: Sequence[Falls]) -> Html:
    if not falls:
        return paragraph("No event was attacked.", "quiet")
    wants = {one.objective: one.wants for one in falls}
    head = ["Attack", "Against", "Events", "Fall [95 %]"]
    body = [
        [
            one.objective,
            model(one.model),
            count(one.of.n),
            _share(one.of),
        ]
        for one in falls
    ]
    shown = table("Events with an edited text that does it, its meaning proved", head, body, left=(0, 1))
    lines = [paragraph(f"{objective}: {sentence}.", "small") for objective, sentence in wants.items()]
    return many([shown, *lines, *(_families(objective, falls) for objective in wants)])


def _families(objective: str, falls: Sequence[Falls]) -> Html:
    some = [one for one in falls if one.objective == objective]
    families = sorted({family for one in some for family in one.families})
    body = [[name(family), *(_share(one.families.get(family)) for one in some)] for family in families]
    head = ["Family", *(words.short(one.model) for one in some)]
    return details(f"{objective}, by family", table(f"Falls to {objective}, by family [95 %]", head, body))


def _share(found: Share | None) -> str:
    return words.NOT_MEASURED if found is None else f"{found.k:,}/{found.n:,}: {interval(found.share)}"


def _exclusive(found: Exclusive) -> Html:
    return paragraph(
        f"Of {count(found.n)} attacks {found.bundle_only:,} fall in the bundle alone, {found.control_only:,} in the "
        f"control alone, {found.both:,} in both: {interval(found.excess)} is what compression is to blame for."
    )


def _past(found: Share) -> Html:
    return paragraph(f"The student alone is fooled, and the full model would not have been: {_share(found)}.")


def _flood(mixes: Sequence[FloodMix]) -> Html:
    head = ["Hostile", "Events", "Over the budget", "Benign", "Decided otherwise", "Deferred", "Without a flood"]
    body = [
        [
            percent(mix.hostile_share),
            *map(count, (mix.events, mix.over, mix.benign, mix.changed, mix.deferred, mix.deferred_before)),
        ]
        for mix in mixes
    ]
    return table("The cascade with its budget, replayed among hostile events", head, body)


def _edits(cases: Sequence[Case]) -> Html:
    if not cases:
        return paragraph("None: nothing that was tried got past the bundle.", "quiet")
    against: Mapping[str, list[Case]] = {
        objective: [case for case in cases if case.objective == objective]
        for objective in dict.fromkeys(case.objective for case in cases)
    }
    return many(
        details(f"{objective}, {words.short(family)}", drawn)
        for objective, some in against.items()
        for family, drawn in edits_by_family(some)
    )
