"""Names that are not UTF-8: a path may hold any bytes, and what lies there is read and written all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from overproof.cli import app
from overproof.events.simulate import simulate
from overproof.files import utf8_path
from overproof.inference.similarity.hnsw import open_hnsw, write_hnsw

ODD = "caf\udce9"  # 0xE9, an é of Latin-1, as Python has it in a path
SHOWN = "caf\\udce9"  # what is written of it where only Unicode text may stand
TEXTS = [f"id={i}' union select {i} from users" if i % 2 else f"page {i} of the catalogue" for i in range(24)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of such a name to work in."""
    folder = tmp_path / ODD
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def bundle(here: Path, small_bundle: Path) -> Path:
    return Path(shutil.copytree(small_bundle, here / f"{ODD}.bundle"))


def overproof(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def lines(path: Path) -> Path:
    path.write_text("".join(f"{text}\n" for text in TEXTS))
    return path


def table(path: Path) -> Path:
    labels = ["sqli" if "union" in text else "benign" for text in TEXTS]
    with path.open("wb") as file:
        pq.write_table(pa.table({"text": TEXTS, "label": labels}), file)
    return path


def origins(out: Path) -> list[str]:
    if out.suffix == ".parquet":
        with out.open("rb") as file:
            return list(pq.read_table(file)["origin"].to_pylist())
    return [orjson.loads(line)["origin"] for line in out.read_bytes().splitlines()]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_verdicts_and_rejects(here: Path, bundle: Path, kind: str) -> None:
    events, out, rejects = lines(here / f"{ODD}.txt"), here / f"{ODD}.{kind}", here / f"{ODD}.rejects"
    done = overproof("triage", bundle, events, "--out", out, "--rejects", rejects)
    assert done.exit_code == 0, done.output
    assert origins(out) == [f"{here.parent}/{SHOWN}/{SHOWN}.txt:{n}" for n in range(1, 25)]
    assert rejects.read_bytes() == b""


def test_events_of_a_table(here: Path, bundle: Path) -> None:
    events, out = table(here / f"{ODD}.parquet"), here / f"{ODD}.jsonl"
    assert overproof("triage", bundle, events, "--out", out).exit_code == 0
    assert origins(out)[-1] == f"{here.parent}/{SHOWN}/{SHOWN}.parquet:24"


def test_an_index_is_built_and_asked(here: Path, bundle: Path) -> None:
    index = here / f"{ODD}.index"
    assert overproof("index", bundle, table(here / f"{ODD}.parquet"), "--out", index).exit_code == 0
    found = overproof("similar", bundle, index, TEXTS[3], "--json")
    assert found.exit_code == 0 and TEXTS[3] in found.stdout


def test_a_graph_of_neighbours(here: Path) -> None:
    pytest.importorskip("usearch")
    rows = np.eye(8, dtype=np.int8) * 100
    write_hnsw(rows, here)
    assert open_hnsw(rows, here)(rows[3:4], 1)[0].rows.tolist() == [3]


def test_a_bundle_is_inspected(bundle: Path) -> None:
    shown = overproof("inspect", bundle, "--json")
    assert shown.exit_code == 0 and orjson.loads(shown.stdout)["path"].endswith(f"{SHOWN}.bundle")


@pytest.mark.parametrize(
    "words", [("triage", "BUNDLE", f"{ODD}.txt"), ("inspect", ODD), ("similar", "BUNDLE", ODD, "x")]
)
def test_what_is_not_there_is_said_in_one_line(bundle: Path, words: tuple[str, ...]) -> None:
    done = overproof(*(bundle if word == "BUNDLE" else word for word in words))
    assert done.exit_code == 2 and "no " in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_what_is_compressed_is_checked_and_judges(here: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.5)
    made = simulate(400, seed=3)
    for name, events in (("train", made.train), ("test", made.test)):
        with (here / f"{name}-{ODD}.parquet").open("wb") as file:
            pq.write_table(events, file)
    train, test = here / f"train-{ODD}.parquet", here / f"test-{ODD}.parquet"
    teacher, out, evidence = here / f"{ODD}.teacher", here / f"{ODD}.new", here / f"{ODD}.evidence"
    assert (
        overproof(
            "teach", train, "--test", test, "--out", teacher, "--preset", "tiny-student", "--epochs", "1"
        ).exit_code
        == 0
    )
    student = ("--student", "ngram-student", "--epochs", "1", "--evidence", evidence, "--keep-fp32", here / f"{ODD}.fp")
    done = overproof("compress", train, "--test", test, "--teacher", teacher, *student, "--out", out)
    assert done.exit_code == 0, done.output
    proof = ("--full", teacher, "--evidence", evidence, "--out", here / f"{ODD}.proof", "--attack", "2")
    assert overproof("check", out, test, *proof, "--accept-public-data").exit_code == 1, "so few events prove nothing"
    assert orjson.loads((here / f"{ODD}.proof" / "check.json").read_bytes())["checks"]
    again = overproof("quantize", here / f"{ODD}.fp", "--calibrate", train, "--test", test, "--out", here / f"{ODD}.q")
    assert again.exit_code == 0, again.output


def test_a_path_is_named_in_utf8_while_it_is_needed(tmp_path: Path, here: Path) -> None:
    with utf8_path(tmp_path) as name:
        assert name == str(tmp_path), "as it is, where it is that already"
    (here / "beside").write_text("found")
    (here / ODD).write_text("odd")
    with utf8_path(here / "beside") as name:
        assert name.endswith("/beside") and Path(name).read_text() == "found"
    with utf8_path(here / ODD) as name:
        assert name.isascii() and Path(name).read_text() == "odd"
    with utf8_path(here) as name:
        assert name.isascii() and (Path(name) / "beside").read_text() == "found"
    assert not Path(name).exists(), "nothing stays open"


FORGED = "x\nerror: all is well"


@pytest.mark.parametrize(
    "words",
    [
        ("triage", "BUNDLE", FORGED),
        ("triage", FORGED, "-"),
        ("triage", "BUNDLE", "-", "--out", f"absent/{FORGED}"),
        ("triage", "BUNDLE", "-", "--rejects", f"absent/{FORGED}"),
        ("index", "BUNDLE", "-", "--out", f"events.txt/{FORGED}"),
        ("inspect", "BUNDLE", "--bom", f"absent/{FORGED}"),
        ("check", "BUNDLE", FORGED, "--full", "BUNDLE"),
    ],
)
def test_a_name_of_two_lines_makes_no_line_of_its_own(here: Path, bundle: Path, words: tuple[str, ...]) -> None:
    lines(here / "events.txt")
    done = overproof(*(bundle if word == "BUNDLE" else word for word in words))
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "\\nerror: all is well" in done.stderr or "events.txt" in done.stderr


def test_the_forms_of_a_teacher_are_listed_on_lines_of_their_own(here: Path, bundle: Path) -> None:
    done = overproof("check", bundle, lines(here / "events.txt"), "--full", FORGED)
    assert (done.exit_code, "\nerror: all" in done.stderr, len(done.stderr.splitlines()) > 5) == (2, False, True)


@pytest.mark.parametrize("words", [("--out", "verdicts"), ("--rejects", "rejects")])
def test_a_folder_to_work_in_that_is_gone_is_named(here: Path, bundle: Path, words: tuple[str, str]) -> None:
    events = lines(here.parent / "events.txt")
    kept = shutil.copytree(bundle, here.parent / "kept.bundle")
    shutil.rmtree(here)
    done = overproof("triage", kept, events, *words)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "the working folder: No such file or directory" in done.stderr or f"{words[1]}: " in done.stderr


def test_what_was_opened_to_be_read_is_no_output(here: Path, bundle: Path) -> None:
    """Standard input is closed to writing: a name that was given, and no failure of the program."""
    events = lines(here / "events.txt")
    command = [sys.executable, "-m", "overproof", "triage", bundle, events, "--out", "/dev/stdin"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with events.open("rb") as file:
        done = subprocess.run(command, stdin=file, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


@pytest.mark.parametrize("name", ["folder/events.txt", f"{'n' * 300}/events.txt"])
def test_a_source_that_cannot_be_looked_at_is_named_as_it_was_given(here: Path, bundle: Path, name: str) -> None:
    """The name of a manifest beside it was in the message."""
    done = overproof("triage", bundle, name, "--out", "verdicts")
    assert (done.exit_code, "manifest" in done.stderr, name in done.stderr) == (2, False, True)
