"""The red team's step in a real browser: an event is edited, and what the page computes is numpy's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from overproof.bundle.scores import attack_of, softmax
from overproof.lesson import Lesson, walk
from overproof.lesson.grid_edits import GridEdit
from overproof.lesson.miniature import BENIGN, trigrams
from overproof.lesson.page import write_page
from overproof.quantization.affine import Scheme, dequantize, fit, quantize

if TYPE_CHECKING:
    from .conftest import Browser

pytestmark = pytest.mark.slow

TEXTS = ("", "a", "GET /ä€\N{GRINNING FACE} ' or 1=1 --", "aaaaaaaaaaaa", "$^$^$", "HTTP GET / host=a.test\nb\tc")


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return walk()


@pytest.fixture(scope="module")
def html(lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "lesson.html"
    write_page(lesson, path)
    return path


def rounded(lesson: Lesson, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The integers of the weights, and what they stand for."""
    grid = fit(lesson.small.weights, Scheme(bits=bits, symmetric=True, signed=True), axis=1)
    q = quantize(lesson.small.weights, grid)
    return q, dequantize(q, grid)


def attack(lesson: Lesson, text: str, weights: np.ndarray) -> float:
    p = softmax(trigrams([text]) @ weights)
    return float(attack_of(p, [name == BENIGN for name in lesson.small.classes])[0])


def assert_judged(browser: Browser, lesson: Lesson, text: str, bits: int) -> None:
    """What the page shows of a text is what numpy makes of it."""
    told = browser.numbers()
    shown = [told["attack-fp32"], told["attack-int"]]
    exact, coarse = attack(lesson, text, lesson.small.weights), attack(lesson, text, rounded(lesson, bits)[1])
    assert shown == pytest.approx([exact, coarse], abs=2e-6)
    verdicts = ["attack" if p > 0.5 else "benign" for p in (exact, coarse)]
    assert [browser.text("verdict-fp32"), browser.text("verdict-int")] == verdicts
    says = browser.text("edit-says")
    assert says.startswith("They agree" if verdicts[0] == verdicts[1] else "They disagree")


def typed(browser: Browser, text: str, *, at: int) -> None:
    """Put the cursor somewhere in the event, and type."""
    browser.focus("edit-text")
    browser.run(f"document.getElementById('edit-text').setSelectionRange({at}, {at})")
    browser.call("Input.insertText", text=text)


def first(lesson: Lesson) -> GridEdit:
    return lesson.user_data.grid_edits.shown[0]


def test_the_page_opens_on_an_edit_that_int8_misses(browser: Browser, lesson: Lesson, html: Path) -> None:
    browser.open(html)
    edit = first(lesson)
    assert browser.run("document.getElementById('edit-text').value") == edit.edited
    assert browser.text("edit-bits-value") == str(edit.bits) == "8"
    assert browser.text("edit-says") == "They disagree: FP32 says attack, INT8 says benign."
    assert_judged(browser, lesson, edit.edited, edit.bits)
    browser.focus("edit-event")
    browser.press("ArrowUp")
    assert browser.text("edit-says") == "They agree: attack."
    assert_judged(browser, lesson, edit.original, edit.bits)


def test_every_edit_that_is_offered_parts_them(browser: Browser, lesson: Lesson, html: Path) -> None:
    browser.open(html)
    browser.focus("edit-event")
    for k, edit in enumerate(lesson.user_data.grid_edits.shown):
        browser.press("ArrowDown", 2 if k else 0)
        assert browser.run("document.getElementById('edit-text').value") == edit.edited
        assert browser.text("edit-says") == f"They disagree: FP32 says attack, INT{edit.bits} says benign."
        assert_judged(browser, lesson, edit.edited, edit.bits)


def test_the_reader_types_and_both_answer(browser: Browser, lesson: Lesson, html: Path) -> None:
    browser.open(html)
    text = first(lesson).edited
    typed(browser, "ä' or 1=1 --", at=9)
    text = f"{text[:9]}ä' or 1=1 --{text[9:]}"
    assert browser.run("document.getElementById('edit-text').value") == text
    assert_judged(browser, lesson, text, 8)
    for bits in range(2, 9):
        browser.slide("edit-bits", bits - 2)
        assert browser.text("edit-rounded") == f"INT{bits}"
        assert_judged(browser, lesson, text, bits)


@pytest.mark.parametrize("text", TEXTS, ids=["empty", "letter", "unicode", "repeated", "markers", "lines"])
def test_trigrams_are_numpys(browser: Browser, html: Path, text: str) -> None:
    browser.open(html)
    found = browser.run(f"trigrams({json.dumps(text)}).map(g => [g.bucket, g.x])")
    (row,) = trigrams([text])
    assert {int(bucket): x for bucket, x in found} == {int(k): float(row[k]) for k in np.flatnonzero(row)}


def test_the_weights_are_rounded_as_numpy_rounds_them(browser: Browser, lesson: Lesson, html: Path) -> None:
    browser.open(html)
    for bits in range(2, 9):
        found = browser.run(f"(q => ({{integers: q.integers, rows: q.rows}}))(rounded({bits}))")
        q, back = rounded(lesson, bits)
        assert found["integers"] == q.tolist()
        assert found["rows"] == back.tolist()


def test_what_rounding_does_to_the_score_is_the_sum_of_what_is_listed(browser: Browser, html: Path) -> None:
    browser.open(html)
    shown = browser.numbers()
    for kind in ("full", "moved"):
        parts = [shown[f"{kind}-{k}"] for k in (*range(8), "rest")]
        assert sum(parts) == pytest.approx(shown[f"{kind}-sum"], abs=1e-9)  # type: ignore[arg-type]
    moved = [abs(shown[f"moved-{k}"] or 0) for k in range(8)]
    assert moved == sorted(moved, reverse=True)


def test_the_border_lies_between_the_two_marks(browser: Browser, html: Path) -> None:
    browser.open(html)
    middle = "(e => { const b = e.getBBox(); return b.x + b.width / 2; })(document.getElementById('%s'))"
    zero = browser.run("Number(document.querySelector('#border line.ink').getAttribute('x1'))")
    assert browser.run(middle % "mark-int") < zero < browser.run(middle % "mark-fp32")
    browser.focus("edit-event")
    browser.press("ArrowUp")
    assert zero < browser.run(middle % "mark-int") < browser.run(middle % "mark-fp32")


def test_what_is_typed_stays_text(browser: Browser, html: Path) -> None:
    browser.open(html)
    typed(browser, "<img src=x onerror='window.owned = 1'>", at=0)
    assert browser.run("window.owned") is None
    assert browser.run("document.querySelectorAll('img').length") == 0
