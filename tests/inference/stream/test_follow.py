"""Runs that follow files, are broken off anywhere and taken up again: every line is judged once."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.events.sources import Rejects, follow
from overproof.events.sources.follow import grown, place
from overproof.inference.cascade import Cascade
from overproof.inference.engines import in_process
from overproof.inference.stream import Request, RunContext, Summary, triage
from overproof.inference.stream.journal import Journal

from ...events.sources.test_live import STREAMS


class Broken(Exception):
    pass


class Runs:
    """Runs of one request that follows a file, each of which ends after what is written by then.

    One that is given something to do between two batches ends when as many lines are judged, by it and by those before
    it, as are written.
    """

    def __init__(self, student: OnnxScorer, folder: Path) -> None:
        self.log, self.out, self.rejects = folder / "a.log", folder / "out.jsonl", folder / "rejects.jsonl"
        self.student, self.written, self.judged = student, 0, 0
        self.request = Request((str(self.log),), str(self.out), follow=True, with_text=True)

    def write(self, lines: int) -> None:
        with self.log.open("a") as file:
            for _ in range(lines):
                self.written += 1
                file.write(f"line {self.written}\n")

    def run(self, between: Callable[[int], None] | None = None, **changes: Any) -> Summary:
        end = time.monotonic() + 60

        def engine(batches: Iterator[Any]) -> Iterator[Any]:
            for number, scored in enumerate(in_process(self.student)(batches)):
                if between is not None:
                    between(number)
                self.judged += scored[0].num_rows
                yield scored

        def stop() -> bool:
            return between is None or self.judged >= self.written or time.monotonic() > end

        with Rejects(self.rejects, appended=True) as rejects:
            context = RunContext(rejects, stop)
            return triage(Cascade(self.student), replace(self.request, **changes), engine=engine, context=context)

    @property
    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.out.read_bytes().splitlines()]

    @property
    def expected(self) -> list[str]:
        return [f"line {n + 1}" for n in range(self.written)]


@pytest.fixture
def runs(student: OnnxScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(grown, "LINGER", 0.05)
    return Runs(student, tmp_path)


def rename(log: Path, behind: str) -> None:
    log.rename(log.with_name(f"{log.name}{behind}"))


def copy(log: Path, behind: str) -> None:
    shutil.copy(log, log.with_name(f"{log.name}{behind}"))
    os.truncate(log, 0)


def compress(log: Path, behind: str) -> None:
    with gzip.open(log.with_name(f"{log.name}{behind}.gz"), "wb") as file:
        file.write(log.read_bytes())
    log.unlink()


def copy_compressed(log: Path, behind: str) -> None:
    with gzip.open(log.with_name(f"{log.name}{behind}.gz"), "wb") as file:
        file.write(log.read_bytes())
    os.truncate(log, 0)


ROTATIONS: list[Callable[[Path, str], None]] = [rename, copy, compress, copy_compressed]


@pytest.mark.parametrize("name", STREAMS)
def test_a_run_that_was_stopped_goes_on_in_any_format(student: OnnxScorer, tmp_path: Path, name: str) -> None:
    head, line = (part.decode() for part in STREAMS[name])
    runs = Runs(student, tmp_path)
    runs.log.write_text(head + "".join(line % n for n in range(5)))
    runs.run()
    with runs.log.open("a") as file:
        file.write("".join(line % n for n in range(5, 9)))
    summary = runs.run()
    assert (summary.resumed, summary.tally.events, summary.rejected) == (5, 9, {})
    whole = tmp_path / "whole.jsonl"
    triage(Cascade(student), Request((str(runs.log),), str(whole), with_text=True, reading=runs.request.reading))
    assert runs.out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("more", [0, 7])
def test_files_that_were_rotated_between_two_runs_are_read_to_their_end(
    runs: Runs, rotate: Callable[[Path, str], None], more: int
) -> None:
    runs.write(20)
    runs.run()
    for number in range(3):
        runs.write(more or number)  # the file that was being read, and others that nobody has seen
        if runs.log.exists():
            rotate(runs.log, f".{number + 1}")
        runs.write(10)
        time.sleep(0.02)  # two files that were last written at one time could not be told apart
    summary = runs.run()
    assert runs.texts == runs.expected
    assert (summary.resumed, summary.rejected) == (20, {})
    assert runs.run().tally.events == len(runs.expected)
    assert runs.texts == runs.expected


def test_a_compressed_file_beside_a_plain_one_of_its_name(runs: Runs) -> None:
    """It is none that is still being compressed, and was passed over for good."""
    runs.write(3)
    runs.run()
    compress(runs.log, ".1")
    runs.write(3)
    compress(runs.log, ".2")
    runs.write(3)
    rename(runs.log, ".2")
    runs.write(3)
    runs.run()
    assert sorted(runs.texts) == sorted(runs.expected)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["nothing of it", "its start", "all"])
def test_a_file_that_is_being_compressed_is_read_once(runs: Runs, part: int) -> None:
    runs.write(3)
    runs.run()
    rename(runs.log, ".2")
    runs.write(3)
    rename(runs.log, ".1")
    packed = gzip.compress(runs.log.with_name("a.log.1").read_bytes(), mtime=0)
    runs.log.with_name("a.log.1.gz").write_bytes(packed[: len(packed) * part // 2])
    runs.write(3)
    runs.run()
    assert runs.texts == runs.expected


@pytest.mark.parametrize(
    ("step", "nth", "by"), [("siblings", 1, 2), ("_missed", 2, 1)], ids=["looked at", "about to be opened"]
)
def test_names_that_rotation_moves_on_while_what_was_missed_is(
    runs: Runs, step: str, nth: int, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next file had the name by then: it was read instead, and the one before it never."""
    runs.write(3)
    runs.run()
    for number in (3, 2, 1):
        rename(runs.log, f".{number}")
        runs.write(3)
        time.sleep(0.02)  # two files that were last written at one time could not be told apart
    real, looks = getattr(place, step), 0

    def moved(*about: Any) -> Any:
        nonlocal looks
        found, missed = real(*about), step == "_missed" or sys._getframe(1).f_code.co_name == "_missed"
        looks += missed
        if missed and looks == nth:
            for number in (3, 2, 1):
                older = runs.log.with_name(f"a.log.{number}")
                older.rename(older.with_name(f"a.log.{number + by}"))
        return found

    monkeypatch.setattr(place, step, moved)
    assert runs.run().rejected == {}
    assert runs.texts == runs.expected


