"""A bundle in a few lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from overproof.bundle.manifest import Bundle, open_bundle
from overproof.bundle.model_names import BASELINE, QUANTIZED
from overproof.cli import app
from overproof.report.layout import within
from overproof.results import Comparison, Metrics, Row, Share
from overproof.results.bundle_summary import bundle_summary

HOSTILE = "a\x1b[31m\nb"


def changed(bundle: Path, **entries: Any) -> Bundle:
    """A bundle whose manifest says something else."""
    opened = open_bundle(bundle)
    return replace(opened, manifest=replace(opened.manifest, **entries))


def comparison() -> Comparison:
    """Two models."""
    metrics = Metrics(100, Share(98, 100), 0.9, 0.9, {}, Share(1, 60), Share(1, 40), Share(98, 100))
    return Comparison(tuple(Row(name, 5, 7, 0.3, 0.5, 9.0, metrics) for name in (QUANTIZED, BASELINE)), 100)


def test_it_says_what_the_bundle_is(small_bundle: Path) -> None:
    opened = changed(
        small_bundle,
        thresholds={"0.01": 0.25, "0.001": 0.5, "0.0001": None},
        teacher={"kind": "own", "name": "teacher", "parameters": 1234},
        data={"rows": {"train": 1000, "test": 10}, "simulated": True, "kinds": {"text": 900, "flow\x1b": 110}},
    )
    lines = bundle_summary(
        opened, {"bytes": 1_234_000, "made_from": "made from traffic"}, comparison(), None, None
    ).splitlines()
    assert "made from traffic" in lines
    assert lines[0].replace("\n", " ").endswith("not signed")
    assert "teacher     teacher (own), 1,234 parameters" in lines
    assert "events      1,000 train, 10 test; SIMULATED, none of them real" in lines
    assert "kinds       text, flow\\x1b: all others are out of distribution" in lines
    assert "false positives   0.1 %     1 %" in lines and "attack from      0.5000  0.2500" in lines
    assert "                  bytes  p50 ms  events/s  accuracy      FN      FP" in lines
    assert lines[-1].startswith("Who wins at the same false-positive rate")


def test_what_was_chosen_is_said(small_bundle: Path) -> None:
    ladder, hardening = SimpleNamespace(taken="tiny", rungs=(1, 2, 3)), SimpleNamespace(taken=1, rounds=(1, 2))
    shown = bundle_summary(open_bundle(small_bundle), {"bytes": 1}, None, ladder, hardening)  # type: ignore[arg-type]
    assert "ladder      tiny was taken of 3 students\nhardening   round 1 was taken of 2" in shown


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_and_no_name_breaks_a_line_or_steers_a_terminal(small_bundle: Path, width: int) -> None:
    many = tuple(f"class-{i}" for i in range(50))
    opened = changed(
        small_bundle, classes=many, teacher={"kind": HOSTILE, "name": HOSTILE}, network={"preset": HOSTILE}
    )
    with within(width):
        shown = bundle_summary(replace(opened, path=Path("b")), {"bytes": 1}, comparison(), None, None)
    assert all(len(line) <= width for line in shown.splitlines())
    assert "\x1b" not in shown and "a\\x1b[31m\\nb" in shown
    assert "and 30 more" in shown.replace("\n           ", "")


def test_inspect_shows_the_summary_and_with_full_all_of_it(small_bundle: Path) -> None:
    short, full = (
        CliRunner().invoke(app, ["inspect", str(small_bundle), *option]).stdout for option in ([], ["--full"])
    )
    assert "every hash is right" in short.replace("\n", " ") and "--full shows the whole manifest" in short
    sha256 = open_bundle(small_bundle).manifest.files["model.onnx"]["sha256"]
    assert sha256 in full and sha256 not in short
    assert full.startswith(f"path: {small_bundle}\nverified: True\n")
