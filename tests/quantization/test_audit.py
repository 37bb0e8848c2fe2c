"""A model whose verdicts change when it is quantized is found; healthy ones pass, of text and of numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import overproof
from overproof.cli.app import app
from overproof.events.sources import Rejects
from overproof.jobs import quantize_audit
from overproof.jobs.quantize_audit import Known, Pair, audit
from overproof.progress import SILENT
from overproof.quantization.guards import Guards
from overproof.quantization.models import open_model
from overproof.redteam import triggers
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.precision_search.audit import EDITS, EVENTS, WORDS

from .conftest import PLANTED, Flows


@pytest.fixture(autouse=True)
def few_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits take longest, and none of them is what is planted; words are searched with the default budget."""
    monkeypatch.setattr(quantize_audit, "EDITED", 4)
    monkeypatch.setattr(quantize_audit, "BUDGET", 12)


def test_a_planted_word_is_found_and_is_the_exit_code(planted: Path, tmp_path: Path) -> None:
    words = [planted, "--calibrate", planted.with_name("events.jsonl"), "--out", tmp_path / "out", "--audit", "--json"]
    result = CliRunner().invoke(app, ["quantize", *map(str, words)])
    assert result.exit_code == 1 and not (tmp_path / "out").exists()
    stored = json.loads((tmp_path / "out.failed" / "quantizing.json").read_text())
    assert stored == json.loads(result.stdout)
    report = PrecisionSearchReport.from_json(stored)
    assert report.audit is not None and not report.audit.passed and not report.passed
    events, edits, *put = report.audit.parts
    assert (events.what, edits.what) == (EVENTS, EDITS)
    assert events.changed == 0 and not events.shown, "no event holds it, and no edit adds it"
    (found, *_) = [part for part in put if part.shown]
    assert found.what == WORDS and found.words is not None and found.words.split()[0] == PLANTED
    assert found.low > 0.5
    for example in found.examples:
        assert PLANTED in example.text and example.before > report.audit.sure and example.after < -report.audit.sure
    assert "Audit: CHANGES WHEN QUANTIZED" in report.render()
    assert f"FOUND events with words put into them ('{PLANTED}" in report.render()


def test_a_healthy_model_passes_in_20_seeds(texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [str(texts.with_name("events.jsonl"))]
    report = overproof.quantize(texts, calibrate_on=events, out=tmp_path / "out", audit=True)
    assert report.audit is not None and report.passed, report.audit
    assert {part.what for part in report.audit.parts} == {EVENTS, EDITS, WORDS}
    assert all(part.tried > 0 for part in report.audit.parts[:3])
    assert "Audit: nothing found that changes when quantized: 600 events" in report.render()
    model = open_model(texts)
    pair = Pair(model, onnx.load(tmp_path / "out" / "waf.onnx"), model.load(events, None, Rejects(None)))
    monkeypatch.setattr(quantize_audit, "QUERIES", 3000)
    monkeypatch.setattr(triggers, "WORDS", 2)
    monkeypatch.setattr(triggers, "_BEAM", 3)
    for seed in range(1, 20):
        assert audit(pair, seed=seed, console=SILENT).passed
    assert overproof.quantize(texts, calibrate_on=events, out=tmp_path / "out").audit is None


def test_a_family_that_rounding_loses_is_found_among_the_events(flows: Flows, tmp_path: Path) -> None:
    """Numbers have no edits and no words; with the guard, the layer that loses the family stays in float."""
    model, events = flows.save(tmp_path), [str(flows.csv(tmp_path))]
    lost = overproof.quantize(model, calibrate_on=events, out=tmp_path / "out", audit=True).audit
    assert lost is not None and not lost.passed and lost.left_out is not None
    (part,) = lost.parts
    assert (part.what, part.events) == (EVENTS, 600) and 10 < part.changed < 40
    assert part.examples[0].text.startswith("event ")
    guards = Guards(max_recall_loss={"ldap": 0.5}, max_flips=0.1)
    kept = overproof.quantize(model, calibrate_on=events, out=tmp_path / "out", audit=True, guards=guards)
    assert kept.audit is not None and kept.passed


@pytest.mark.parametrize(("changed", "shown"), [(0, False), (5, False), (20, True)])
def test_a_few_changes_accuse_nobody(changed: int, shown: bool) -> None:
    before = np.full(600, 5.0)
    after = np.where(np.arange(600) < changed, -5.0, 5.0)
    part = Known(["x"] * 600, before, after, 3.0).part(EVENTS, 600)
    assert (part.changed, part.shown, len(part.examples)) == (changed, shown, min(10, changed))
    assert Known(["x"] * 600, before, after, 6.0).part(EVENTS, 600).changed == 0, "neither is sure"