def pointed_elsewhere(log: Path, day: int) -> None:
    """As cronolog and rotatelogs do."""
    target = log.parent / "days" / f"app-2026-01-{day:02d}.log"
    target.touch()
    (log.parent / "new").symlink_to(target)
    (log.parent / "new").rename(log)


def renamed_behind(log: Path, day: int) -> None:
    """As the kubelet does with what a link in /var/log/containers leads to."""
    target = log.parent / "days" / "0.log"
    if log.is_symlink():
        target.rename(f"{target}.202601{day:02d}-120000")
    else:
        log.symlink_to(target)
    target.touch()


@pytest.mark.parametrize("rotate", [pointed_elsewhere, renamed_behind])
@pytest.mark.parametrize("rotations", [1, 3])
def test_a_link_to_a_log_in_another_folder(runs: Runs, rotate: Callable[[Path, int], None], rotations: int) -> None:
    """What it led to before was looked for beside the link alone, and lost with the next start."""
    (runs.log.parent / "days").mkdir()
    rotate(runs.log, 1)
    runs.write(3)
    runs.run()
    for day in range(rotations):
        runs.write(2)
        rotate(runs.log, 2 + day)
    runs.write(4)
    assert runs.run().rejected == {}
    assert runs.texts == runs.expected


def test_a_log_of_which_no_more_than_its_header_was_read(runs: Runs) -> None:
    """The next file, which begins with the same header, was taken for it, and what stands in its copy was lost."""

    def head() -> None:
        runs.log.write_text("".join(f"# line {n} of a long header\n" for n in range(100)))

    head()
    runs.run()
    for number in (1, 3):
        runs.write(2)
        copy(runs.log, f".{number}")
        runs.write(2)
        rename(runs.log, f".{number + 1}")
        head()
    runs.write(2)
    runs.run()
    assert [text for text in runs.texts if not text.startswith("#")] == runs.expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-8"])
