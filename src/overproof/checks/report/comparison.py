"""The strip as it stands in check.json: its rows, their figures as words, and why some are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overproof.report import words
from overproof.report.reading import at, number, rows
from overproof.results import Comparison


@dataclass(frozen=True)
class Measure:
    """One figure of a row: its title, where it stands, how it is written, and why it may be missing.

    Attributes
    ----------
    share
        Whether it stands there as `{"k", "n"}`.
    """

    title: str
    place: tuple[str, ...]
    text: Callable[[float], str]
    reason: str
    share: bool = False

    def of(self, row: Mapping[str, Any]) -> float | None:
        """The figure, or None."""
        found = at(row, *self.place)
        if not self.share:
            return number(found)
        k, n = number(at(found, "k")), number(at(found, "n"))
        return None if k is None or not n else k / n

    def message(self, row: Mapping[str, Any]) -> str:
        """The figure in words."""
        return words.figure(self.of(row), self.text)


MEASURES = (
    Measure("parameters", ("parameters",), words.count, "unknown to us"),
    Measure("bytes", ("bytes",), words.size, "unknown to us"),
    Measure("p50", ("p50_ms",), words.milliseconds, "not timed"),
    Measure("p99", ("p99_ms",), words.milliseconds, "fewer than 100 calls were timed"),
    Measure("events a second", ("events_per_second",), words.count, "not timed"),
    Measure("accuracy", ("metrics", "correct"), words.percent, "no labelled events", True),
    Measure("macro-F1", ("metrics", "macro_f1"), words.decimal, "no class has enough events"),
    Measure("attacks missed", ("metrics", "missed"), words.percent, "no labelled attacks, or no benign class", True),
    Measure("benign flagged", ("metrics", "flagged"), words.percent, "no labelled benign events", True),
    Measure("agrees with full", ("metrics", "agreed"), words.percent, "no verdicts of the full model", True),
)
SHORT = tuple(m for m in MEASURES if m.title in ("bytes", "p50", "accuracy", "attacks missed", "benign flagged"))


def strip_rows(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The models of the strip."""
    return rows(at(data, "strip", "rows"))


def notes(strip: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must be known of a row, and a reason for every gap in it."""
    told = []
    for row in strip:
        note, title = words.short(row.get("note"), 300), words.short(row.get("name"))
        gaps: dict[str, list[str]] = {}
        for measure in MEASURES:
            if measure.of(row) is None:
                gaps.setdefault(note or measure.reason, []).append(measure.title)
        told += [f"{title}: {words.NOT_MEASURED}: {', '.join(titles)} ({why})" for why, titles in gaps.items()]
        if note and not gaps:
            told.append(f"{title}: {note}")
    return told


def who_wins(data: Mapping[str, Any]) -> list[str]:
    """Whether the linear model beats the quantized student, in sentences; nothing where that cannot be read."""
    try:
        return Comparison.from_json(data["strip"]).verdict_in_words()
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
