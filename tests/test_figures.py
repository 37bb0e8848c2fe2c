"""Every figure in the README and the documents is a setting of the code, or stands in a table that bench/ wrote."""

from __future__ import annotations

import inspect
import math
import re
from importlib import import_module
from pathlib import Path

import pytest

from overproof.checks.stats import clopper_pearson

ELSEWHERE = {
    "benchmarks.md": "its tables are written by bench/, and the text around them is about these",
    "log.md": "of what was tried when it was tried",
    "changelog.md": "of releases",
    "tutorial-errata.md": "of somebody else's tutorial, held by tests/lesson",
    "cli.md": "written from --help",
    "check-schema.md": "written from the types",
    "verdict-schema.md": "of a format, held by tests/inference",
    "guide/limits.md": "held by tests/test_limits.py",
}
UNITS = r"(?: ?(?:%|ms|µs|s|KB|MB|GB)(?!\w)| (?:events|times|bytes|seconds|minutes)\b)"
FIGURE = re.compile(rf"(?<![\w.])\d[\d.,]*{UNITS}")
TABLE = re.compile(r"<!-- bench: ([\w-]+) -->\n(.*?)<!-- end -->", re.DOTALL)
EVERYWHERE = {
    "95 %": "overproof.checks.base.CONFIDENCE",
    "0.1 %": "overproof.results.operating_points.RATES[0]",
    "0.5 %": "overproof.results.operating_points.RATES[1]",
    "1 %": "overproof.results.operating_points.RATES[2]",
}
SETTINGS = {
    ("explanation/how-to-read-an-interval.md", "0.2 %"): "a limit that is supposed",
    ("explanation/how-to-read-an-interval.md", "0.00 %"): "tested below",
    ("explanation/how-to-read-an-interval.md", "0.25 %"): "tested below",
    ("guide/check.md", "200 events"): "overproof.checks.boundary.compute.NEAREST",
    ("guide/events.md", "300 seconds"): "overproof.events.labelling.match.WINDOW",
    ("guide/feedback.md", "30 %"): "overproof.cli.feedback.run(check_share)",
    ("guide/quantize.md", "90 %"): "log-odds overproof.jobs.quantize_audit.SURE",
    ("guide/triage.md", "5 %"): "overproof.inference.cascade.thresholds.BUDGET",
    ("guide/triage.md", "60 %"): "overproof.inference.cascade.budget.RESERVED[doubt]",
    ("guide/triage.md", "20 %"): "overproof.inference.cascade.budget.RESERVED[ood]",
    ("guide/triage.md", "2,000 events"): "overproof.inference.cascade.budget.RESERVE_EVENTS",
    ("guide/triage.md", "30 seconds"): "overproof.inference.cascade.guard.CALL_SECONDS",
    ("guide/triage.md", "32 events"): "overproof.inference.cascade.guard.TEXTS_PER_CALL",
    ("guide/triage.md", "20 seconds"): "overproof.inference.service.limits.Limits.full_seconds",
    ("guide/triage.md", "10 seconds"): "overproof.inference.service.limits.Limits.header_seconds",
    ("guide/triage.md", "15 s"): "overproof.inference.service.limits.Limits.idle_seconds",
    ("guide/triage.md", "2,048 events"): "overproof.checks.escalation.replay.BATCH",
    ("how-to/put-a-fast-student-first.md", "0.5 %"): "overproof.jobs.config.CheckSettings.margin",
    ("how-to/put-a-fast-student-first.md", "0.1 %"): "overproof.jobs.join.join(max_flagged)",
}
MEASURED = {  # page and figure: the table, and what stands in it; several are counts, of which it is the share
    ("guide/compress.md", "1.1 MB"): ("headline", ["1,054,300"]),
    ("guide/triage.md", "76 %"): ("neighbours", ["197 of 260"]),
    ("guide/triage.md", "6.5 %"): ("neighbours", ["17 of 260"]),
    ("guide/triage.md", "3.8 %"): ("neighbours", ["17 of 260", "2 of 256", "10 of 255"]),
}


