"""Every share on the page that is an estimate has its interval beside it."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from overproof.checks.report import CheckReport, page

# Columns whose shares are no estimates: what was asked for, limits, findings in sentences, and what these events are.
GIVEN = {
    "Benign flagged at most",  # the rates of a curve's points
    "False positives",
    "False positives aimed at",
    "Budget",
    "Escalated",
    "Share kept",
    "Gate and finding",  # a sentence, with its interval in words
    "Finding",
    "Why",
    "Training events",  # how the events are distributed
    "Validation",
    "These events",
    "Mean confidence",
    "First decides",  # of a curve's points, too
    "Second",
    "Full",
    "Share decided",
}
UNBOUND = "without intervals"  # what a caption says of points of a curve
COUNTED = re.compile(r"\(\d[\d,]*/\d[\d,]*\)")  # a share that has its counts instead
SETTINGS = {"of them attacks", "so that at most so many attacks are missed", "with confidence"}


class Tables(HTMLParser):
    """Reads the tables of a page: caption, heads and rows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[list[str]]]] = []
        self._caption, self._text, self._rows = "", "", []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("caption", "th", "td"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self._text
        elif tag in ("th", "td"):
            self._rows[-1].append(" ".join(self._text.split()))
        elif tag == "table":
            self.found.append((self._caption, self._rows))


def bare(text: str) -> list[tuple[str, str, str]]:
    """The shares in tables that have no interval: caption, head and cell."""
    reader, found = Tables(), []
    reader.feed(text)
    for caption, (heads, *rows) in reader.found:
        for row in rows:
            for head, cell in zip(heads[1:], row[1:], strict=True):
                shares = re.sub(r"limit [\d.,]+ %", "", cell)
                bound = "[" in cell or COUNTED.search(cell) or UNBOUND in caption or row[0] in SETTINGS
                if "%" in shares and not bound and head not in GIVEN:
                    found.append((caption[:60], head, cell))
    return found


@pytest.mark.parametrize("which", ["everything", "measured", "sabotaged"])
def test_a_share_in_a_table_has_an_interval(which: str, request: pytest.FixtureRequest) -> None:
    report: CheckReport = request.getfixturevalue(which)
    assert bare(page(report)) == []


def test_a_share_without_one_would_be_seen() -> None:
    cells = "<tr><th>Model<th>x</tr><tr><td>full</td><td>{}</td></tr>".replace("<th>Model<th>x", "<th>M</th><th>x</th>")
    made = "<table><caption>c</caption>" + cells + "</table>"
    assert bare(made.format("1.00 %")) == [("c", "x", "1.00 %")]
    assert bare(made.format("1.00 % [0.50, 2.00]")) == []


def test_the_models_side_by_side_have_theirs(everything: CheckReport) -> None:
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", page(everything))).split())
    assert "shares with Wilson's 95 % interval; times and macro-F1 have none" in text
    row = next(row for row in everything.comparison.rows if row.name == "full")
    assert row.metrics is not None
    assert f"{100 * row.metrics.missed.k / row.metrics.missed.n:.2f} % [" in text
