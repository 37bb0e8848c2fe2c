"""Queue texts up to a bound, and work them off in threads, whatever is waiting in one call.

Requests share the threads fairly: each is cut into jobs that fit a call, requests of about as many jobs (1, 2 to 3, 4
to 7, …) wait in one line, in the order in which they came, and the lines take turns. So a short request waits for one
call of each longer kind at most, a long one for no crowd of short ones, and of many long ones the first are done first.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from overproof.errors import OverproofError
from overproof.portions import portions

SICK_SECONDS = 10.0  # after a panic the queue is not healthy, unless a call goes well before

Work = Callable[[list[str]], Any]  # to a sequence of answers, one a text


class Busy(OverproofError):
    """A queue is full; its text says which."""


class _Panic(RuntimeError):
    """What ended a thread, and no mere failure of one call."""


@dataclass(frozen=True, eq=False)
class _Job:
    """Texts of one request, how much work they are, what is to be done with them, and who waits for it."""

    work: Work
    texts: list[str]
    size: int
    done: asyncio.Future[Sequence[Any]]


@dataclass(frozen=True)
class Call:
    """Bounds of one call.

    Attributes
    ----------
    texts
        At most.
    size
        Of the work, at most; a larger text is worked on alone.
    size_of
        How much work a text is.
    """

    texts: int
    size: int = 1 << 62
    size_of: Callable[[str], int] = len


class BatchQueue:
    """Work for concurrent requests. Nothing waits in order to fill a call: what came while a thread worked shares one.

    Only requests for the same work share a call, so that one which began with another bundle gets that bundle's answer.

    Parameters
    ----------
    name
        Whose queue it is, in words.
    threads
        That work, one call each.
    queue
        Texts that may wait.
    call
        Bounds of one call; None gives every request, however long, a call of its own.
    measure
        Told the texts of each call.

    Attributes
    ----------
    panics
        Threads that ended and were started again.
    on_panic
        Told of each.
    """

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        queue: int,
        call: Call | None,
        measure: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.waiting, self.panics = 0, 0
        self._sick_until = 0.0
        self.on_panic: Callable[[str], None] = lambda message: None
        self._name, self._most, self._call, self._measure = name, queue, call, measure
        self._lines: dict[int, deque[_Job]] = {}  # those whose turn comes sooner first; none is empty
        self._changed = threading.Condition()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    async def __call__(self, work: Work, texts: list[str]) -> list[Any]:
        """Return what `work` gives for the texts, one answer each.

        Raises
        ------
        Busy
            If the queue has no room for all of them.
        """
        sizes, parts = self._divided(texts)
        with self._changed:
            if self._closed or self.waiting + len(texts) > self._most:
                raise Busy(f"{self._name}: {self.waiting} events are waiting, no room for {len(texts)} more")
            jobs = [_Job(work, texts[part], sum(sizes[part]), self._loop.create_future()) for part in parts]
            if jobs:
                self._lines.setdefault(len(jobs).bit_length(), deque()).extend(jobs)
            self.waiting += len(texts)
            self._changed.notify(len(jobs))
        try:
            return [answer for part in await asyncio.gather(*(job.done for job in jobs)) for answer in part]
        except BaseException:  # given up, or one of its parts failed: nobody waits for the others any more
            self._forget(jobs)
            raise

    def _divided(self, texts: list[str]) -> tuple[list[int], list[slice]]:
        """Return how much work each text is, and the texts of each job."""
        call = self._call
        if call is None:
            return [1] * len(texts), [slice(len(texts))] if texts else []
        sizes = [1 + call.size_of(text) for text in texts]
        return sizes, list(portions(sizes, call.size, call.texts))

    def _forget(self, jobs: list[_Job]) -> None:
        """Take jobs out of the queue that still wait there, so that they hold no place that others need."""
        for job in jobs:
            job.done.cancel()
        with self._changed:
            line = self._lines.get(len(jobs).bit_length(), deque())
            gone = set(jobs)
            left = [job for job in line if job not in gone]
            self.waiting -= sum(len(job.texts) for job in line) - sum(len(job.texts) for job in left)
            line.clear()
            line.extend(left)
            self._lines = {kind: line for kind, line in self._lines.items() if line}

    async def close(self, seconds: float) -> None:
        """Take no more, finish what waits, and let the threads end; a thread that does not is left behind."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        ends = self._loop.time() + seconds
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, ends - self._loop.time()))

    @property
    def healthy(self) -> bool:
        """Whether its threads work: all are there, and a panic is over, by a call that went well or by some seconds."""
        return self._closed or (time.monotonic() >= self._sick_until and all(one.is_alive() for one in self._threads))

    def _run(self) -> None:
        """Work until the queue is closed; a panic ends the thread, and another takes its place."""
        try:
            self._work()
        except BaseException as error:
            with self._changed:
                if not self._closed:
                    fresh = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._threads = [one for one in self._threads if one is not threading.current_thread()] + [fresh]
                    fresh.start()
            self.on_panic(f"{self._name}: a thread ended ({type(error).__name__}: {error}) and was started again")

    def _work(self) -> None:
        while jobs := self._take():
            jobs = [job for job in jobs if not job.done.cancelled()]
            if not jobs:
                continue
            try:
                self._measure(sum(len(job.texts) for job in jobs))
                outcomes = _worked(jobs)
            except BaseException as error:  # not theirs who wait: they are told, and do not wait for ever
                self._hand_over([(job, _Panic(f"{self._name}: {type(error).__name__}")) for job in jobs])
                raise
            panic = self._hand_over(outcomes)
            if panic is not None:
                raise panic.__cause__ or panic

    def _hand_over(self, outcomes: list[tuple[_Job, Sequence[Any] | Exception]]) -> _Panic | None:
        """Give their answers to those who wait, after the queue's health is what they will see; returns a panic."""
        panic = next((one for _, one in outcomes if isinstance(one, _Panic)), None)
        with self._changed:
            self.panics += panic is not None
            self._sick_until = 0.0 if panic is None else time.monotonic() + SICK_SECONDS
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver, outcomes)
        return panic

    def _take(self) -> list[_Job]:
        """Take the next job and those that may share its call; none when the queue is closed and empty."""
        with self._changed:
            while not self._lines and not self._closed:
                self._changed.wait()
            taken: list[_Job] = []
            for kind, line in list(self._lines.items()):
                before = len(taken)
                while line and self._fits(taken, line[0]):
                    taken.append(line.popleft())
                if len(taken) > before:
                    del self._lines[kind]
                    if line:
                        self._lines[kind] = line  # behind the others
            self.waiting -= sum(len(job.texts) for job in taken)
            return taken

    def _fits(self, taken: list[_Job], job: _Job) -> bool:
        if not taken:
            return True
        call = self._call
        if call is None or job.work != taken[0].work:
            return False
        together = [*taken, job]
        return sum(len(one.texts) for one in together) <= call.texts and sum(one.size for one in together) <= call.size


def _worked(jobs: list[_Job]) -> list[tuple[_Job, Sequence[Any] | Exception]]:
    """Each job with its answers, or with why there are none: one that fails takes no other with it."""
    try:
        found = jobs[0].work([text for job in jobs for text in job.texts])
    except BaseException as error:
        if not isinstance(error, Exception):  # a panic of a library written in Rust
            panic = _Panic(f"{type(error).__name__}: {error}")
            panic.__cause__ = error
            error = panic
        return [(jobs[0], error)] if len(jobs) == 1 else [pair for job in jobs for pair in _worked([job])]
    outcomes: list[tuple[_Job, Sequence[Any] | Exception]] = []
    start = 0
    for job in jobs:
        outcomes.append((job, found[start : start + len(job.texts)]))
        start += len(job.texts)
    return outcomes


def _deliver(outcomes: list[tuple[_Job, Sequence[Any] | Exception]]) -> None:
    for job, outcome in outcomes:
        if job.done.done():
            continue
        if isinstance(outcome, Exception):
            job.done.set_exception(outcome)
        else:
            job.done.set_result(outcome)
