"""`compress --harden` attacks the student, trains it again, and ships and stores what came of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.manifest import HARDENING, open_bundle
from overproof.cli import app
from overproof.events.simulate import simulate
from overproof.jobs.config import CompressConfig
from overproof.progress import SILENT
from overproof.results.hardening import ClosedEdit, Hardening

from .test_compress import Counted

pytestmark = pytest.mark.slow


def test_it_is_attacked_and_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    events = simulate(900, seed=5).train
    module = type(sys)("a_users_module")
    module.pipeline = Counted(events["text"].to_pylist(), events["label"].to_pylist())  # type: ignore[attr-defined]
    sys.modules["a_users_module"] = module
    request.addfinalizer(lambda: sys.modules.pop("a_users_module"))
    monkeypatch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.5)
    for name, value in {"TAUGHT": 40, "TAUGHT_QUERIES": 10, "MEASURED": 30, "QUERIES": 40}.items():
        monkeypatch.setattr(f"overproof.jobs.harden_attacks.{name}", value)
    example = ClosedEdit("sqli", "an event that no other may read", "an edited event that no other may read", 0.1, 0.9)
    monkeypatch.setattr("overproof.jobs.harden._example", lambda *_: example)
    spoken: list[str] = []
    report = overproof.compress(
        events,
        teacher="a_users_module:pipeline",
        out=tmp_path / "bundle",
        student="ngram-student",
        epochs=8,
        harden=True,
        harden_rounds=1,
        cache=tmp_path / "cache",
        console=replace(SILENT, say=spoken.append),
    )
    bundle = open_bundle(tmp_path / "bundle")
    assert report.hardening is not None and len(report.hardening.rounds) == 2
    assert report.hardening.rounds[1].taught == 80 and "hardening: round 1" in "\n".join(spoken)
    assert Hardening.of(bundle) == replace(report.hardening, example=None)
    assert report.hardening.render().rstrip() in report.render()
    assert report.hardening.example == example and example.edited in report.render()
    assert not [name for name, data in bundle.files.items() if b"that no other may read" in data]
    assert CompressConfig.from_json(bundle.manifest.config or {}, "bundle").distill.harden
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".bundle")], "no checkpoint is left"
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path / "bundle"), "--json"])
    assert json.loads(shown.stdout)["hardening"] == json.loads(bundle.files[HARDENING])
    assert "Hardening:" in CliRunner().invoke(app, ["inspect", str(tmp_path / "bundle"), "--full"]).stdout
