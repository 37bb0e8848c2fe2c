"""The examples run as they stand, in an empty folder, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(root: Path, folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, cwd=folder, timeout=540
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_scripts_run_one_after_the_other(root: Path, tmp_path: Path) -> None:
    examples = root / "examples"
    printed = run(root, tmp_path, str(examples / "compress_and_check.py"))
    assert "linear baseline" in printed
    assert "do not deploy, with all reasons: out/examples/check/report.html" in printed
    assert (tmp_path / "out" / "examples" / "check" / "report.html").is_file()
    printed = run(root, tmp_path, str(examples / "triage_a_capture.py"))
    assert "/item?id=1'+union+select+password+from+users--" in printed
    printed = run(root, tmp_path, str(examples / "judge_in_python.py"))
    assert "the student alone" in printed
    assert "decided by " in printed


@pytest.mark.slow
def test_from_a_capture_to_verdicts(root: Path, tmp_path: Path) -> None:
    printed = run(root, tmp_path, str(root / "examples" / "from_a_capture.py"))
    out = tmp_path / "out" / "from-a-capture"
    assert "1,200 http-request, 1,200 flow" in printed
    assert "suricata alert" in printed
    assert "do not deploy, with all reasons: out/from-a-capture/check/report.html" in printed
    verdicts = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    found = [one["label"] == "malicious" for one in verdicts if one["source"] == "http-request"]
    assert len(found) == 1200
    assert 0.2 < sum(found) / len(found) < 0.3  # as many as are attacks
    table = (out / "events.csv").read_text()
    assert table.count("\n") == len(verdicts) + 1


@pytest.mark.slow
def test_the_notebook_of_the_whole_way_runs(root: Path, tmp_path: Path) -> None:
    printed = run(root, tmp_path, cells_of(root, tmp_path, "from_events_to_verdicts.ipynb"))
    assert "'normal']" in printed and "accuracy" in printed
    out = tmp_path / "out" / "notebook"
    assert (out / "check" / "report.html").is_file()
    assert "model-index" in (out / "for-the-hub" / "README.md").read_text()


def cells_of(root: Path, folder: Path, name: str) -> str:
    """Write the cells of a notebook into a script, which a notebook's program would run one by one."""
    notebook = json.loads((root / "examples" / name).read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])  # they would age
    (folder / "cells.py").write_text("\n\n".join(cells))
    return "cells.py"


def test_the_notebook_of_numbers_runs(root: Path, tmp_path: Path) -> None:
    printed = run(root, tmp_path, cells_of(root, tmp_path, "small_in_numbers.ipynb"))
    assert "8 bits: scale 0.00659" in printed
