"""The comparison strip: full → distilled → distilled + INT8 → linear baseline, and who wins what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from overproof.bundle.model_names import BASELINE, FORMER_NAMES, QUANTIZED
from overproof.report.layout import aligned, markdown
from overproof.results.metrics import Metrics, Share

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """One model of the strip; None is "not measured", and `note` says why.

    Attributes
    ----------
    parameters, bytes
        Size; `bytes` on disk.
    p50_ms, p99_ms
        Time for one event, one thread.
    events_per_second
        In batches, one thread.
    note
        What a reader must know of this row, among it the reason for what is None.
    """

    name: str
    parameters: int | None
    bytes: int | None
    p50_ms: float | None
    p99_ms: float | None
    events_per_second: float | None
    metrics: Metrics | None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its title, the value of a row, how it is written, and which direction is better."""

    title: str
    value: Callable[[Row], float | None]
    text: Callable[[float], str]
    smaller_wins: bool
    reason: str = "not timed"


def _of(name: str) -> Callable[[Row], float | None]:
    """The value of a metric, None for a row without metrics."""

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
    Column("accuracy", _of("accuracy"), _percent, False, "no labelled test events"),
    Column("macro-F1", _of("macro_f1"), "{:.4f}".format, False, "no class has enough test events"),
    Column("FN", _of("fn_rate"), _percent, True, "no labelled attacks, or no benign class"),
    Column("FP", _of("fp_rate"), _percent, True, "no labelled benign events, or no benign class"),
    Column("agreement", _of("agreement"), _percent, False, "no teacher verdicts on the test events"),
)
DECISIVE = ("accuracy", "macro-F1", "FN")


