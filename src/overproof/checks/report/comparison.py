"""Write the comparison of the models in words: its figures, and why some are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from overproof.report import words
from overproof.results import Row, Share

# The figures that are shares: what they are counted by.
COUNTED = {"accuracy": "correct", "attacks missed": "missed", "benign flagged": "flagged", "agrees with full": "agreed"}


@dataclass(frozen=True)
class Measure:
    """One figure of a row: its title, its value, how it is written, and why it may be missing.

    Attributes
    ----------
    title
        Its heading.
    of
        Reads it from a row; None where it was not measured.
    text
        Writes it.
    reason
        Why it may be missing.
    """

    title: str
    of: Callable[[Row], float | None]
    text: Callable[[float], str]
    reason: str

    def counted(self, row: Row) -> Share | None:
        """Return the counts that a share is of; None for other figures."""
        found: Share | None = None if row.metrics is None else getattr(row.metrics, COUNTED.get(self.title, ""), None)
        return found

    def words(self, row: Row) -> str:
        """Write the figure of a row."""
        return words.figure(self.of(row), self.text)


def _metric(name: str) -> Callable[[Row], float | None]:
    """Return what reads a metric of a row."""

    def value(row: Row) -> float | None:
        found: float | None = None if row.metrics is None else getattr(row.metrics, name)
        return found

    return value


MEASURES = (
    Measure("parameters", lambda row: row.parameters, words.count, "unknown to us"),
    Measure("bytes", lambda row: row.bytes, words.size, "unknown to us"),
    Measure("p50", lambda row: row.p50_ms, words.milliseconds, "not timed"),
    Measure("p99", lambda row: row.p99_ms, words.milliseconds, "fewer than 100 calls were timed"),
    Measure("events a second", lambda row: row.events_per_second, words.count, "not timed"),
    Measure("accuracy", _metric("accuracy"), words.percent, "no labelled events"),
    Measure("macro-F1", _metric("macro_f1"), words.decimal, "no class has enough events"),
    Measure("attacks missed", _metric("fn_rate"), words.percent, "no labelled attacks, or no benign class"),
    Measure("benign flagged", _metric("fp_rate"), words.percent, "no labelled benign events"),
    Measure("agrees with full", _metric("agreement"), words.percent, "no verdicts of the full model"),
)
SHORT = tuple(m for m in MEASURES if m.title in ("bytes", "p50", "accuracy", "attacks missed", "benign flagged"))


def notes(rows: Sequence[Row]) -> list[str]:
    """List what must be known of a row, and a reason for every gap in it."""
    lines = []
    for row in rows:
        note, title = words.short(row.note, 300), words.short(row.name)
        gaps: dict[str, list[str]] = {}
        for measure in MEASURES:
            if measure.of(row) is None:
                gaps.setdefault(note or measure.reason, []).append(measure.title)
        lines += [f"{title}: {words.NOT_MEASURED}: {', '.join(titles)} ({why})" for why, titles in gaps.items()]
        if note and not gaps:
            lines.append(f"{title}: {note}")
    return lines
