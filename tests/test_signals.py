"""A signal at any moment: nothing half-written stays, and the process ends as whoever sent it expects."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
WAITING = 60.0  # seconds for a run to begin


@pytest.fixture(autouse=True)
def _nothing_is_ignored() -> Iterator[None]:
    """Let runs begin as in a terminal: under `nohup` they would ignore SIGHUP, as they are meant to."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def begun(folder: Path, *words: str | Path) -> subprocess.Popen[str]:
    """Start a run that reads a FIFO which nobody writes to, and writes rejects meanwhile."""
    os.mkfifo(folder / "fifo")
    command = [sys.executable, "-m", "overproof", "triage", *words, "--rejects", "out/rejects.jsonl"]
    (folder / "out").mkdir()
    (folder / "out" / "rejects.jsonl").write_text("of an earlier run")
    run = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + WAITING
    while not list((folder / "out").glob("*.part")) and time.monotonic() < ends:
        time.sleep(0.05)
    assert list((folder / "out").glob("*.part"))
    return run


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)],
    ids=["Ctrl-C", "kill", "a closed terminal"],
)
def test_nothing_half_written_stays(number: signal.Signals, code: int, small_bundle: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, small_bundle, "fifo")
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (code, "")
    assert os.listdir(tmp_path / "out") == ["rejects.jsonl"]
    assert (tmp_path / "out" / "rejects.jsonl").read_text() == "of an earlier run"


def test_what_catches_everything_ends_all_the_same(small_bundle: Path, tmp_path: Path) -> None:
    """A teacher's module may swallow what ends it: then the signal ends the process, as it is."""
    (tmp_path / "deaf.py").write_text(
        """
import time
import overproof.interrupts as interrupts
interrupts.CLEAN_UP_SECONDS = 0.5
class Deaf:
    classes_ = ["benign", "sqli", "xss"]
    def predict_proba(self, texts):
        open("out/asked", "w").close()
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
deaf = Deaf()
"""
    )
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "overproof", "triage", small_bundle, "-", "--full", "deaf:deaf"]
    places = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    run = subprocess.Popen(command, cwd=tmp_path, env=places, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends = time.monotonic() + WAITING
    while not (tmp_path / "out" / "asked").exists() and time.monotonic() < ends:
        time.sleep(0.05)
    run.terminate()
    assert run.wait(30) == -signal.SIGTERM


BUILDING = """
import os, signal, typer.main
signal.signal(signal.SIGINT, signal.default_int_handler)
def building(*_):
    os.kill(os.getpid(), signal.{name})
    while True:
        pass
typer.main.get_group = building
from overproof.__main__ import main
main()
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM), ("SIGHUP", -signal.SIGHUP)])
def test_before_a_command_has_begun(name: str, code: int) -> None:
    """Exit code 1, of a traceback, would be read as a decision."""
    words = [sys.executable, "-c", BUILDING.format(name=name)]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (code, "")


NUMBERS = [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM), ("SIGHUP", -signal.SIGHUP)]


def ended(code: str, folder: Path) -> tuple[int, str]:
    """Run code as a command; return how it ended, and what it said."""
    running = f"""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from overproof import files
from overproof.cli.ending import exit_code_of
from overproof.interrupts import clean_up_at_signals
clean_up_at_signals()
{code}
sys.exit(exit_code_of(run))
"""
    words = [sys.executable, "-c", running]
    done = subprocess.run(words, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("name", "code"), NUMBERS)
def test_a_signal_that_comes_to_a_destructor_is_not_lost(name: str, code: int, tmp_path: Path) -> None:
    """Its exception is swallowed there, and the command went on to its end with exit code 0."""
    swallows = f"""
class Dying:
    def __del__(self):
        signal.raise_signal(signal.{name})
def run():
    Dying()
    time.sleep(60)
    time.sleep(60)
"""
    assert ended(swallows, tmp_path) == (code, "")


MAKES = {
    "a file": 'with files.atomic_file(Path("made")): pass',
    "a folder": 'with files.atomic_folder(Path("made")): pass',
    "files": 'files.atomic_files(Path("made"), {"a": "1"})',
    "a lock": 'with files.only_writer(Path("folder/made")): pass',
}


@pytest.mark.parametrize("call", ["open", "mkdir"])
@pytest.mark.parametrize("making", MAKES.values(), ids=MAKES)
def test_a_signal_just_after_something_is_made(making: str, call: str, tmp_path: Path) -> None:
    """Whoever made it could not remove it yet: the file of a lock stayed."""
    interrupted = f"""
def interrupted(*given, made=os.{call}, **more):
    result = made(*given, **more)
    signal.raise_signal(signal.SIGTERM)
    return result
def run():
    os.{call} = interrupted
    {making}
    os.kill(os.getpid(), signal.SIGTERM)
"""
    assert ended(interrupted, tmp_path) == (-signal.SIGTERM, "")
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".") or path.name == "folder"]


def test_of_several_files_all_get_their_names(tmp_path: Path) -> None:
    renamed = """
def interrupted(*given, rename=os.replace):
    rename(*given)
    os.replace = rename
    signal.raise_signal(signal.SIGTERM)
def run():
    os.replace = interrupted
    files.atomic_files(Path("made"), {"a": "1", "b": "2"})
"""
    assert ended(renamed, tmp_path) == (-signal.SIGTERM, "")
    assert sorted(os.listdir(tmp_path / "made")) == ["a", "b"]


@pytest.mark.parametrize("name", [name for name, _ in NUMBERS])
def test_a_signal_when_all_is_done(name: str) -> None:
    """It ended in a traceback of what Python does at exit."""
    late = f"""
import atexit, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(lambda: (os.kill(os.getpid(), signal.{name}), time.sleep(60)))
sys.argv = ["overproof", "--version"]
from overproof.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", late], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (-signal.Signals[name], "")
