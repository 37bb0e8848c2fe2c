"""What code that is not ours prints, in whatever way, is not part of our output."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from overproof.distillation.teachers.foreign_output import on_standard_error

NOISY = """
import os, subprocess, sys, threading
import numpy as np
print("at import")
class Noisy:
    classes_ = ["benign", "sqli", "xss"]
    def predict_proba(self, texts):
        print("print")
        sys.stdout.write("write\\n")
        sys.stdout.buffer.write(b"buffer\\n")
        sys.stdout.flush()
        os.write(1, b"number\\n")
        subprocess.run(["echo", "child"])
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
        return np.tile([0.2, 0.3, 0.5], (len(texts), 1))
noisy = Noisy()
"""
ASK = """
from overproof.distillation.teachers.callable import load
from overproof.events.schema import event_table
teacher = load("noisy:noisy")
print("ours")
teacher.logits(event_table({"text": ["a", "b"]}))
print("ours again")
"""
SAID = ["at import", "print", "write", "buffer", "number", "child", "thread"]


def python(folder: Path, root: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    places = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{folder}"}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=folder, env=places)


def test_whatever_it_prints_goes_to_standard_error(tmp_path: Path, root: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    done = python(tmp_path, root, "-c", ASK)
    assert done.stdout.split("\n") == ["ours", "ours again", ""]
    assert sorted(done.stderr.split("\n")[:-1]) == sorted(SAID)


def test_verdicts_stand_alone_beside_a_noisy_full_model(tmp_path: Path, root: Path, small_bundle: Path) -> None:
    alone = NOISY.replace('os.write(1, b"number\\n")', "").replace('subprocess.run(["echo", "child"])', "")
    (tmp_path / "noisy.py").write_text(alone)
    (tmp_path / "events.txt").write_text("".join(f"{i} select {'x' * i}\n" for i in range(40)))
    words = ["triage", small_bundle, "events.txt", "--full", "noisy:noisy", "--max-escalations", "100%"]
    done = python(tmp_path, root, "-m", "overproof", *words)
    assert done.returncode == 0, done.stderr
    assert {line[0] for line in done.stdout.splitlines()} == {"{"}
    assert '"decided_by":"full"' in done.stdout
    assert "thread" in done.stderr.splitlines()


def test_threads_may_overlap(capsys: pytest.CaptureFixture[str]) -> None:
    own, begun, ended = sys.stdout, threading.Event(), threading.Event()

    def foreign() -> None:
        with on_standard_error():
            print("theirs")
            begun.set()
            assert ended.wait(30)

    thread = threading.Thread(target=foreign)
    thread.start()
    assert begun.wait(30)
    print("ours, while it runs")
    with on_standard_error(), on_standard_error():
        print("theirs, too")
    print("ours, still")
    ended.set()
    thread.join()
    assert sys.stdout is own
    found = capsys.readouterr()
    assert found.out == "ours, while it runs\nours, still\n"
    assert found.err == "theirs\ntheirs, too\n"