def test_a_log_in_utf_16_goes_on(runs: Runs, encoding: str) -> None:
    """It was refused, though the same log is read where it is not followed."""
    for begins in ("\ufeff", "", "\ufeff", ""):
        if begins and runs.log.exists():
            rename(runs.log, ".1")
        with runs.log.open("ab") as file:
            for _ in range(2):
                runs.written += 1
                file.write(f"{begins}line {runs.written}\n".encode(encoding))
                begins = ""
        runs.run()
    assert runs.texts == runs.expected


def test_names_that_move_on_while_what_was_missed_is_read(runs: Runs) -> None:
    """Of three logs that were missed the second one was passed over: the first one's reading took its time."""

    def shift() -> None:
        for number in range(9, 0, -1):
            if (log := runs.log.with_name(f"a.log.{number}")).exists():
                log.rename(runs.log.with_name(f"a.log.{number + 1}"))
        rename(runs.log, ".1")

    runs.write(1)
    runs.run()
    for _ in range(4):
        shift()
        runs.write(3)
        time.sleep(0.02)

    def shift_once(number: int) -> None:
        if number == 1:
            shift()
            runs.write(3)

    runs.run(shift_once)
    assert runs.texts == runs.expected


def test_a_log_that_has_two_names(runs: Runs) -> None:
    runs.write(3)
    runs.run()
    for number in (1, 2):
        rename(runs.log, f".{number}")
        os.link(f"{runs.log}.{number}", f"{runs.log}-2026010{number}")
        runs.write(2)
    runs.run()
    assert runs.texts == runs.expected


def test_a_log_whose_name_is_not_utf_8(runs: Runs) -> None:
    runs.log = Path(os.fsdecode(os.fsencode(runs.log.parent) + b"/\xff.log"))
    runs.request = replace(runs.request, paths=(str(runs.log),))
    for _ in range(2):
        runs.write(3)
        runs.run()
    rename(runs.log, ".1")
    runs.write(3)
    runs.run()
    assert runs.texts == runs.expected


def test_names_that_rotation_moves_on(runs: Runs) -> None:
    """As logrotate does: a.log.1 becomes a.log.2."""
    for _ in range(4):
        runs.write(10)
        runs.run()
        runs.write(5)
        for number in (3, 2, 1):
            if (former := runs.log.with_name(f"a.log.{number}")).exists():
                former.rename(runs.log.with_name(f"a.log.{number + 1}"))
        rename(runs.log, ".1")
        time.sleep(0.02)
    runs.write(1)
    assert runs.run().rejected == {}
    assert runs.texts == runs.expected


def test_files_beside_it_that_are_none_of_its_own_are_left_alone(runs: Runs) -> None:
    runs.write(3)
    runs.log.with_name("a.log.1").write_text("older than the first run\n")
    runs.run()
    rename(runs.log, ".2")
    for name in ("a.log.err", "b.log.1", "a-2.log", "a.log.1.txt"):
        runs.log.with_name(name).write_text("of another log\n")
    runs.write(3)
    runs.run()
    assert runs.texts == runs.expected


@pytest.mark.parametrize("gone", [Path.unlink, lambda log: os.truncate(log, 0)])
def test_what_cannot_be_known_to_be_read_is_counted(runs: Runs, gone: Callable[[Path], None]) -> None:
    runs.write(10)
    runs.run()
    gone(runs.log)
    runs.write(10)
    assert runs.run().rejected == {follow.GONE: 1}
    assert runs.texts == runs.expected
    assert json.loads(runs.rejects.read_text())["reason"] == follow.GONE


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_files_are_rotated_while_the_run_is_busy(runs: Runs, rotate: Callable[[Path, str], None]) -> None:
    """Five times while one batch is judged, as a full model that takes its time lets happen."""

    def busy(number: int) -> None:
        for turn in range(0 if number else 5):
            runs.write(25)
            rotate(runs.log, f".{turn}")
            runs.write(25)
            time.sleep(0.02)

    runs.write(50)
    summary = runs.run(busy)
    assert runs.texts == runs.expected
    assert summary.rejected == {}


