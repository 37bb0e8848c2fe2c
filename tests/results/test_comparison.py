from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overproof.bundle.manifest import COMPARISON, Manifest, digest, write_bundle
from overproof.bundle.model_names import BASELINE, DISTILLED, FULL, QUANTIZED
from overproof.bundle.tokenizer import Windowing
from overproof.cli import app
from overproof.report.layout import within
from overproof.results import Comparison, Metrics, Row, Share


def metrics(right: int, missed: int, f1: float = 0.95) -> Metrics:
    families = {"sqli": Share(60 - missed, 60), "xss": Share(3, 4)}
    return Metrics(100, Share(right, 100), f1, 0.9, families, Share(missed, 64), Share(1, 36), Share(98, 100))


def comparison(student: Metrics, baseline: Metrics) -> Comparison:
    return Comparison(
        (
            Row(FULL, 100_000_000, 400_000_000, 32.0, 41.5, 30.0, metrics(99, 0)),
            Row(DISTILLED, 5_000_000, 20_000_000, 0.55, 0.9, 1580.0, metrics(98, 1)),
            Row(QUANTIZED, 5_000_000, 5_100_000, 0.3125, 0.5, 2900.0, student),
            Row(BASELINE, 1_656_466, 7_099_884, 0.12, 0.3, 12000.0, baseline),
        ),
        test_rows=100,
    )


def test_the_table_is_aligned_and_complete() -> None:
    with within(1000):
        text = comparison(metrics(98, 1), metrics(97, 3)).render()
    table, recall, *_ = text.split("\n\n")
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == (
        ["parameters", "bytes", "p50", "ms", "p99", "ms", "events/s", "accuracy", "macro-F1", "FN", "FP", "agreement"]
    )
    assert lines[4].split()[3:] == (
        "5,000,000 5,100,000 0.312 0.500 2,900 98.00 % 0.9500 1.56 % 2.78 % 98.00 %".split()
    )
    assert [line.split("  ")[0] for line in lines[2:]] == [FULL, DISTILLED, QUANTIZED, BASELINE]
    assert "98.3 % (59/60)" in recall
    assert "75.0 % (3/4)" in recall
    assert "Measured on 100 test events; macro-F1 over classes with 15 or more of them" in text


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_a_terminal_and_loses_nothing(width: int) -> None:
    shown = comparison(metrics(98, 1), metrics(97, 3))
    with within(1000):
        wide = shown.render()
    with within(width):
        tables = shown.render().partition("Measured on")[0]
    assert all(len(line) <= width for line in tables.splitlines())
    assert set(wide.partition("Measured on")[0].split()) - {"-" * n for n in range(50)} <= set(tables.split())


def test_families_that_nobody_missed_share_a_line() -> None:
    perfect = replace(metrics(98, 1), families={"sqli": Share(59, 60), "rfi": Share(9, 9), "ssi": Share(2, 2)})
    text = Comparison(
        (Row(FULL, 1, 1, 1.0, 1.0, 1.0, perfect), Row(QUANTIZED, 1, 1, 1.0, 1.0, 1.0, perfect)), 100
    ).render()
    assert "Every model got every event right of: rfi (9/9), ssi (2/2)." in text
    assert "98.3 % (59/60)" in text and "100.0 %" not in text


def test_what_is_smaller_and_faster_is_said_without_an_interval() -> None:
    lines = comparison(metrics(97, 3, 0.95), metrics(98, 1, 0.93)).verdict_in_words()
    assert lines[1:] == [
        "distilled + INT8 wins: bytes.",
        "linear baseline wins: parameters, p50 ms, p99 ms, events/s.",
    ]


def test_a_comparison_without_operating_points_names_no_winner() -> None:
    there = comparison(metrics(97, 3, 0.95), metrics(98, 1, 0.93))
    stored = there.to_json()
    del stored["operating_points"]  # as 0.1.0 wrote it
    assert Comparison.from_json(stored) == there
    assert there.verdict_in_words()[0] == (
        "Who wins at the same false-positive rate, distilled + INT8 or the linear baseline, was not measured."
    )
    assert "not measured at the same false-positive rate: this comparison was stored before version 0.2.0" in (
        there.render()
    )


def test_gaps_have_reasons() -> None:
    black_box = Row(FULL, None, None, None, None, None, None, note="soft labels of a black box somebody else ran")
    few_calls = Row(QUANTIZED, 5, 5, 1.0, None, 9.0, replace(metrics(9, 1), missed=Share(0, 0)))
    text = Comparison((black_box, few_calls), 100).render()
    assert (
        "full: not measured: parameters, bytes, p50 ms, p99 ms, events/s, accuracy, macro-F1, FN, FP, agreement "
        "(soft labels of a black box somebody else ran)"
    ) in text
    assert "distilled + INT8: not measured: p99 ms (fewer than 100 calls were timed)" in text
    assert "distilled + INT8: not measured: FN (no labelled attacks, or no benign class)" in text
    assert "0.00 %" not in text
    assert "was not measured" in text.splitlines()[-1]  # who wins


def test_a_note_without_gaps_is_shown() -> None:
    row = Row(BASELINE, 1, 1, 1.0, 1.0, 1.0, metrics(9, 1), note="rows in use, as npz")
    assert "linear baseline: rows in use, as npz" in Comparison((row,), 1).render()


def test_json_there_and_back() -> None:
    there = comparison(metrics(98, 1), metrics(97, 3))
    unmeasured = replace(there, rows=(*there.rows, Row("other", None, None, None, None, None, None, "why")))
    assert Comparison.from_json(json.loads(json.dumps(unmeasured.to_json()))) == unmeasured


@pytest.mark.parametrize("data", [{}, {"rows": [{"name": "x"}], "test_rows": 1}])
def test_json_of_something_else(data: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Comparison.from_json(data)


def test_markdown_has_the_same_cells() -> None:
    there = comparison(metrics(98, 1), metrics(97, 3))
    lines = there.to_markdown().splitlines()
    assert lines[1].count("---:") == 10
    assert lines[4] == (
        "| distilled + INT8 | 5,000,000 | 5,100,000 | 0.312 | 0.500 | 2,900 "
        "| 98.00 % | 0.9500 | 1.56 % | 2.78 % | 98.00 % |"
    )
    assert all(line.count("|") in (0, 6, 12) for line in lines)
    assert there.verdict_in_words()[0] in there.to_markdown()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"rows": [{"name": 3}], "test_rows": 1}', b"[" * 100_000])
def test_a_bundle_with_another_comparison_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    files = {"model.onnx": b"not parsed", "tokenizer.json": b"{}", COMPARISON: content}
    manifest = Manifest(
        1, "9.9", ("benign", "sqli"), ("benign",), Windowing(), "none", {}, 2.0, 0.5, 0, "int8", {}, {}, {}, (), {},
        {name: digest(stored) for name, stored in files.items()},
    )  # fmt: skip
    write_bundle(tmp_path / "b", manifest, files)
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path / "b")])
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"error: {tmp_path / 'b' / COMPARISON}: ")
