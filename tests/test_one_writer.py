"""No two runs write to one output at once: the second ends at once with one line, before any work is spent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overproof.cli import app

MADE = Path(__file__).parent / "compat" / "format1"
EVENTS = MADE / "events.jsonl"
HOLDS = (
    "import sys, pathlib, overproof.files as f\n"
    "with f.only_writer(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
)


@contextmanager
def another_run(place: Path) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDS, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        other.communicate()


@pytest.mark.parametrize(
    "words",
    [
        ("check", MADE / "bundle", EVENTS, "--out", "OUT"),
        ("check", MADE / "bundle", EVENTS, "--rejects", "OUT"),
        ("attack", MADE / "bundle", EVENTS, "--out", "OUT"),
        ("attack", MADE / "bundle", EVENTS, "--rejects", "OUT"),
        ("triage", MADE / "bundle", EVENTS, "--out", "OUT"),
        ("triage", MADE / "bundle", EVENTS, "--rejects", "OUT"),
        ("events", EVENTS, "--out", "OUT"),
        ("events", EVENTS, "--out", "other", "--rejects", "OUT"),
        ("index", MADE / "bundle", EVENTS, "--out", "OUT"),
        ("index", MADE / "bundle", EVENTS, "--out", "other", "--rejects", "OUT"),
        ("quantize", MADE / "fp32", "--calibrate", EVENTS, "--out", "OUT"),
        ("join", MADE / "bundle", MADE / "bundle", "--validation", EVENTS, "--out", "OUT"),
        ("teach", EVENTS, "--preset", "ngram-student", "--out", "OUT"),
        ("compress", EVENTS, "--teacher", "ngram", "--out", "OUT"),
        ("compress", EVENTS, "--teacher", "ngram", "--out", "other", "--evidence", "OUT"),
        ("demo", "--out", "OUT"),
    ],
    ids=lambda words: " ".join(str(word) for word in words if "/" not in str(word)),
)
def test_a_place_where_another_run_is_writing(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "OUT"
    with another_run(place):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 2, result.output
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert "OUT: " in line and line.endswith("another run is writing there)" if "--rejects" in words else "there")
        assert sorted(path.name for path in tmp_path.iterdir()) == [".OUT.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_family_that_is_held_out_is_trained_by_one_run(tmp_path: Path) -> None:
    """Its models are kept in the evidence."""
    with another_run(MADE / "evidence"):
        words = ("check", MADE / "bundle", EVENTS, "--evidence", MADE / "evidence", "--hold-out", "dga")
        result = CliRunner().invoke(app, [*map(str, words), "--full", str(MADE / "fp32")])
    assert result.exit_code == 2
    assert f"{MADE / 'evidence'}: another run is writing there" in result.stderr


def test_the_rejects_of_two_inputs_are_kept_in_one_file(tmp_path: Path) -> None:
    """Those of --unlabelled took the place of those of the events."""
    for name in ("events", "own"):
        lines = EVENTS.read_text().splitlines()[:200]
        (tmp_path / f"{name}.jsonl").write_text("\n".join([f"{{broken {name}", *lines]) + "\n")
    words = ["attack", str(MADE / "bundle"), str(tmp_path / "events.jsonl"), "--budget", "2", "--events", "2"]
    words += ["--full", str(MADE / "fp32"), "--unlabelled", str(tmp_path / "own.jsonl")]
    result = CliRunner().invoke(app, [*words, "--rejects", str(tmp_path / "rejects.jsonl")])
    kept = (tmp_path / "rejects.jsonl").read_text()
    assert "broken events" in kept and "broken own" in kept, result.output
