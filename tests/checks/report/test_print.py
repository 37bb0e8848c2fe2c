"""The page on paper: A4, nothing cut off, nothing printed over something else, and not too many sheets."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from overproof.checks.report import CheckReport, page

from ...browser import Browser

pytestmark = pytest.mark.slow

A4 = 703  # pixels between the margins of the sheet
# What reaches beyond the sheet, or out of its cell: of a cell it is where its texts and pictures end.
BROAD = """(() => { const found = [];
  const ends = cell => { const range = document.createRange(); range.selectNodeContents(cell);
    const inner = [...cell.querySelectorAll('.heard')].length ? [] : [...range.getClientRects()];
    return [Math.min(...inner.map(r => r.left)), Math.max(...inner.map(r => r.right))]; };
  for (const e of document.querySelectorAll('th, td, table, pre, figure, dl, svg.plot, h1, h2, h3, p, li')) {
    if (!e.checkVisibility() || e.closest('.heard, .heat thead')) continue;
    const place = e.getBoundingClientRect(), [left, right] = e.matches('th, td') ? ends(e) : [place.left, place.right];
    if (place.right > innerWidth + 1 || right > place.right + 1 || left < place.left - 1)
      found.push(`${e.tagName} ${e.className}: ${e.textContent.slice(0, 60)}`);
  } return found; })()"""


@pytest.fixture
def paper(browser: Browser) -> Iterator[Browser]:
    """The browser as it lays out a sheet of A4."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    yield browser
    browser.call("Emulation.setEmulatedMedia", media="")


def laid_out(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=A4, height=1020, deviceScaleFactor=1, mobile=True
    )  # without a scroll bar
    browser.call("Emulation.setEmulatedMedia", media="print")


@pytest.fixture(params=["everything", "measured", "nothing", "sabotaged"])
def drawn(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A page in a file."""
    report: CheckReport = request.getfixturevalue(request.param)
    path = tmp_path / "report.html"
    path.write_text(page(report), "utf-8")
    return path


def test_nothing_is_broader_than_the_paper_or_than_its_cell(paper: Browser, drawn: Path) -> None:
    laid_out(paper, drawn)
    assert paper.run("innerWidth") == A4
    assert paper.run("document.documentElement.scrollWidth") == A4
    assert paper.run(BROAD) == []


def test_a_cell_that_does_not_wrap_would_be_seen(paper: Browser, written: Path) -> None:
    laid_out(paper, written)
    rule = ".records .right, .records td .facts { white-space: nowrap !important }"
    paper.run(f"document.styleSheets[0].insertRule('{rule}', document.styleSheets[0].cssRules.length)")
    assert len(paper.run(BROAD)) > 2


def test_nothing_is_printed_on_every_sheet(paper: Browser, drawn: Path) -> None:
    laid_out(paper, drawn)
    stays = "[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && \
        ['fixed', 'sticky'].includes(getComputedStyle(e).position) && !e.closest('caption')).map(e => e.outerHTML)"
    assert paper.run(stays) == []
    assert paper.run("getComputedStyle(document.querySelector('.contents')).display") == "none"


def test_it_is_printed_on_a4_and_a_sheet_is_filled(paper: Browser, drawn: Path) -> None:
    laid_out(paper, drawn)
    height = paper.run("document.documentElement.scrollHeight")
    content = base64.b64decode(paper.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    sheets = len(re.findall(rb"/Type\s*/Page\b", content))
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox\s*\[([^]]*)\]", content)}
    assert boxes and all(box[2:] == pytest.approx((595, 842), abs=1) for box in boxes)
    assert height / 1020 <= sheets <= 1.35 * height / 1020 + 2  # headings and pictures move on whole


def test_gates_may_part_between_sheets(paper: Browser, drawn: Path) -> None:
    """Their findings once were kept with what follows, so that a long table moved on to the next sheet as a whole."""
    laid_out(paper, drawn)
    kept = "[...document.querySelectorAll('tbody *')].filter(e => getComputedStyle(e).breakAfter === 'avoid').length"
    assert paper.run(kept) == 0
    assert paper.run(
        "[...document.querySelectorAll('.check > h2')].every(e => getComputedStyle(e).breakBefore === 'auto')"
    )