@dataclass(frozen=True)
class Comparison:
    """The strip's rows, measured on the same `test_rows` events."""

    rows: tuple[Row, ...]
    test_rows: int

    def row(self, name: str) -> Row | None:
        """The row of that name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists; `from_json` reads it back."""
        return {"test_rows": self.test_rows, "rows": [asdict(row) for row in self.rows]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        """Read what `to_json` gave; KeyError or TypeError if it is something else."""
        rows = tuple(_row_from_json(row) for row in data["rows"])
        return cls(
            tuple(replace(row, name=FORMER_NAMES.get(row.name, row.name)) for row in rows), int(data["test_rows"])
        )

    def render(self) -> str:
        """Aligned plain text: the strip, recall by family, what was not measured, and who wins."""
        parts = [aligned(table) for table in self._tables()]
        parts += ["\n".join(lines) for lines in (self._footnotes(), self.verdict_in_words()) if lines]
        return "\n\n".join(parts) + "\n"

    def to_markdown(self) -> str:
        """The same as Markdown."""
        parts = [markdown(table) for table in self._tables()]
        parts += ["\n".join(f"- {line}" for line in lines) for lines in (self._footnotes(), self.verdict_in_words())]
        return "\n\n".join(part for part in parts if part) + "\n"

    def winners(self) -> dict[str, tuple[str, ...]]:
        """Column title to the row or rows (of the QUANTIZED student and the baseline) with the better value.

        Columns that one of the two was not measured in are left out, and so is the agreement.
        """
        student, rival = self.row(QUANTIZED), self.row(BASELINE)
        won: dict[str, tuple[str, ...]] = {}
        for column in COLUMNS[:-1]:
            a = None if student is None else column.value(student)
            b = None if rival is None else column.value(rival)
            if a is None or b is None:
                continue
            won[column.title] = (
                (QUANTIZED, BASELINE) if a == b else (QUANTIZED,) if (a < b) == column.smaller_wins else (BASELINE,)
            )
        return won

    def verdict_in_words(self) -> list[str]:
        """Sentences that say whether the baseline beats the quantized student, and who wins which column."""
        won = self.winners()
        if not won:
            return ["Who wins, the quantized student or the linear baseline, was not measured."]
        lost = [title for title in DECISIVE if won.get(title) == (BASELINE,)]
        if lost:
            first = (
                f"The linear baseline beats {QUANTIZED} in {self._against(lost, BASELINE, QUANTIZED)}: "
                "there the linear model is the better choice."
            )
        else:
            gained = [title for title in DECISIVE if won.get(title) == (QUANTIZED,)]
            first = (
                f"{QUANTIZED} beats the linear baseline in {self._against(gained, QUANTIZED, BASELINE)}."
                if gained
                else f"The linear baseline is as good as {QUANTIZED}: there is no reason to deploy the student."
            )
        lines = [first]
        for winners, verb in (((QUANTIZED,), "wins"), ((BASELINE,), "wins"), ((QUANTIZED, BASELINE), "tie in")):
            titles = [title for title, names in won.items() if names == winners]
            if titles:
                lines.append(f"{' and '.join(winners)} {verb}: {', '.join(titles)}.")
        return lines

    def _against(self, titles: Sequence[str], winner: str, loser: str) -> str:
        a, b = self.row(winner), self.row(loser)
        columns = [column for column in COLUMNS if column.title in titles]
        return ", ".join(f"{c.title} ({_cell(c, a)} against {_cell(c, b)})" for c in columns)

    def _tables(self) -> list[list[list[str]]]:
        """The strip, and the recall table if any row has families; the first line of each is its head."""
        strip = [["", *(column.title for column in COLUMNS)]]
        strip += [[row.name, *(_cell(column, row) for column in COLUMNS)] for row in self.rows]
        missed, _ = self._families()
        if not missed:
            return [strip]
        measured = [row for row in self.rows if row.metrics is not None]
        recall = [["recall by family", *(row.name for row in measured)]]
        recall += [[name, *(_recall(row, name) for row in measured)] for name in missed]
        return [strip, recall]

    def _families(self) -> tuple[list[str], list[str]]:
        """Families of which some model got an event wrong: a row each; and the others, with their count: one line."""
        measured = [row.metrics for row in self.rows if row.metrics is not None]
        shares = [share for metrics in measured for share in metrics.families.items()]
        missed = {name for name, share in shares if share.k < share.n}
        return sorted(missed), sorted({f"{name} ({share.k}/{share.n})" for name, share in shares if name not in missed})

    def _footnotes(self) -> list[str]:
        """How many events it was measured on, every row's note, and a reason for every gap."""
        notes = [
            f"Measured on {self.test_rows:,} test events; {_support(self.rows)}FN: attacks called benign, "
            "FP: benign called attack."
        ]
        _, caught = self._families()
        if caught:
            notes.append(f"Every model got every event right of: {', '.join(caught)}.")
        for row in self.rows:
            gaps: dict[str, list[str]] = {}
            for column in COLUMNS:
                if column.value(row) is None:
                    gaps.setdefault(row.note or column.reason, []).append(column.title)
            notes += [f"{row.name}: {NOT_MEASURED}: {', '.join(titles)} ({why})" for why, titles in gaps.items()]
            if row.note and not gaps:
                notes.append(f"{row.name}: {row.note}")
        return notes


def _support(rows: Sequence[Row]) -> str:
    least = [row.metrics.min_support for row in rows if row.metrics is not None]
    return f"macro-F1 over classes with {least[0]} or more of them; " if least else ""


def _cell(column: Column, row: Row | None) -> str:
    value = None if row is None else column.value(row)
    return NOT_MEASURED if value is None else column.text(value)


def _recall(row: Row, family: str) -> str:
    share = None if row.metrics is None else row.metrics.families.get(family)
    if share is None or share.rate is None:
        return NOT_MEASURED
    return f"{100 * share.rate:.1f} % ({share.k}/{share.n})"


def _row_from_json(data: Mapping[str, Any]) -> Row:
    metrics = data["metrics"]
    if metrics is not None:
        shares = {name: Share(**metrics[name]) for name in ("correct", "missed", "flagged", "agreed")}
        families = {name: Share(**share) for name, share in metrics["families"].items()}
        metrics = Metrics(**{**metrics, **shares, "families": families})
    return Row(**{**data, "metrics": metrics})
