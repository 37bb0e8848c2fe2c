"""Draw the edits that an attack found, by family, the fewest first; what was added and taken out is marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from overproof.report.difference import difference
from overproof.report.markup import Html, details, many, paragraph, preformatted, safe
from overproof.report.words import percent, short
from overproof.results.attack_cases import Case, unlike

SHOWN = 20  # cases of a family, one of each template; attack.jsonl has them all


def edits_by_family(cases: Sequence[Case]) -> Iterator[tuple[str, Html]]:
    """Yield each family with its cases, drawn."""
    for family in sorted({case.family for case in cases}):
        of = [case for case in cases if case.family == family]
        apart = unlike(of)
        shown = apart[:SHOWN]
        more = f"{len(of):,} successes, {len(apart):,} unlike each other; the {len(shown):,} shortest."
        yield family, many([paragraph(more if len(of) > 1 else "One success.", "quiet"), *map(_case, shown)])


def _case(case: Case) -> Html:
    full = "" if case.full is None else f"; the full model says {percent(case.full)} attack"
    edits = "one edit" if len(case.steps) == 1 else f"{len(case.steps)} edits"
    found = f"{case.objective}, {edits}: {', '.join(case.edits)}. {case.queries:,} queries{full}"
    return many(
        [
            preformatted(difference(case.original, case.edited)),
            paragraph(f"{found}. {case.how} ({case.meaning}).", "small"),
            details("The original", preformatted(safe(case.original)), paragraph(short(case.origin), "small")),
        ]
    )
