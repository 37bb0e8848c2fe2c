"""What code that is not ours prints, in whatever way, is not part of our output."""

from __future__ import annotations

import json
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
IN_A_LIBRARY = """
from overproof.distillation.teachers.callable import load
from overproof.events.schema import event_table
from overproof.files import results
teacher = load("noisy:noisy")
print("ours", file=results(), flush=True)
teacher.logits(event_table({"text": ["a", "b"]}))
print("ours again", file=results(), flush=True)
"""
ASK = f"""
import sys
from overproof.__main__ import _named
sys.stdout = _named(sys.stdout)
{IN_A_LIBRARY}"""
SAID = ["at import", "print", "write", "buffer", "number", "child", "thread"]


def python(folder: Path, root: Path, *words: str | Path, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    places = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{folder}"}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=places, timeout=timeout)


def test_whatever_it_prints_goes_to_standard_error(tmp_path: Path, root: Path) -> None:
    """The command line's own output has another number; in library use number 1 and children are the caller's."""
    (tmp_path / "noisy.py").write_text(NOISY)
    done = python(tmp_path, root, "-c", ASK)
    assert done.stdout.split("\n") == ["ours", "ours again", ""]
    assert sorted(done.stderr.split("\n")[:-1]) == sorted(SAID)
    done = python(tmp_path, root, "-c", IN_A_LIBRARY)
    assert done.stdout.split("\n") == ["ours", "number", "child", "ours again", ""]
    assert sorted(done.stderr.split("\n")[:-1]) == sorted({*SAID} - {"number", "child"})


def test_verdicts_stand_alone_beside_a_noisy_full_model(tmp_path: Path, root: Path, small_bundle: Path) -> None:
    later = "import atexit\natexit.register(print, 'at exit')\n"
    (tmp_path / "noisy.py").write_text(NOISY + later)
    (tmp_path / "events.txt").write_text("".join(f"{i} select {'x' * i}\n" for i in range(40)))
    words = ["triage", small_bundle, "events.txt", "--full", "noisy:noisy", "--max-escalations", "100%"]
    done = python(tmp_path, root, "-m", "overproof", *words)
    assert done.returncode == 0, done.stderr
    assert {line[0] for line in done.stdout.splitlines()} == {"{"}
    assert '"decided_by":"full"' in done.stdout
    assert {*SAID, "at exit"} <= set(done.stderr.splitlines())


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
    print("ours, while it runs", file=own)
    with on_standard_error(), on_standard_error():
        print("theirs, too")
    print("ours, still", file=own)
    ended.set()
    thread.join()
    assert sys.stdout is own
    found = capsys.readouterr()
    assert found.out == "ours, while it runs\nours, still\n"
    assert found.err == "theirs\ntheirs, too\n"


WRAPPED = "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')"
DETACHED = "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')"


@pytest.mark.parametrize(
    ("at_import", "at_query"),
    [
        (["sys.stdout.reconfigure(encoding='utf-8')", WRAPPED, "os.chdir('elsewhere')", "os.fork()"], ["pass"]),
        ([DETACHED, "sys.stdout.close()", "os.fork() or sys.exit('the child')"], ["sys.stdout = sys.stderr = None"]),
        ([WRAPPED.replace("stdout", "stderr")], ["sys.stdout = sys.__stdout__", "print('theirs')", WRAPPED]),
        (["os.close(1)"], [WRAPPED, "os.chdir(os.sep)", "sys.stdout = open(os.devnull, 'w')", "os.fork()"]),
    ],
)
def test_what_it_makes_of_the_process_is_put_back(
    at_import: list[str], at_query: list[str], tmp_path: Path, root: Path, small_bundle: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    lines = ["import io, os, sys", "import numpy as np", *at_import]
    lines += ["class Rule:", "    classes_ = ['benign', 'sqli', 'xss']", "    def predict_proba(self, texts):"]
    lines += [*(f"        {one}" for one in at_query), "        return np.tile([0.2, 0.3, 0.5], (len(texts), 1))"]
    (tmp_path / "rules.py").write_text("\n".join([*lines, "rule = Rule()"]))
    (tmp_path / "events.txt").write_text("hello\nworld\n")
    words = ["triage", small_bundle, "events.txt", "--full", "rules:rule", "--max-escalations", "100%"]
    done = python(tmp_path, root, "-m", "overproof", *words, "--rejects", "rejects.jsonl")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert (tmp_path / "rejects.jsonl").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


LEFT = {
    "a thread": "threading.Thread(target=time.sleep, args=(900,)).start()",
    "a thread that prints": "threading.Thread(target=prints).start()",
    "a thread that ends it": "threading.Thread(target=lambda: (time.sleep(0.2), os._exit(0))).start()",
    "a pool": "ThreadPoolExecutor(1).submit(time.sleep, 900)",
    "a child": "multiprocessing.get_context('fork').Process(target=time.sleep, args=(900,)).start()",
    "what runs at exit": "atexit.register(time.sleep, 900)",
    "what C still holds": "ctypes.CDLL(None).printf(b'theirs\\n')",
}


@pytest.mark.parametrize("left", LEFT)
def test_what_it_leaves_running_neither_keeps_the_program_nor_prints_among_verdicts(
    left: str, tmp_path: Path, root: Path, small_bundle: Path
) -> None:
    (tmp_path / "rules.py").write_text(
        f"""
import atexit, ctypes, multiprocessing, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
class Rule:
    classes_ = ['benign', 'sqli', 'xss']
    def predict_proba(self, texts):
        return np.tile([0.2, 0.3, 0.5], (len(texts), 1))
def prints():
    while True:
        print("theirs")
        time.sleep(0.01)
def rule():
    {LEFT[left]}
    return Rule()
"""
    )
    (tmp_path / "events.txt").write_text("hello\nworld\n")
    words = ["triage", small_bundle, "events.txt", "--full", "rules:rule", "--max-escalations", "100%"]
    done = python(tmp_path, root, "-m", "overproof", *words, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["decided_by"] for line in done.stdout.splitlines()] == ["full", "full"]
