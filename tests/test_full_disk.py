"""A disk that is full at any moment of any command: one line that names the file, and nothing half-written."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from overproof.files import atomic_files, naming

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
LIMIT = 2048  # bytes of the largest file that may be written; a full disk's error comes from the same calls

# Of each: its words, and what its error names. EVENTS holds good lines and bad ones.
COMMANDS = {
    "triage": ("triage BUNDLE EVENTS --out OUT/v.jsonl", "OUT/.v.jsonl.part"),
    "triage to parquet": ("triage BUNDLE EVENTS --out OUT/v.parquet", "OUT/.v.parquet.part/part-000000.parquet"),
    "triage that follows": ("triage BUNDLE --follow EVENTS --out OUT/v.jsonl", "OUT/v.jsonl"),
    "rejects": ("triage BUNDLE EVENTS --out /dev/null --rejects OUT/r.jsonl", "OUT/r.jsonl"),
    "index": ("index BUNDLE EVENTS --out OUT/index", "OUT/index"),
    "lesson": ("lesson --html OUT/lesson.html", "OUT/lesson.html"),
    "gate": ("check --init-gate OUT/gate.toml", "OUT/gate.toml"),
}


def run(words: str, limit: int, **streams: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "overproof", *words.split()],
        env=ENVIRONMENT,
        text=True,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        timeout=300,
        **streams,  # type: ignore[call-overload]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_names_the_file_and_nothing_is_left(small_bundle: Path, tmp_path: Path, name: str) -> None:
    events, out = tmp_path / "events.csv", tmp_path / "out"
    events.write_text("text\n" + "".join(f"id={i} or 1=1\na,bad,row\n" for i in range(500)))
    out.mkdir()
    words, named = (
        each.replace("BUNDLE", str(small_bundle)).replace("EVENTS", str(events)).replace("OUT", str(out))
        for each in COMMANDS[name]
    )
    ended = run(words, 512 if name == "gate" else LIMIT, stdout=subprocess.DEVNULL)
    assert (ended.returncode, ended.stderr) == (3, f"error: {named}: File too large\n")
    kept = {"v.jsonl", ".v.jsonl.positions"} if "follows" in name else set()  # a run that goes on cuts it off
    assert set(os.listdir(out)) == kept


@pytest.mark.slow
@pytest.mark.parametrize("words", ["inspect BUNDLE", "triage BUNDLE EVENTS", "--help"])
def test_a_full_standard_output_is_named(small_bundle: Path, tmp_path: Path, words: str) -> None:
    (tmp_path / "events.txt").write_text("a\n")
    with open("/dev/full", "wb") as full:
        words = words.replace("BUNDLE", str(small_bundle)).replace("EVENTS", str(tmp_path / "events.txt"))
        ended = run(words, resource.RLIM_INFINITY, stdout=full)
    assert (ended.returncode, ended.stderr) == (3, "error: standard output: No space left on device\n")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [100, 1000, 5000])
def test_an_index_that_is_cut_at_its_end(small_bundle: Path, tmp_path: Path, limit: int) -> None:
    """The writer of its table was closed once more when it was collected, which showed a traceback."""
    (tmp_path / "events.txt").write_text("".join(f"id={i}\n" for i in range(200)))
    (tmp_path / "out").mkdir()
    ended = run(f"index {small_bundle} {tmp_path}/events.txt --out {tmp_path}/out/index", limit)
    assert (ended.returncode, len(ended.stderr.splitlines()), os.listdir(tmp_path / "out")) == (3, 1, [])
    assert ended.stderr.endswith("File too large\n")


def test_of_several_files_all_are_written_or_none(tmp_path: Path) -> None:
    place = tmp_path / "place"
    atomic_files(place, {"a": "1", "b": "2"})
    os.mkdir(place / "c")
    with pytest.raises(IsADirectoryError):
        atomic_files(place, {"a": "3", "c": "4"})
    assert (place / "a").read_text() == "1"
    assert sorted(os.listdir(place)) == ["a", "b", "c"]
    with pytest.raises(UnicodeEncodeError):
        atomic_files(tmp_path / "new", {"a": "3", "b": "\udcff"})
    assert not (tmp_path / "new").exists()


def test_what_a_library_of_rust_says_is_an_error_of_the_system(tmp_path: Path) -> None:
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OSError, match="No space left on device") as error, naming("weights"):
        raise RuntimeError(said)
    assert (error.value.errno, error.value.filename) == (28, "weights")
    with pytest.raises(RuntimeError), naming("weights"):
        raise RuntimeError("another one")


# Modules that write files by themselves: into folders that `atomic_folder` names, or for processes of their own.
WRITERS = {
    "bundle/evidence_store.py",
    "bundle/manifest.py",
    "bundle/signing/library.py",
    "distillation/checkpoint.py",
    "files/handles.py",
    "inference/similarity/store.py",
    "inference/similarity/writer.py",
    "jobs/held_out.py",
    "jobs/quantize.py",
    "redteam/oracle/chromium.py",
    "redteam/oracle/namespace_driver.py",
    "__main__.py",
}


def test_everything_else_is_written_as_the_files_package_writes(root: Path) -> None:
    """So that FIFOs, devices and links are written through, and files are replaced whole."""
    writes = re.compile(r"""\.write_(?:text|bytes)\(|open\([^()]*(?:\([^()]*\))?[^()]*,? ?["'][wax]b?\+?["']""")
    source = root / "src" / "overproof"
    found = {path for path in source.rglob("*.py") for line in path.read_text().splitlines() if writes.search(line)}
    assert {str(path.relative_to(source)) for path in found} <= WRITERS
