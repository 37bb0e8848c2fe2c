"""Queue texts up to a bound, and work them off in threads, whatever is waiting in one call.

Requests share the threads fairly: a request is cut into jobs of bounded work, and the next job is the one that would be
finished first if all requests were worked on at once, each at the same speed. So a short request waits for no long one,
and a long one for no crowd of short ones.

Source: self-clocked fair queueing (Golestani, A self-clocked fair queueing scheme, INFOCOM 1994), a request a flow.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from overproof.errors import OverproofError
from overproof.portions import portions

SICK_SECONDS = 10.0  # after a panic the queue is not healthy, unless a call goes well before

Work = Callable[[list[str]], Any]  # to a sequence of answers, one a text


class Busy(OverproofError):
    """A queue is full; its text says which."""


class _Panic(RuntimeError):
    """What ended a thread, and no mere failure of one call."""


@dataclass(frozen=True, order=True)
class _Job:
    """Texts of one request, what is to be done with them, and who waits for it; in the order of their turns.

    Attributes
    ----------
    turn
        The work that all requests have been given together when it is finished, if they are given it evenly.
    number
        Of jobs of one turn, the older is first.
    size
        How much work it is.
    """

    turn: int
    number: int
    size: int = field(compare=False)
    work: Work = field(compare=False)
    texts: list[str] = field(compare=False)
    done: asyncio.Future[Sequence[Any]] = field(compare=False)


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
        self._jobs: list[_Job] = []  # a heap
        self._given = 0  # the turn of the last job that was taken
        self._numbers = count()
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
            jobs, turn = [], self._given
            for part in parts:
                size = sum(sizes[part])
                turn += size
                jobs.append(_Job(turn, next(self._numbers), size, work, texts[part], self._loop.create_future()))
                heapq.heappush(self._jobs, jobs[-1])
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
        gone = {job.number for job in jobs}
        for job in jobs:
            job.done.cancel()
        with self._changed:
            self.waiting -= sum(len(job.texts) for job in self._jobs if job.number in gone)
            self._jobs = [job for job in self._jobs if job.number not in gone]
            heapq.heapify(self._jobs)

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
            while not self._jobs and not self._closed:
                self._changed.wait()
            taken: list[_Job] = []
            while self._jobs and self._fits(taken):
                taken.append(heapq.heappop(self._jobs))
                self._given = taken[-1].turn
            self.waiting -= sum(len(job.texts) for job in taken)
            return taken

    def _fits(self, taken: list[_Job]) -> bool:
        if not taken:
            return True
        following, call = self._jobs[0], self._call
        if call is None or following.work != taken[0].work:
            return False
        together = [*taken, following]
        return sum(len(job.texts) for job in together) <= call.texts and sum(j.size for j in together) <= call.size


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