def pages(root: Path) -> dict[str, str]:
    """The prose of each page: no code, and no table of bench/."""
    docs = root / "docs"
    found = {str(page.relative_to(docs)): page.read_text() for page in sorted(docs.rglob("*.md"))}
    found = {name: text for name, text in found.items() if name not in ELSEWHERE and "decisions/" not in name}
    found["README.md"] = TABLE.sub("", (root / "README.md").read_text())
    return {name: re.sub(r"```.*?^ *```|`[^`\n]*`", "", text, flags=re.S | re.M) for name, text in found.items()}


def tables(root: Path) -> dict[str, str]:
    return dict(TABLE.findall((root / "README.md").read_text() + (root / "docs" / "benchmarks.md").read_text()))


def setting(path: str) -> float:
    """The value of a constant, of one of several, or of a parameter that is not given."""
    if path.startswith("log-odds "):
        return 1 / (1 + math.exp(-setting(path.removeprefix("log-odds "))))
    where, _, key = re.sub(r"[\])]$", "", path).replace("(", "[").partition("[")
    module, _, name = where.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError:
        module, _, owner = module.rpartition(".")
        found = getattr(getattr(import_module(module), owner), name)
    if "(" in path:
        given = inspect.signature(found).parameters[key].default
        return float(given[:-1]) / 100 if isinstance(given, str) else float(given)
    return float(found[int(key) if key.isdigit() else key] if key else found)


def agrees(figure: str, value: float) -> bool:
    """True if the figure is the value, rounded to the digits that it has."""
    digits, unit = re.match(r"([\d.,]*\d) ?(.*)", figure).groups()  # type: ignore[union-attr]
    scale = {"%": 100, "MB": 1e-6}.get(unit, 1)
    return f"{value * scale:.{len(digits.partition('.')[2])}f}" == digits.replace(",", "")


def test_every_figure_is_traced(root: Path) -> None:
    found = {(name, figure) for name, text in pages(root).items() for figure in FIGURE.findall(text)}
    known = SETTINGS.keys() | MEASURED.keys()
    assert {(name, figure) for name, figure in found - known if figure not in EVERYWHERE} == set()
    assert known - found == set(), "no longer on their page"


@pytest.mark.parametrize("figure", EVERYWHERE)
def test_a_figure_that_may_stand_anywhere(figure: str) -> None:
    assert agrees(figure, setting(EVERYWHERE[figure]))


@pytest.mark.parametrize(("page", "figure"), [key for key, path in SETTINGS.items() if "overproof." in path])
def test_a_setting(page: str, figure: str) -> None:
    assert agrees(figure, setting(SETTINGS[page, figure]))


@pytest.mark.parametrize(("page", "figure"), MEASURED)
def test_a_measured_figure(root: Path, page: str, figure: str) -> None:
    name, cells = MEASURED[page, figure]
    table = tables(root)[name]
    assert [cell for cell in cells if cell not in table] == []
    parts = [[float(part.replace(",", "")) for part in cell.split(" of ")] for cell in cells]
    sums = [sum(column) for column in zip(*parts, strict=True)]
    assert agrees(figure, sums[0] / sums[1] if len(sums) > 1 else sums[0])


def test_the_intervals_that_are_explained(root: Path) -> None:
    page = (root / "docs/explanation/how-to-read-an-interval.md").read_text()
    assert "`0.13 % [0.06, 0.25]`" in page and "shares from 0.06 to 0.25 %" in page
    assert "| 0.13 % [0.06, 0.25] |" in tables(root)["headline"]
    low, high = clopper_pearson(0, 100, 0.95).low, clopper_pearson(0, 100, 0.95).high
    assert f"{100 * low:.2f} % [{100 * low:.2f}, {100 * high:.2f}]" in page
    assert round(1 / high) == 28 and "one of twenty-eight" in page
