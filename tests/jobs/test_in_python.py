"""Jobs in Python: what they give is read in a line, a dictionary, a pandas frame, or on a notebook's page."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.model_names import QUANTIZED
from overproof.checks.report import CheckReport
from overproof.cli import app
from overproof.errors import InputError, MissingExtra, TamperedBundle
from overproof.jobs.teach import TeachReport
from overproof.jobs.triaged import SHOWN, Triaged
from overproof.redteam.result import AttackReport, Rate, Row
from overproof.results.divergence import Divergence
from overproof.results.metrics import Metrics, Share
from overproof.results.precision_search import PrecisionSearchReport, Step

from ..checks.report.made import made

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "mine.jsonl"
    rows = [{"text": f"ABC {i}", "src_ip": "192.0.2.7", "note": EVIL} for i in range(40)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {"text": EVIL, "time": "2026-01-05T10:00:00Z"}]))
    return path


@pytest.fixture(scope="module")
def triaged(small_bundle: Path, events: Path) -> Triaged:
    return overproof.triage(small_bundle, events, explain=True)


def test_triage_says_what_the_command_says(triaged: Triaged, small_bundle: Path, events: Path) -> None:
    done = CliRunner().invoke(app, ["triage", str(small_bundle), str(events), "--to", "jsonl", "--explain"])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = triaged.to_dict()
    assert len(triaged) == len(found) == len(lines) == 41
    for row, line in zip(found, lines, strict=True):
        assert {name: row[name] for name in ("origin", "label", "status", "reason", "time")} == {
            name: line[name] for name in ("origin", "label", "status", "reason", "time")
        }
        assert row["attack"] == pytest.approx(line["attack"])
        assert row["student_probabilities"] == pytest.approx(line["student"]["probabilities"])
        assert row["spans"] == line.get("spans")
        assert row["src_ip"] == line.get("event", {}).get("src_ip")
    assert any(row["spans"] for row in found)


def test_what_triage_gives_is_a_table_a_frame_and_a_page(triaged: Triaged) -> None:
    assert isinstance(triaged.table, pa.Table)
    frame = triaged.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["label"].tolist() == [row["label"] for row in triaged.to_dict()]
    assert repr(triaged).startswith("Triaged(41 verdicts)\n")
    page = triaged._repr_html_()
    assert f"41 verdicts, the {SHOWN} likeliest attacks" in page
    assert page.count("192.0.2.7") >= SHOWN - 1
    assert EVIL not in page


def test_several_files_are_judged_in_their_order(small_bundle: Path, events: Path) -> None:
    both = overproof.triage(str(small_bundle), [events, str(events)], min_severity="informational")
    assert both.table["origin"].to_pylist() == [f"{events}:{i + 1}" for _ in range(2) for i in range(41)]
    assert both.summary.tally.events == 82


@pytest.mark.parametrize(
    "sources", [[], None, [["a"]], pd.DataFrame({"text": ["a"]})], ids=["none", "None", "nested", "frame"]
)
def test_what_is_no_file_is_told(small_bundle: Path, sources: Any) -> None:
    told = r"sources: expected files; events that are in memory are for overproof.open\(bundle\).judge"
    with pytest.raises(InputError, match=told):
        overproof.triage(small_bundle, sources)


def test_nothing_is_left_behind(
    small_bundle: Path, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    overproof.triage(small_bundle, events)
    assert not [*tmp_path.iterdir()]


def test_inspect_says_what_the_command_says(small_bundle: Path, tmp_path: Path) -> None:
    found = overproof.inspect(small_bundle)
    done = CliRunner().invoke(app, ["inspect", str(small_bundle), "--json"])
    assert json.loads(done.stdout) == json.loads(json.dumps(found.to_dict()))
    shown = CliRunner().invoke(app, ["inspect", str(small_bundle)])
    assert " ".join(repr(found).split()) in " ".join(shown.stdout.split())  # whose lines may be shorter
    assert "every hash is right" in found._repr_html_()
    assert len(found.to_pandas()) == 0
    (tmp_path / "b").mkdir()
    for file in small_bundle.iterdir():
        (tmp_path / "b" / file.name).write_bytes(file.read_bytes() + (b" " if file.name == "model.onnx" else b""))
    with pytest.raises(TamperedBundle):
        overproof.inspect(tmp_path / "b")


@pytest.fixture(scope="module")
def checked() -> CheckReport:
    return made(["a", "b"])


def test_a_check_is_a_line_a_frame_and_a_page_of_its_own(checked: CheckReport) -> None:
    assert repr(checked).startswith("CheckReport(")
    assert len(repr(checked)) < 200
    assert checked.decision in repr(checked)
    assert checked.to_dict() == checked.to_json()
    frame = checked.to_pandas()
    assert frame["key"].tolist() == [gate.key for gate in checked.gates]
    assert frame["closed"].sum() == len(checked.closed)
    page = checked._repr_html_()
    assert page.startswith('<iframe sandbox="" ')
    assert page.count("<") == 2, "all of the page is the value of an attribute"


def test_a_compression_is_a_line_a_frame_and_its_text(checked: CheckReport) -> None:
    report = overproof.Report(Path("b"), checked.comparison, (), (), {}, 1234, 0)
    assert repr(report) == "Report('b': 1,234 bytes, every guard holds)"
    assert report.to_dict() == report.to_json()
    assert report.to_pandas()["name"].tolist() == [row.name for row in checked.comparison.rows]
    assert "Bundle: b (1,234 bytes)" in report._repr_html_()


def test_an_attack_is_a_line_a_frame_and_its_text() -> None:
    half = Rate(10, 0.5, 0.2, 0.8)
    row = Row("evasion", "random", QUANTIZED, {"50": half}, 0, {"sqli": half})
    report = AttackReport("b", None, 0, 50, 1234, {"sqli": 9}, {}, (row,), (), {}, {}, ())
    assert repr(report) == "AttackReport('b': 1,234 events attacked, 0 successes against the bundle)"
    assert report.to_dict() == report.to_json()
    assert report.to_pandas()["search"].tolist() == ["random"]
    assert "1,234 events attacked" in report._repr_html_()


def test_a_quantization_is_a_line_a_frame_and_its_text() -> None:
    cost = Divergence(100, 1e-3, 2, 0.5, 0.4, {}, 30.0)
    step = Step(("head",), cost, ())
    searched = PrecisionSearchReport("m.onnx", Path("out"), "w8a8", 40, 20, 10, 100, (step,), 0)
    assert repr(searched) == "PrecisionSearchReport('out': w8a8, 40 bytes to 20, every guard holds)"
    assert searched.to_dict() == searched.to_json()
    assert len(searched.to_pandas()) == len(searched.path) == 1
    assert "w8a8" in searched._repr_html_()


def test_a_teacher_is_a_line_a_frame_and_its_text() -> None:
    share = Share(3, 4)
    metrics = Metrics(4, share, 0.5, 0.5, {"sqli": share}, share, share, share)
    report = TeachReport(Path("t"), "encoder", 109_891, metrics, {}, 0)
    assert repr(report) == "TeachReport('t': 109,891 parameters, accuracy 75.00%)"
    assert report.to_dict() == report.to_json()
    assert report.to_pandas().to_dict("records") == [
        {"teacher": "t", "parameters": 109_891, "test_events": 4, "accuracy": 0.75, "macro_f1": 0.5}
        | {"fn_rate": 0.75, "fp_rate": 0.75}
    ]
    assert "109,891 parameters" in report._repr_html_()


def test_without_pandas_it_is_named(checked: CheckReport, triaged: Triaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for ask in (checked.to_pandas, triaged.to_pandas):
        with pytest.raises(MissingExtra, match="pip install pandas"):
            ask()


@pytest.mark.parametrize("name", overproof.__all__)
def test_every_public_name_is_there_and_has_a_docstring(name: str) -> None:
    found = getattr(importlib.import_module("overproof"), name)
    assert name == "__version__" or found.__doc__
