"""Write a comparison as tables, footnotes and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overproof.bundle.model_names import BASELINE, QUANTIZED
from overproof.report.not_measured import NotMeasured
from overproof.results.comparison import at_rates
from overproof.results.comparison.columns import COLUMNS, NOT_MEASURED, SIZE_AND_SPEED
from overproof.results.comparison.row import Row
from overproof.results.operating_points import OperatingPoints

Winners = Mapping[str, tuple[str, ...]]
Cells = list[list[str]]


def tables(rows: Sequence[Row]) -> list[Cells]:
    """Write the comparison, and the recall by family if a row has families; the first line of each is its head."""
    table = [["", *(column.title for column in COLUMNS)]]
    table += [[row.name, *(column.cell(row) for column in COLUMNS)] for row in rows]
    missed, _ = _families(rows)
    if not missed:
        return [table]
    measured = [row for row in rows if row.metrics is not None]
    recall = [["recall by family", *(row.name for row in measured)]]
    recall += [[name, *(_recall(row, name) for row in measured)] for name in missed]
    return [table, recall]


def footnotes(rows: Sequence[Row], test_rows: int) -> list[str]:
    """Say how many events it was measured on, every row's note, and a reason for every gap."""
    notes = [
        f"Measured on {test_rows:,} test events; {_support(rows)}FN: attacks called benign, FP: benign called attack."
    ]
    _, right = _families(rows)
    if right:
        notes.append(f"Every model got every event right of: {', '.join(right)}.")
    for row in rows:
        gaps: dict[str, list[str]] = {}
        for column in COLUMNS:
            if column.value(row) is None:
                gaps.setdefault(row.note or column.reason, []).append(column.title)
        notes += [f"{row.name}: {NOT_MEASURED}: {', '.join(titles)} ({why})" for why, titles in gaps.items()]
        if row.note and not gaps:
            notes.append(f"{row.name}: {row.note}")
    return notes


def winners(rows: Sequence[Row]) -> Winners:
    """Return for each column of size and speed which of the QUANTIZED student and the baseline is better, or both.

    Columns that one of the two was not measured in are left out. What a model detects is compared by intervals
    (`at_rates`).
    """
    student, baseline = row_named(rows, QUANTIZED), row_named(rows, BASELINE)
    won: dict[str, tuple[str, ...]] = {}
    for column in SIZE_AND_SPEED:
        a = None if student is None else column.value(student)
        b = None if baseline is None else column.value(baseline)
        if a is None or b is None:
            continue
        won[column.title] = (
            (QUANTIZED, BASELINE) if a == b else (QUANTIZED,) if (a < b) == column.smaller_wins else (BASELINE,)
        )
    return won


def verdict_in_words(rows: Sequence[Row], points: OperatingPoints | NotMeasured) -> list[str]:
    """Say whether the baseline beats the quantized student at equal false positives, and who is smaller and faster."""
    first = at_rates.decisive(points)
    others = [line for line in at_rates.in_words(points) if not first.endswith(line.removeprefix("At "))]
    return [first, *others, *size_in_words(rows)]


def size_in_words(rows: Sequence[Row]) -> list[str]:
    """Say which of the quantized student and the baseline is smaller and faster."""
    won, lines = winners(rows), []
    for names, verb in (((QUANTIZED,), "wins"), ((BASELINE,), "wins"), ((QUANTIZED, BASELINE), "tie in")):
        titles = [title for title, found in won.items() if found == names]
        if titles:
            lines.append(f"{' and '.join(names)} {verb}: {', '.join(titles)}.")
    return lines


def row_named(rows: Sequence[Row], name: str) -> Row | None:
    """Return the row of that name, or None."""
    return next((row for row in rows if row.name == name), None)


def _families(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """List the families of which some model got an event wrong: a line each; and the others, with their count."""
    measured = [row.metrics for row in rows if row.metrics is not None]
    shares = [share for metrics in measured for share in metrics.families.items()]
    missed = {name for name, share in shares if share.k < share.n}
    return sorted(missed), sorted({f"{name} ({share.k}/{share.n})" for name, share in shares if name not in missed})


def _support(rows: Sequence[Row]) -> str:
    least = [row.metrics.min_support for row in rows if row.metrics is not None]
    return f"macro-F1 over classes with {least[0]} or more of them; " if least else ""


def _recall(row: Row, family: str) -> str:
    share = None if row.metrics is None else row.metrics.families.get(family)
    if share is None or share.rate is None:
        return NOT_MEASURED
    return f"{100 * share.rate:.1f} % ({share.k}/{share.n})"
