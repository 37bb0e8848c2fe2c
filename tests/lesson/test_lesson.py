"""The lesson as text and JSON, on the built-in traffic and on a bundle."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from overproof.bundle.manifest import COMPARISON
from overproof.bundle.model_names import QUANTIZED
from overproof.cli import app
from overproof.errors import BundleError
from overproof.events.simulate import simulate
from overproof.lesson import Lesson, miniature, page, walk
from overproof.lesson.blocks import Table
from overproof.lesson.sections import sections
from overproof.results import Comparison

if TYPE_CHECKING:
    from .conftest import Bundled


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return walk()


def test_every_step_has_its_own_data_beside_it(lesson: Lesson) -> None:
    keys = [section.key for section in lesson.sections]
    assert (
        keys
        == "soft hard temperature loss sizes reading range quantize grid memory redteam errata combined real".split()
    )
    assert [s.key for s in lesson.sections if not s.own] == ["grid", "errata"]
    assert "SIMULATED" in lesson.render()


def test_the_terminal_shows_exact_and_printed(lesson: Lesson) -> None:
    lines = [" ".join(line.split()) for line in lesson.render().splitlines()]
    assert "T = 2 0.140 0.419 0.442 1.443 bits ≠ 0.15 / ≠ 0.40 / ≠ 0.45" in lines
    assert "-0.234 99 ≠ 100 -0.237176 ≠ -0.231 0.003176 0.003 1.357 % ≠ 1.3" in lines
    assert "scale 1.680 / (255 - 0) = 0.006588" in lines
    assert "8 9 5 14 61% 0.0032" in lines


def test_the_drawn_grid_has_a_line_for_every_integer(lesson: Lesson) -> None:
    drawn = next(s for s in lesson.sections if s.key == "grid").blocks[1].text.splitlines()  # type: ignore[union-attr]
    assert drawn[1].count("|") == 7 and drawn[1].count("0") == 1
    assert drawn[0].count("o") == 8  # 0.012 and 0.001 fall together


def test_the_same_seed_gives_the_same_numbers(lesson: Lesson) -> None:
    def numbers(walked: Lesson) -> str:
        points = tuple(replace(point, ms=None) for point in walked.user_data.points)
        return repr(replace(walked.user_data, points=points))

    assert numbers(walk()) == numbers(lesson) != numbers(walk(seed=1))


def test_the_miniature_is_taught_and_quantized() -> None:
    traffic = simulate(600, seed=3)
    small = miniature.miniature(traffic.train)
    texts = traffic.train["text"].to_pylist()
    teacher, student, int8 = (model.judge(texts) for model in (small.full, small.distilled, small.int8))
    agreed = (teacher.argmax(axis=1) == student.argmax(axis=1)).mean()
    assert agreed > 0.6
    assert (student.argmax(axis=1) == int8.argmax(axis=1)).mean() > 0.97
    assert small.full.bytes > 100 * small.distilled.bytes > 300 * small.int8.bytes


def test_json_is_plain_and_complete(lesson: Lesson) -> None:
    data = json.loads(json.dumps(lesson.to_json(), allow_nan=False))
    assert data["quantized"]["quantized"][5] == 99
    assert data["softened"][1]["probabilities"] == pytest.approx([0.1396, 0.4189, 0.4415], abs=1e-4)
    assert {"where", "what", "printed", "exact", "why"} == set(data["errata"][0])


def test_a_bundles_own_figures(bundled: Bundled) -> None:
    mine = walk(bundled.path).user_data
    comparison = Comparison.from_json(bundled.comparison)
    assert [p.name for p in mine.points] == [row.name for row in comparison.rows]
    int8 = next(p for p in mine.points if p.name == QUANTIZED)
    assert (int8.bytes, int8.ms, int8.accuracy) == (1045603, 0.5, 0.75)
    assert mine.parity[0].startswith("FP32 → INT8")
    assert len(mine.boundary[0].classes) == 3


def test_what_a_bundle_does_not_say_is_not_measured(bundled: Bundled) -> None:
    bare = bundled.rewritten({COMPARISON: None})
    (only,) = walk(bare).user_data.points
    assert (only.name, only.ms, only.accuracy) == ("int8", None, None)
    assert "not measured" in walk(bare).render()


def test_a_bundle_of_another_format_is_an_error(bundled: Bundled) -> None:
    with pytest.raises(BundleError, match=rf"{COMPARISON}: written by version 0, cannot be read by this one \(rows"):
        walk(bundled.rewritten({COMPARISON: {"rows": [{}], "test_rows": 1}}))


def test_the_command_writes_text_json_or_the_page(tmp_path: Path, bundled: Bundled) -> None:
    def run(*words: object) -> str:
        done = CliRunner().invoke(app, ["lesson", *map(str, words)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert run("--bundle", bundled.path).startswith("1. Soft labels\n")
    out = tmp_path / "lesson.html"
    assert run("--bundle", bundled.path, "--html", out) == ""
    assert out.read_text().startswith("<!doctype html>")
    assert json.loads(run("--html", out, "--json"))["user_data"]["name"] == "the built-in traffic"
    assert [path.name for path in tmp_path.iterdir()] == ["lesson.html"]


def test_the_page_is_one_file_without_a_way_out(lesson: Lesson) -> None:
    text = page.page(lesson)
    assert "default-src 'none'" in text
    for outside in ("<link", "<iframe", "<img", "url(", "@import", "unsafe-inline", "fetch(", "import("):
        assert outside not in text, outside
    assert not re.search(r"<\w+[^<>]* src=", text)
    assert {target[0] for target in re.findall('href="(.*?)"', text)} == {"#"}


def test_nothing_of_a_bundle_can_end_an_element(bundled: Bundled) -> None:
    text = page.page(walk(bundled.path))
    assert bundled.evil in walk(bundled.path).user_data.points[2].name
    for broken_out in ("<script>window", "<img", "<b ", 'onerror="'):
        assert broken_out not in text, broken_out
    assert text.count("</script>") == 2
    assert page.embedded({"a": "</script>&\u2028"}) == '{"a": "\\u003c/script\\u003e\\u0026\\u2028"}'
    assert json.loads(page.embedded({"a": bundled.evil})) == {"a": bundled.evil}


def test_every_table_is_whole(bundled: Bundled) -> None:
    for section in sections(walk(bundled.path).user_data):
        for block in (*section.blocks, *section.own):
            if isinstance(block, Table):
                assert len({len(row) for row in block.rows}) == 1, section.key


def test_the_guide_shows_what_is_printed(lesson: Lesson, root: Path) -> None:
    shown = (
        (root / "docs" / "guide" / "lesson.md")
        .read_text()
        .partition("$ overproof lesson\n")[2]
        .partition("$ overproof lesson")[0]
    )
    printed = lesson.render().splitlines()
    assert [line for line in shown.splitlines() if line not in printed] == ["[…]"] * 5
