"""Compare the models on the same events: full → distilled → distilled + INT8 → linear baseline, and who wins what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from overproof.bundle.manifest import COMPARISON, Bundle
from overproof.bundle.model_names import FORMER_NAMES
from overproof.report.layout import aligned, markdown
from overproof.report.not_measured import NotMeasured
from overproof.results.comparison import at_rates, text
from overproof.results.comparison.row import Row
from overproof.results.operating_points import FORMER, Counted, OperatingPoints
from overproof.results.stored import read_from
from overproof.results.typed_json import from_json, to_json


@dataclass(frozen=True)
class Comparison:
    """The models, measured on the same events.

    Attributes
    ----------
    rows
        One for each model.
    test_rows
        How many events they were measured on.
    operating_points
        What each misses at the same false-positive rates, behind thresholds from validation events.
    """

    rows: tuple[Row, ...]
    test_rows: int
    operating_points: OperatingPoints | NotMeasured = FORMER

    def row(self, name: str) -> Row | None:
        """Return the row of that name, or None."""
        return text.row_named(self.rows, name)

    def missed_at(self, name: str, rate: float) -> Counted | None:
        """Return the attacks that a model misses at a false-positive rate; None where that was not measured."""
        points = self.operating_points
        point = None if isinstance(points, NotMeasured) else points.point(name, rate)
        return None if point is None or isinstance(point.missed, NotMeasured) else point.missed

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists; `from_json` reads it back."""
        return {
            "test_rows": self.test_rows,
            "rows": [asdict(row) for row in self.rows],
            "operating_points": to_json(self.operating_points),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        """Read what `to_json` gave; ValueError if it is something else."""
        found = from_json(cls, data)
        return replace(found, rows=tuple(replace(row, name=FORMER_NAMES.get(row.name, row.name)) for row in found.rows))

    @classmethod
    def of(cls, bundle: Bundle) -> Comparison:
        """Read the comparison that an open bundle holds; BundleError where it cannot be read."""
        return read_from(bundle, COMPARISON, cls.from_json)

    def render(self) -> str:
        """Write aligned plain text: the models, recall by family, equal false positives, gaps, and who wins."""
        parts = [aligned(table) for table in self._tables()]
        parts += ["\n".join(lines) for lines in (self._footnotes(), self.verdict_in_words()) if lines]
        return "\n\n".join(parts) + "\n"

    def to_markdown(self) -> str:
        """Write the same as Markdown."""
        parts = [markdown(table) for table in self._tables()]
        parts += ["\n".join(f"- {line}" for line in lines) for lines in (self._footnotes(), self.verdict_in_words())]
        return "\n\n".join(part for part in parts if part) + "\n"

    def winners(self) -> text.Winners:
        """Return for each column of size and speed the row or rows with the better value (see `text.winners`)."""
        return text.winners(self.rows)

    def verdict_in_words(self) -> list[str]:
        """Say whether the baseline beats the quantized student at equal false positives, and who is smaller, faster."""
        return text.verdict_in_words(self.rows, self.operating_points)

    def _tables(self) -> list[text.Cells]:
        return [*text.tables(self.rows), *at_rates.tables(self.operating_points)]

    def _footnotes(self) -> list[str]:
        return [*text.footnotes(self.rows, self.test_rows), *at_rates.footnotes(self.operating_points)]
