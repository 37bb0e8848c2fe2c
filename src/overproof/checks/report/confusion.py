"""Draw what events are called: a table whose cells are shaded by their share, and the same in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.checks.confusion import Confusion, ConfusionCell, ConfusionRow
from overproof.checks.pairs import Share, share
from overproof.report.markup import Html, details, many, name, paragraph, span, table
from overproof.report.words import count, interval, percent, short

FEW = 4  # labels up to which a cell holds shares and intervals too
UNFOLDED = 2  # labels up to which the table is not folded: on a phone three take a screen
MOST = 16  # rows and columns that are drawn; the others are in check.json
LISTED = 30  # cells that are told in figures
NAMED = 3  # confusions that the sentence names
SHADES = (0.0, 0.01, 0.05, 0.2)  # a wrong label's share of its row from which on it is shaded so much


def confusion(found: Confusion) -> Html:
    """Draw the sentences that sum it up, and the table."""
    drawn = _heat(found, found.rows, "True label")
    parts = [paragraph(text, "small") for text in (_summed_up(found), _beyond_chance(found))]
    unfolded = len(found.labels) <= UNFOLDED
    parts += [drawn] if unfolded else [details(f"What events of {len(found.rows)} labels are called", drawn)]
    if found.families:
        parts.append(
            details(f"What events of {len(found.families)} families are called", _heat(found, found.families, "Family"))
        )
    return many(parts)


def in_figures(found: Confusion) -> Html:
    """List every wrong label, folded, with the differences between the models."""
    return details("Every wrong label in figures", _in_figures(found))


def wrong(rows: Iterable[ConfusionRow]) -> list[tuple[ConfusionRow, ConfusionCell]]:
    """List the cells of labels that are not the true one, those that the student fills most first."""
    found = [(row, cell) for row in rows for cell in row.cells if cell.called not in row.truth]
    return sorted(found, key=lambda pair: (-pair[1].models[QUANTIZED].k, -_full(pair[1]), pair[0].name, pair[1].called))


def _full(cell: ConfusionCell) -> int:
    return cell.models[FULL].k if FULL in cell.models else 0


def _summed_up(found: Confusion) -> str:
    n = sum(row.n for row in found.rows)
    cells = wrong(found.rows)
    models = sorted({model for _, cell in cells for model in cell.models}, reverse=True)
    of = {model: share(sum(cell.models[model].k for _, cell in cells), n) for model in models}
    said = [f"{model} {of[model].k:,} ({interval(of[model].share)})" for model in (QUANTIZED, FULL) if model in of]
    if not said:
        return f"Every label of {count(n)} events is the true one."
    most = [(row, cell) for row, cell in cells if cell.models[QUANTIZED].k][:NAMED]
    named = "; ".join(
        f"{short(row.name, 30)} called {short(cell.called, 30)} {cell.models[QUANTIZED].k:,} of {row.n:,}"
        for row, cell in most
    )
    return f"Of {count(n)} labelled events get another label than the true one: {', '.join(said)}. " + (
        f"Most often by {QUANTIZED}: {named}." if named else ""
    )


def _beyond_chance(found: Confusion) -> str:
    rows = (*found.rows, *found.families)
    cells = [(row, cell) for row in rows for cell in row.cells if cell.difference is not None]
    if not cells:
        return "Without a full model nothing is compared."
    differing = [(row, cell) for row, cell in cells if cell.differs]
    if not differing:
        return f"Nowhere do the two models differ by more than chance, {len(cells):,} shares compared at once."
    named = [f"{short(row.name, 30)} called {short(cell.called, 30)}" for row, cell in differing[:NAMED]]
    more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    of = f"({len(differing):,} of {len(cells):,} shares, compared at once; marked \N{NOT EQUAL TO})"
    return f"The two models differ by more than chance {of}: {', '.join(named)}{more}."


def _heat(found: Confusion, rows: Sequence[ConfusionRow], title: str) -> Html:
    """Draw a table with a column for each label that is given."""
    shown, columns = _shown(rows), _columns(found, _shown(rows))
    few = len(found.labels) <= FEW
    caption = f"Columns are the labels given. First {QUANTIZED}"
    caption += ", then the full model" if few else "; below it the full model, where its count is another"
    caption += "; with 95 % intervals" if few else ""
    if len(shown) < len(rows):
        caption += f". The {len(shown)} of {len(rows)} with most wrong labels"
    body = [_row(row, columns, few=few) for row in shown]
    heads = [span(name(label, 24)) for label in columns]
    return table(caption, [title, *heads], body, kind="heat few" if few else "heat")


def _shown(rows: Sequence[ConfusionRow]) -> list[ConfusionRow]:
    """Leave out rows, where there are many, that hold the fewest wrong labels; the others keep their order."""
    mistaken = Counter({row.name: 0 for row in rows})
    for row, cell in wrong(rows):
        mistaken[row.name] += _most(cell)
    kept = {label for label, _ in mistaken.most_common(MOST)}
    return [row for row in rows if row.name in kept]


def _columns(found: Confusion, rows: Sequence[ConfusionRow]) -> list[str]:
    given: Counter[str] = Counter()
    for row in rows:
        for cell in row.cells:
            given[cell.called] += _most(cell)
    kept = {label for label, _ in given.most_common(MOST)}
    return [label for label in found.labels if label in kept]


def _most(cell: ConfusionCell) -> int:
    return max(share.k for share in cell.models.values())


def _row(row: ConfusionRow, columns: Sequence[str], *, few: bool) -> list[str]:
    cells = {cell.called: cell for cell in row.cells}
    head = span(name(row.name, 30), " ", span(f"{row.n:,}", kind="facts"))
    drawn = [_cell(row, cells[label], few=few) if label in cells else span(kind="none") for label in columns]
    return [head, *drawn]


def _cell(row: ConfusionRow, cell: ConfusionCell, *, few: bool) -> Html:
    student, full = cell.models[QUANTIZED], cell.models.get(FULL)
    parts: list[str] = []
    if cell.differs:
        parts.append(span("\N{NOT EQUAL TO} ", span("differs by more than chance: ", kind="heard"), kind="differs"))
    parts.append(_counted(student, few=few))
    if full is not None and (few or full.k != student.k):
        parts.append(span(span("full: ", kind="" if few else "heard"), _counted(full, few=few), kind="facts"))
    return span(*parts, kind="same" if cell.called in row.truth else f"heat-{_shade(cell)}")


def _counted(found: Share, *, few: bool) -> str:
    return span(f"{found.k:,} ", span(interval(found.share), kind="value")) if few else f"{found.k:,}"


def _shade(cell: ConfusionCell) -> int:
    most = max(found.k / found.n for found in cell.models.values())
    return max(i for i, least in enumerate(SHADES) if most >= least)


def _in_figures(found: Confusion) -> Html:
    """List the wrong labels, the most frequent first."""
    cells = wrong((*found.rows, *found.families))
    body = [
        [
            span(name(row.name, 30), span(f"{row.n:,} events, {row.units:,} independent", kind="facts")),
            name(cell.called, 30),
            *(_figure(cell.models.get(model)) for model in (QUANTIZED, FULL)),
            interval(cell.difference) + (" \N{NOT EQUAL TO}" if cell.differs else ""),
        ]
        for row, cell in cells[:LISTED]
    ]
    caption = "Share of the row's events [95 %]. The difference is paired, in independent units; its intervals "
    caption += f"hold for all shares at once (Bonferroni, {percent(found.confidence)} each)"
    caption += f". The {LISTED} most frequent of {len(cells):,}; the others are in check.json" * (len(cells) > LISTED)
    head = ["True label or family", "Called", QUANTIZED, "full", "Difference"]
    return table(caption, head, body, left=(0, 1), kind="records confused")


def _figure(found: Share | None) -> str:
    return "not measured" if found is None else f"{found.k:,}, {interval(found.share)}"
