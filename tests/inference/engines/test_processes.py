"""Several processes: the scores and the order of one, whatever happens to a worker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from overproof.bundle.manifest import open_bundle, write_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.tiers import open as open_scorer
from overproof.errors import BundleError, InputError, OverproofError, TamperedBundle
from overproof.inference.engines import Scored, in_process, worker_processes
from overproof.inference.engines import worker as worker_module

from .conftest import batches_of


def workers_of(parent: int) -> list[int]:
    """The worker processes that a process has."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        # A thread of a library's pool may end between being listed and being read.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if b"overproof.inference.engines.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.append(int(child))
    return found


def running(process: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noted does not."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def assert_same(got: list[Scored], batches: list[pa.RecordBatch], scorer: OnnxScorer) -> None:
    """Every batch once, in order, its scores those of one process, to the bit."""
    assert [batch.column("origin").to_pylist() for batch, _ in got] == [b.column("origin").to_pylist() for b in batches]
    for (_, scores), (_, expected) in zip(got, in_process(scorer)(iter(batches)), strict=True):
        assert scores.classes == expected.classes
        np.testing.assert_array_equal(scores.logits, expected.logits)
        np.testing.assert_array_equal(scores.windows, expected.windows)
        np.testing.assert_array_equal(scores.overflow, expected.overflow)
        assert scores.ood_distance is not None
        np.testing.assert_array_equal(scores.ood_distance, expected.ood_distance)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a worker or a thread behind."""
    yield
    assert workers_of(os.getpid()) == []
    assert [t for t in threading.enumerate() if t.name.startswith("overproof")] == []


def test_scores_and_order_are_those_of_one_process(bundle: Path, scorer: OnnxScorer) -> None:
    batches = batches_of(25)
    assert_same(list(worker_processes(scorer, bundle, 3)(iter(batches))), batches, scorer)


def test_no_events_start_no_worker(bundle: Path, scorer: OnnxScorer) -> None:
    assert list(worker_processes(scorer, bundle, 2)(iter([]))) == []
    empty = batches_of(1)[0].slice(0, 0)
    ((batch, scores),) = worker_processes(scorer, bundle, 2)(iter([empty]))
    assert batch.num_rows == 0
    assert scores.logits.shape == (0, 3)


def test_one_worker_is_this_process(bundle: Path, scorer: OnnxScorer) -> None:
    batches = batches_of(2)
    engine = worker_processes(scorer, bundle / "which is not opened", 1)
    assert_same(list(engine(iter(batches))), batches, scorer)


def test_killed_workers_lose_nothing_and_double_nothing(bundle: Path, scorer: OnnxScorer) -> None:
    batches = batches_of(30)
    killed = []

    def source() -> Iterator[pa.RecordBatch]:
        for place, batch in enumerate(batches):
            if place in (8, 16, 24):
                until(lambda: bool(workers_of(os.getpid())))
                killed.extend(workers_of(os.getpid()))
                for worker in killed[-2:]:
                    os.kill(worker, signal.SIGKILL)
            yield batch

    got = list(worker_processes(scorer, bundle, 2)(source()))
    assert len(set(killed)) > 3
    assert_same(got, batches, scorer)


DEADLY = """
import json, os, signal, sys
from overproof.inference.engines import worker
scored = worker._scored
def deadly(scorer, batch):
    if "fall over" in worker.texts_of(batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return scored(scorer, batch)
worker._scored = deadly
worker.serve(int(sys.argv[1]))
"""


def test_a_batch_that_workers_die_of_is_named(
    bundle: Path, scorer: OnnxScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_START", DEADLY)
    batches = batches_of(6)
    texts = batches[3].column("text").to_pylist()
    deadly = pa.RecordBatch.from_arrays(
        [pa.array([*texts[:-1], "fall over"], pa.large_string()), *batches[3].columns[1:]], schema=batches[3].schema
    )
    got: list[Scored] = []
    with pytest.raises(OverproofError, match=r"^made:151 to made:200 \(50 events\): 3 worker processes died"):
        for scored in worker_processes(scorer, bundle, 2)(iter([*batches[:3], deadly, *batches[4:]])):
            got.append(scored)
    assert_same(got, batches[:3], scorer)


def test_another_bundle_than_the_parents_is_refused(bundle: Path, scorer: OnnxScorer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundle, other)
    with (other / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(TamperedBundle, match=r"model\.onnx: changed"):
        list(worker_processes(scorer, other, 2)(iter(batches_of(4))))
    with pytest.raises(BundleError, match="no such folder"):
        list(worker_processes(scorer, tmp_path / "absent", 2)(iter(batches_of(4))))


def test_a_sound_bundle_put_in_its_place_is_refused_too(bundle: Path, scorer: OnnxScorer, tmp_path: Path) -> None:
    opened = open_bundle(bundle)
    write_bundle(tmp_path / "other", replace(opened.manifest, seed=7), opened.files)
    assert open_scorer(tmp_path / "other").classes == scorer.classes
    with pytest.raises(TamperedBundle, match="another bundle than the one that was opened at first"):
        list(worker_processes(scorer, tmp_path / "other", 2)(iter(batches_of(4))))


def test_what_the_source_raises_comes_out_after_what_it_gave(bundle: Path, scorer: OnnxScorer) -> None:
    batches = batches_of(3)

    def source() -> Iterator[pa.RecordBatch]:
        yield from batches
        raise InputError("access.log: no usable event")

    got = []
    with pytest.raises(InputError, match=r"access\.log"):
        for scored in worker_processes(scorer, bundle, 2)(source()):
            got.append(scored)
    assert_same(got, batches, scorer)


def test_a_batch_comes_out_while_the_source_is_idle(bundle: Path, scorer: OnnxScorer) -> None:
    first, second = batches_of(2)
    given_out = threading.Event()

    def source() -> Iterator[pa.RecordBatch]:
        yield first
        assert given_out.wait(30)
        yield second

    got = []
    for scored in worker_processes(scorer, bundle, 2)(source()):
        got.append(scored)
        given_out.set()
    assert_same(got, [first, second], scorer)


def test_it_reads_no_further_ahead_than_its_window(bundle: Path, scorer: OnnxScorer) -> None:
    batches = batches_of(40, rows=5)
    read = 0

    def source() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for batch in batches:
            read += 1
            yield batch

    got = []
    for scored in worker_processes(scorer, bundle, 2)(source()):
        got.append(scored)
        time.sleep(0.002)
        assert read - len(got) < 6 + 1
    assert_same(got, batches, scorer)


def test_it_can_be_closed_while_the_source_is_idle(bundle: Path, scorer: OnnxScorer) -> None:
    over = threading.Event()

    def source() -> Iterator[pa.RecordBatch]:
        yield from batches_of(2)
        over.wait(30)

    with closing(worker_processes(scorer, bundle, 2)(source())) as scored:
        next(scored)
    assert workers_of(os.getpid()) == []
    over.set()
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("overproof")])


SCRIPT = """
import sys, time
from pathlib import Path
import overproof
from overproof.inference.engines import worker_processes
from overproof.events.schema import event_table

def source():
    (batch,) = event_table({"text": ["id=1", "<script>"]}).to_batches()
    while True:
        yield batch
        time.sleep(IDLE)

try:
    for batch, scores in worker_processes(overproof.open(sys.argv[1]), sys.argv[1], 2)(source()):
        print("scored", flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("how", "idle"), [("SIGINT", 0), ("SIGINT", 60), ("SIGKILL", 60), ("SIGTERM", 0)])
def test_workers_end_with_their_parent(bundle: Path, tmp_path: Path, how: str, idle: int) -> None:
    """Ctrl-C, which a terminal sends to the whole process group; kill -9; kill. The script has no `__main__` guard."""
    script = tmp_path / "judge.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("IDLE", str(idle)))
    with subprocess.Popen(
        [sys.executable, str(script), str(bundle)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        assert parent.stdout.readline() == "scored\n"
        workers = workers_of(parent.pid)
        assert workers
        number = signal.Signals[how]
        if how == "SIGINT":
            os.killpg(parent.pid, number)
        else:
            parent.send_signal(number)
        assert parent.wait(20) == (130 if how == "SIGINT" else -number)
        until(lambda: not any(map(running, workers)))
        assert parent.stderr.read() == ""


def test_ctrl_c_ends_a_run_whose_standard_input_is_idle(bundle: Path, tmp_path: Path) -> None:
    """The thread that waits for it is left behind, and must not hold a lock that the interpreter needs to end."""
    script = tmp_path / "judge.py"
    reading = "from overproof.events.sources import read_events\nsource = lambda: read_events('-', on_skip=print)\ntry:"
    script.write_text(SCRIPT.replace("try:", reading))
    with subprocess.Popen(
        [sys.executable, str(script), str(bundle)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None and parent.stderr is not None
        parent.stdin.write(b"text\nid=1\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == b"scored\n"
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(20) == 130
        assert parent.stderr.read() == b""
