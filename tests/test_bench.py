"""The benchmarks' front: what it says where the data is missing, and that every table has its place."""

from __future__ import annotations

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
    assert re.findall(r"<!-- bench: ([a-z-]+) -->", readme) == ["headline"]
    assert sorted(names) == sorted(["headline", *marks])


def test_the_readme_has_no_more_figures_than_the_benchmarks_wrote(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert len(text.encode()) <= 10_240
    head, _, rest = text.partition("<!-- bench: headline -->")
    prose = head + rest.partition("<!-- end -->")[2]
    assert re.findall(r"[0-9][0-9.,]* ?(?:%|ms|MB|GB|events|times|bytes)", prose) == []
