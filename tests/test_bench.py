"""The benchmarks' front: what it says where the data is missing, and that every table has its place."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def run(root: Path, *tables: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), **settings}
    command = [sys.executable, str(root / "bench" / "main.py"), *tables]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root.parent, timeout=300)


@pytest.mark.parametrize(
    ("table", "missing"), [("comparison", "http/train.csv.gz"), ("flows", "nsl-kdd"), ("captures", "captures")]
)
def test_missing_data_is_said_in_one_line(root: Path, tmp_path: Path, table: str, missing: str) -> None:
    done = run(root, table, OVERPROOF_DATA=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(tmp_path / missing) in line
    assert "OVERPROOF_DATA" in line
    assert "expected" in line


def test_a_table_that_there_is_not(root: Path, tmp_path: Path) -> None:
    done = run(root, "nothing", OVERPROOF_DATA=str(tmp_path))
    assert done.returncode == 2
    names = re.findall(r"[a-z-]+", done.stderr.partition("expected some of")[2])
    page, readme = ((root / name).read_text() for name in ("docs/benchmarks.md", "README.md"))
    marks = re.findall(r"<!-- bench: ([a-z-]+) -->", page)
    assert re.findall(r"<!-- bench: ([a-z-]+) -->", readme) == ["demo", "headline"]
    assert sorted(names) == sorted(["demo", "headline", *marks])


def test_the_readme_has_no_more_figures_than_the_benchmarks_wrote(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert len(text.encode()) <= 10_240
    prose = re.sub(r"<!-- bench: [a-z]+ -->.*?<!-- end -->", "", text, flags=re.DOTALL)
    assert re.findall(r"[0-9][0-9.,]* ?(?:%|ms|MB|GB|events|times|bytes)", prose) == []


def test_the_demo_in_the_readme_is_the_end_of_the_transcript(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "bench")
    transcript = importlib.import_module("transcript")
    printed = f"teacher: epoch 1/3\n{transcript.LAST_SCREEN}: it shows\n\nnext        overproof triage\n"
    commands = {name: {"seconds": 61.4, "printed": printed} for name in transcript.COMMANDS}
    shown = transcript.last_screen({"cores": 2, "commands": commands})
    assert shown.startswith(f"```console\n$ make demo\n{transcript.LAST_SCREEN}: it shows\n\nnext ")
    took = "1 min 1 s for the set-up, 1 min 1 s for the demo behind it."
    assert shown.endswith(f"```\n\nIn a fresh clone, on 2 cores: {took}")


def test_the_picture_has_the_figures_of_the_readme(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "bench")
    picture = importlib.import_module("picture")
    table = picture.headline()
    assert picture.PICTURE.read_text() == picture.drawn(table), "run `python bench/picture.py`"
    assert "1.05 MB · 0.030 ms" in picture.drawn(table)
    assert "0.040 ms" in picture.drawn(table.replace("| 0.030 |", "| 0.040 |"))
    assert "{" not in picture.drawn(table)
