"""Run the fuzzer in processes of their own: one that crashes or hangs is a finding, and another goes on.

A run that is told to end (SIGINT, SIGTERM) lets every process finish its input. What it did is stored now and then, so
that another run can go on where it stood, also where it was killed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from fuzz.corpus import FOUND
from fuzz.report import Report, stored
from fuzz.target import Files, Target
from fuzz.worker import Finding, limited, tried
from overproof.errors import InputError

FORK = multiprocessing.get_context("fork")
STUCK_SECONDS = 300  # by the clock: what the signal of the processor's time does not reach
POLL_SECONDS = 0.2
STORED_SECONDS = 10.0  # between two times that the report is written
KEPT_OF_ONE = 3  # inputs that are kept of findings of one place
NONE = -1


@dataclass(frozen=True)
class Settings:
    """What is run.

    Attributes
    ----------
    seed
        Of the whole run: with an input's number it makes that input.
    inputs
        How many, those of earlier runs included; None goes on until the time is over.
    seconds
        By the clock; None goes on until all inputs are tried.
    workers
        Processes.
    out
        Folder for findings and their inputs, and the report.
    resume
        Go on behind the inputs of the runs whose report is in that folder, and add to it.
    """

    seed: int = 0
    inputs: int | None = None
    seconds: float | None = None
    workers: int = 1
    out: Path = Path("out/fuzz")
    resume: bool = False


def input_of(number: int, seed: int, targets: Mapping[str, Target]) -> tuple[Target, Files]:
    """Make an input by its number."""
    random = Random(f"{seed}:{number}")
    target = random.choices(list(targets.values()), [one.share for one in targets.values()])[0]
    return target, target.make(random)


class _Worker:
    """One process, and what it tells of where it is; memory is shared, so that a crash loses nothing of it."""

    def __init__(self, place: int, settings: Settings, targets: Mapping[str, Target], before: Report) -> None:
        self.place, self.settings, self.targets = place, settings, targets
        left = None if settings.inputs is None else settings.inputs - before.total
        self._behind = None if left is None else before.following + left  # the number behind the last input's
        self.number = FORK.RawValue("q", NONE)  # the input that is being tried
        self.counts = FORK.RawArray("q", len(targets))
        self.core = FORK.RawArray("d", len(targets))
        self.following = FORK.RawValue("q", before.following)  # a number behind all that it tried
        self.stopped = FORK.RawValue("b", 0)
        self.file = settings.out / f"findings-{place}.jsonl"
        self.done = False
        # by the run's clock: a crash does not begin it anew
        self._ends = None if settings.seconds is None else time.monotonic() + settings.seconds
        self.start(before.following + place)

    def start(self, first: int) -> None:
        self._seen, self._since = NONE, time.monotonic()
        self.process = FORK.Process(target=self._work, args=(first,), daemon=True)
        self.process.start()

    def _work(self, first: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one says when it ends
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        limited()
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)  # panics of libraries are printed there before they are raised
        places, number = list(self.targets), first
        while (
            not self.stopped.value
            and (self._behind is None or number < self._behind)
            and (self._ends is None or time.monotonic() < self._ends)
        ):
            self.number.value = number
            before = time.process_time()
            target, files = input_of(number, self.settings.seed, self.targets)
            finding = tried(target, files, number)
            place = places.index(target.name)
            self.counts[place] += 1
            self.core[place] += time.process_time() - before
            self.following.value = number + 1
            if finding is not None:
                with self.file.open("a") as file:
                    file.write(f"{json.dumps(asdict(finding))}\n")
            number += self.settings.workers

    def watch(self) -> None:
        """Find out whether it has ended, crashed or is stuck; go on behind the input that did it."""
        if self.number.value != self._seen:
            self._seen, self._since = self.number.value, time.monotonic()
        stuck = time.monotonic() - self._since > STUCK_SECONDS
        if self.process.is_alive() and not stuck:
            return
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        if not stuck and self.process.exitcode == 0:
            self.done = True
            return
        number = int(self.number.value)
        self.following.value = number + 1
        target, _ = input_of(number, self.settings.seed, self.targets)
        self.counts[list(self.targets).index(target.name)] += 1
        kind, what = ("hang", "stuck") if stuck else ("crash", f"exit code {self.process.exitcode}")
        with self.file.open("a") as file:
            file.write(f"{json.dumps(asdict(Finding(target.name, number, kind, what, what)))}\n")
        self.start(number + self.settings.workers)


def run(settings: Settings, targets: Mapping[str, Target]) -> Report:
    """Try the inputs, and keep those that find something, of each place the first few."""
    before = _before(settings)
    begin = saved = time.monotonic()
    workers = [_Worker(place, settings, targets, before) for place in range(settings.workers)]
    with _stopping(workers):
        while not all(worker.done for worker in workers):
            time.sleep(POLL_SECONDS)
            for worker in workers:
                if not worker.done:
                    worker.watch()
            if time.monotonic() - saved > STORED_SECONDS:
                saved = time.monotonic()
                _added(before, workers, targets, saved - begin).store(settings.out)
    report = _added(before, workers, targets, time.monotonic() - begin)
    report.findings = _gathered(sorted(settings.out.glob("findings-*.jsonl")), settings, targets)
    report.store(settings.out)
    return report


def _before(settings: Settings) -> Report:
    """Return the report that is gone on with, of nothing where there is none; then the folder is emptied."""
    found = stored(settings.out) if settings.resume else None
    if found is None:
        shutil.rmtree(settings.out, ignore_errors=True)
        settings.out.mkdir(parents=True)
        return Report(settings.seed, settings.workers, len(list(FOUND.iterdir())))
    if found.seed != settings.seed:
        raise InputError(f"{settings.out}: a run of seed {found.seed}; expected to go on with that one")
    return replace(found, kept=len(list(FOUND.iterdir())), workers=max(found.workers, settings.workers))


@contextmanager
def _stopping(workers: list[_Worker]) -> Iterator[None]:
    """Let the workers end after their input, once this process is told to."""

    def stop(*_: object) -> None:
        for worker in workers:
            worker.stopped.value = 1

    kinds = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(kind, stop) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, former, strict=True):
            signal.signal(kind, handler)


def _added(before: Report, workers: list[_Worker], targets: Mapping[str, Target], seconds: float) -> Report:
    """Return the report with what the workers did so far."""
    inputs, core = dict(before.inputs), dict(before.core_seconds)
    for place, name in enumerate(targets):
        inputs[name] = inputs.get(name, 0) + sum(worker.counts[place] for worker in workers)
        core[name] = core.get(name, 0.0) + sum(worker.core[place] for worker in workers)
    following = max(worker.following.value for worker in workers)
    return replace(
        before,
        runs=before.runs + 1,
        following=following,
        seconds=before.seconds + seconds,
        inputs=inputs,
        core_seconds=core,
    )


def _gathered(files: list[Path], settings: Settings, targets: Mapping[str, Target]) -> list[dict[str, Any]]:
    """Put findings of one place together, and write the inputs of the first few."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    lines = [line for file in files for line in file.read_text().splitlines()]
    for finding in sorted((Finding(**json.loads(line)) for line in lines), key=lambda one: one.number):
        key = finding.target, finding.kind, finding.place
        entry = found.setdefault(key, {**asdict(finding), "numbers": [], "times": 0})
        entry["times"] += 1
        if len(entry["numbers"]) < KEPT_OF_ONE:
            entry["numbers"].append(finding.number)
            keep(
                input_of(finding.number, settings.seed, targets)[1], settings.out / f"{finding.target}-{finding.number}"
            )
    return list(found.values())


def keep(files: Files, folder: Path) -> None:
    """Write an input into a folder, as `kept` reads it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def kept(folder: Path) -> tuple[str, Files]:
    """Read an input back: the target's name, which begins the folder's, and the files."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return folder.name.partition("-")[0], files
