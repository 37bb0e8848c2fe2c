"""Standard streams that are closed: nothing that was meant for one lands in another, or in a file of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLOSED = "error: standard output is closed; expected one that can be written to\n"


def overproof(closing: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "overproof", *map(str, words)]
    return subprocess.run(["bash", "-c", f'"$@" {closing}', "bash", *command], capture_output=True, text=True)


def test_without_standard_error_the_verdicts_stand_alone(root: Path, small_bundle: Path) -> None:
    case = root / "tests" / "cases" / "63-stderr-closed" / "two.txt"
    done = overproof("2>&-", "triage", small_bundle, case)
    assert done.returncode == 0
    assert [json.loads(line)["origin"] for line in done.stdout.splitlines()] == [f"{case}:1", f"{case}:2"]


def test_no_file_takes_the_number_of_a_closed_stream(small_bundle: Path, tmp_path: Path) -> None:
    events, out = tmp_path / "events.txt", tmp_path / "verdicts.jsonl"
    events.write_text("one\ntwo\n")
    overproof("<&- >&- 2>&-", "triage", small_bundle, events, "--out", out, "--rejects", tmp_path / "rejects.jsonl")
    assert [json.loads(line)["origin"] for line in out.read_text().splitlines()] == [f"{events}:1", f"{events}:2"]
    assert (tmp_path / "rejects.jsonl").read_text() == ""


@pytest.mark.parametrize("command", ["--version", "inspect", "triage"])
def test_a_closed_standard_output_is_said_in_one_line(small_bundle: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "events.txt").write_text("one\ntwo\n")
    words = {"--version": (), "inspect": (small_bundle,), "triage": (small_bundle, tmp_path / "events.txt")}[command]
    done = overproof(">&-", command, *words)
    assert (done.returncode, done.stderr) == (2, CLOSED)


def test_a_closed_standard_input_is_said_in_one_line(small_bundle: Path) -> None:
    done = overproof("<&-", "triage", small_bundle, "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: -: there is no standard input; expected events on it\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_what_the_encoding_of_a_terminal_lacks_is_spelled_out(
    encoding: str, root: Path, small_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "known.txt").write_text("café 中 \U0001f600\n")
    places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding}
    overproof = [sys.executable, "-m", "overproof"]
    words = [*overproof, "index", small_bundle, "known.txt", "--out", "index"]
    subprocess.run(words, cwd=tmp_path, env=places, check=True, capture_output=True)
    words = [*overproof, "similar", small_bundle, "index", "caf"]
    shown = subprocess.run(words, cwd=tmp_path, env=places, check=True, capture_output=True).stdout.decode(encoding)
    spelled = "café 中 \U0001f600".encode(encoding, "backslashreplace").decode(encoding)
    assert spelled in shown
    found = subprocess.run([*words, "--json"], cwd=tmp_path, env=places, check=True, capture_output=True)
    assert "café 中 \U0001f600" in json.dumps(json.loads(found.stdout.decode(encoding)), ensure_ascii=False)
