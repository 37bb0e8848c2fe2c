"""Define the columns of a comparison: the value of a row, how it is written, and which direction is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from overproof.results.comparison.row import Row

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Column:
    """One column: its title, the value of a row, how it is written, and which direction is better.

    Attributes
    ----------
    reason
        Why a value may be missing, where the row's note does not say.
    """

    title: str
    value: Callable[[Row], float | None]
    text: Callable[[float], str]
    smaller_wins: bool
    reason: str = "not timed"

    def cell(self, row: Row | None) -> str:
        """Write the value of a row."""
        value = None if row is None else self.value(row)
        return NOT_MEASURED if value is None else self.text(value)


def _metric(name: str) -> Callable[[Row], float | None]:
    def value(row: Row) -> float | None:
        found: float | None = None if row.metrics is None else getattr(row.metrics, name)
        return found

    return value


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _milliseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


COLUMNS = (
    Column("parameters", lambda row: row.parameters, _count, True, "unknown to us"),
    Column("bytes", lambda row: row.bytes, _count, True, "unknown to us"),
    Column("p50 ms", lambda row: row.p50_ms, _milliseconds, True),
    Column("p99 ms", lambda row: row.p99_ms, _milliseconds, True, "fewer than 100 calls were timed"),
    Column("events/s", lambda row: row.events_per_second, _count, False),
    Column("accuracy", _metric("accuracy"), _percent, False, "no labelled test events"),
    Column("macro-F1", _metric("macro_f1"), "{:.4f}".format, False, "no class has enough test events"),
    Column("FN", _metric("fn_rate"), _percent, True, "no labelled attacks, or no benign class"),
    Column("FP", _metric("fp_rate"), _percent, True, "no labelled benign events, or no benign class"),
    Column("agreement", _metric("agreement"), _percent, False, "no teacher verdicts on the test events"),
)
SIZE_AND_SPEED = COLUMNS[:5]  # what is better without an interval
