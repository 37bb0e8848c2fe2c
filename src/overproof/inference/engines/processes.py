"""Score events in worker processes on this machine: order kept, memory flat, a killed worker replaced.

A thread reads the batches, a thread for each worker process asks it, and the caller gets the answers in the order of
the batches. Scores do not depend on who computed them, so a batch whose worker died is simply scored again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pyarrow as pa

from overproof.bundle.scores import Scores
from overproof.bundle.tiers import Student
from overproof.errors import OverproofError
from overproof.inference.engines.interface import Engine, Scored, named
from overproof.inference.engines.local import in_process
from overproof.inference.engines.worker import Worker, WorkerDied, start

AHEAD = (
    3  # batches for each worker that are read and not yet given out: one with it, one next, one to wait for its turn
)
DEATHS = 3  # of workers over one batch, until the batch is to blame

_Turn = tuple[pa.RecordBatch | None, "Future[Scores]"]


def worker_processes(scorer: Student, path: Path | str, workers: int) -> Engine:
    """Make an engine of several processes, each with one thread; with one worker it is `in_process(scorer)`.

    Batches are read in a thread, and so is `on_skip` called.

    Parameters
    ----------
    scorer, path
        The bundle as this process opened it, and where: every worker opens it again, verifies it, and refuses another.

    Raises
    ------
    TamperedBundle, BundleError
        While it runs: the bundle is not, or no longer, the one that `scorer` was opened from.
    OverproofError
        While it runs: workers died three times over one batch; the message names it.
    """
    if workers <= 1:
        return in_process(scorer)

    def engine(batches: Iterator[pa.RecordBatch]) -> Iterator[Scored]:
        pool = _Pool(scorer, path, workers)
        turns: SimpleQueue[_Turn | None] = SimpleQueue()
        reader = threading.Thread(target=pool.read, args=(batches, turns), daemon=True, name="overproof-reader")
        try:
            reader.start()
            while (turn := turns.get()) is not None:
                batch, scores = turn
                yield batch, scores.result()
                pool.room.release()
        finally:
            pool.stop()

    return engine


class _Pool:
    """The worker processes, each asked by one thread."""

    def __init__(self, scorer: Student, path: Path | str, workers: int) -> None:
        self.room = threading.Semaphore(AHEAD * workers)
        self._manifest, self._path = scorer.manifest, path
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="overproof-worker")
        self._own = threading.local()  # each thread's worker process
        self._lock = threading.Lock()
        self._alive: set[Worker] = set()
        self._stopped = False

    def read(self, batches: Iterator[pa.RecordBatch], turns: SimpleQueue[_Turn | None]) -> None:
        """Hand every batch to a worker as soon as there is room; what `batches` raises comes out in its turn."""
        try:
            while self.room.acquire() and not self._stopped and (batch := next(batches, None)) is not None:
                turns.put((batch, self._threads.submit(self._score, batch)))
        except BaseException as error:
            failed: Future[Scores] = Future()
            failed.set_exception(error)
            turns.put((None, failed))
        turns.put(None)

    def stop(self) -> None:
        """End all workers, answered or not, and all threads but a reader that waits for its source."""
        with self._lock:
            self._stopped = True
            for worker in self._alive:
                worker.kill()
        self.room.release()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._alive:
            worker.close()

    def _score(self, batch: pa.RecordBatch) -> Scores:
        for _ in range(DEATHS):
            with suppress(WorkerDied):
                return self._worker().score(batch)
            self._bury()
        raise OverproofError(f"{named(batch)}: {DEATHS} worker processes died, one after the other, over these events")

    def _worker(self) -> Worker:
        """Return this thread's worker, started when it is first needed and after a death."""
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is not None:
            return worker
        with self._lock:
            if self._stopped:
                raise WorkerDied
            worker = self._own.worker = start(self._path, self._manifest)
            self._alive.add(worker)
        return worker

    def _bury(self) -> None:
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is not None:
            with self._lock:
                self._alive.discard(worker)
            worker.close()
            self._own.worker = None