def test_rotation_that_keeps_one_file_while_the_run_is_busy_is_counted(runs: Runs) -> None:
    """Which of them took the place of which cannot be known."""

    def busy(number: int) -> None:
        for _ in range(0 if number else 3):
            runs.write(10)
            runs.log.replace(runs.log.with_name("a.log.1"))
        if not number:
            runs.write(10)
            runs.written -= 10  # of which the run need not wait

    runs.write(10)
    assert runs.run(busy).rejected == {follow.OVERWRITTEN: 1}
    assert runs.texts == [f"line {n}" for n in (*range(1, 21), *range(31, 51))]


def test_a_run_that_is_killed_before_any_mark_judges_nothing_twice(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the n-th mark, whose verdicts are written already, for every n."""
    save, marks, left = Journal.save, 0, 0

    def broken(self: Journal, mark: Any) -> None:
        nonlocal left, marks
        left, marks = left - 1, marks + 1
        if not left:
            raise Broken
        save(self, mark)

    monkeypatch.setattr(Journal, "save", broken)
    monkeypatch.setattr("overproof.inference.stream.job.FOLLOWED_SECONDS", 0.0)
    runs.log.write_text("text\n,bad\n")
    for _ in range(6):
        for n in range(1, 9):
            left = n
            with runs.log.open("a") as file:
                file.write("".join(f"line {runs.written + i + 1}\n" for i in range(700)) + ",bad\n")
            runs.written += 700
            try:
                summary = runs.run(reading=replace(runs.request.reading, format="csv"))
            except Broken:
                continue
    assert marks > 20
    left = -1
    summary = runs.run(reading=replace(runs.request.reading, format="csv"))
    assert runs.texts == runs.expected
    assert summary.rejected == {"wrong number of fields": 49}
    assert len(runs.rejects.read_text().splitlines()) == 49


def test_an_unfinished_line_is_judged_again_when_it_is_whole(runs: Runs) -> None:
    runs.write(2)
    with runs.log.open("a") as file:
        file.write("line ")
    assert runs.run().tally.events == 3
    assert runs.texts == ["line 1", "line 2", "line "]
    with runs.log.open("a") as file:
        file.write("3\nline 4")
    assert runs.run().tally.events == 4
    assert runs.texts == ["line 1", "line 2", "line 3", "line 4"]


@pytest.mark.parametrize("started", [False, True], ids=["begun with it", "met on the way"])
def test_the_hole_before_what_a_writer_goes_on_with_is_no_text(runs: Runs, started: bool) -> None:
    """Copied and truncated under a writer that does not append, a log begins with NULs: they were the line's."""
    with runs.log.open("w") as writer:
        print("line 1", file=writer, flush=True)
        if started:
            runs.run()
        writer.seek(1_000_000)
        copy(runs.log, ".1")
        print("line 2", file=writer, flush=True)
        runs.run()
        print("line 3", file=writer, flush=True)
        runs.run()
    assert runs.texts == [f"line {n}" for n in ((1, 2, 3) if started else (2, 3))]


def test_late_lines_of_a_rotated_file_are_counted(runs: Runs) -> None:
    late = runs.log.with_name("a.log.1")

    def busy(number: int) -> None:
        if number == 0:
            rename(runs.log, ".1")
            runs.write(1)
        else:
            late.write_text("line 1\nmuch\ntoo late\n")

    runs.write(1)
    assert runs.run(busy).rejected == {follow.LATE: 2}
    assert runs.texts == runs.expected


def test_verdicts_that_were_taken_away_are_not_judged_again(runs: Runs) -> None:
    runs.write(5)
    runs.run()
    runs.out.rename(runs.out.with_name("taken.jsonl"))
    runs.write(5)
    runs.run()
    assert runs.texts == runs.expected[5:]
    runs.out.write_text('{"text": "of somebody else"}\n' * 50)
    runs.write(1)
    runs.run()
    assert runs.texts == [*["of somebody else"] * 50, "line 11"]


def test_the_gravest_are_kept_from_run_to_run(runs: Runs) -> None:
    for _ in range(3):
        runs.write(20)
        runs.run(top=4)
    attacks = [json.loads(line)["attack"] for line in runs.out.read_bytes().splitlines()]
    runs.out.unlink()
    runs.out.with_name(".out.jsonl.positions").unlink()
    runs.run(top=4)
    assert attacks == [json.loads(line)["attack"] for line in runs.out.read_bytes().splitlines()]


@pytest.mark.parametrize("content", ["", "[]", '{"job": 1}'])
def test_positions_that_no_run_has_written_are_refused(runs: Runs, content: str) -> None:
    runs.out.with_name(".out.jsonl.positions").write_text(content)
    with pytest.raises(InputError, match=r"\.out\.jsonl\.positions: not what a run has written; remove it"):
        runs.run()


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ('"events":5', '"events":6'),
        ('"lines"', '"lanes"'),
        ('"tally":{', '"tally":{"":1,'),
    ],
    ids=["events", "format", "tally"],
)
def test_positions_that_were_changed_are_refused(runs: Runs, change: str, to: str) -> None:
    """A byte that turned on the disk was a traceback, or lines that were judged twice or never."""
    runs.write(5)
    runs.run()
    positions, judged = runs.out.with_name(".out.jsonl.positions"), runs.out.read_bytes()
    assert change in positions.read_text()
    positions.write_text(positions.read_text().replace(change, to))
    with pytest.raises(InputError, match=r"\.out\.jsonl\.positions: not what a run has written; remove it"):
        runs.run()
    assert runs.out.read_bytes() == judged


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def started(bundle: Path, log: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "overproof", "triage", str(bundle), "--follow", str(log), "--out", str(out)]
    return subprocess.Popen([*command, "--with-text"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def until_grown(out: Path) -> None:
    """Wait until some more verdicts are written; what a mark did not cover may be cut off first."""
    size, end = out.stat().st_size, time.monotonic() + 120
    while out.stat().st_size < size + 20_000:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("rotate", [rename, copy])
def test_a_process_that_is_killed_while_files_are_rotated(
    small_bundle: Path, tmp_path: Path, rotate: Callable[[Path, str], None]
) -> None:
    """A writer that never waits, a rotation every tenth of a second, and kill -9; then one that ends in peace."""
    log, out, total, ended = tmp_path / "a.log", tmp_path / "out.jsonl", 0, threading.Event()

    def write() -> None:
        nonlocal total
        number = 0
        while not ended.is_set():
            with log.open("a") as file:
                for _ in range(40):
                    total += 1
                    file.write(f"line {total}\n")
                    file.flush()
                    time.sleep(0.001)
            if not ended.is_set():
                rotate(log, f".{(number := number + 1)}")

    writer = threading.Thread(target=write)
    out.touch()
    try:
        for turn in range(3):
            running = started(small_bundle, log, out)
            while not turn and not out.with_name(".out.jsonl.positions").exists():
                time.sleep(0.01)  # what is rotated before the first run begins is none of its own
            if not turn:
                writer.start()
            until_grown(out)
            running.send_signal(signal.SIGKILL)
            running.communicate()
        last = started(small_bundle, log, out)
        until_grown(out)
        second = started(small_bundle, log, out)
        assert second.communicate(timeout=120)[1].decode() == f"error: {out}: another run is writing there\n"
        assert second.returncode == 2
    finally:
        ended.set()
        writer.join()
    last.send_signal(signal.SIGINT)
    told, warned = last.communicate(timeout=120)
    assert last.returncode == 0, warned
    assert b"rejected   0" in told
    found = [json.loads(line)["text"] for line in out.read_bytes().splitlines()]
    assert found == [f"line {n + 1}" for n in range(total)]
