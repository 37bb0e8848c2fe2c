"""Run one worker process and its parent's side: it opens a bundle, then answers batches of texts with scores.

A worker is a fresh interpreter that knows nothing of the parent's script, and whose only tie to it is one socket:
when the parent is gone, however it went, the socket is closed and the worker ends. It runs in a process group of its
own, so that Ctrl-C reaches the parent alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa

from overproof.bundle.manifest import Manifest, open_bundle
from overproof.bundle.scores import Scores
from overproof.bundle.tiers import Student, open_student
from overproof.errors import OverproofError, TamperedBundle
from overproof.inference.engines.interface import packed, score_batch, texts_of, unpacked

_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from overproof.inference.engines.worker import serve
serve(int(sys.argv[1]))
"""


class WorkerDied(Exception):
    """The process is gone, and what it was asked is unanswered."""


@dataclass(frozen=True, eq=False)
class Worker:
    """A running worker process. One thread asks at a time; `kill` may be called by any."""

    process: subprocess.Popen[bytes]
    tie: Connection

    def score(self, batch: pa.RecordBatch) -> Scores:
        """Scores of a batch with a column `text`.

        Raises
        ------
        WorkerDied
            The process is gone.
        Exception
            What scoring raised in the worker.
        """
        try:
            self.tie.send_bytes(packed(batch.select(["text"])))
            answer: Scores | Exception = self.tie.recv()
        except (EOFError, OSError) as error:
            raise WorkerDied from error
        if isinstance(answer, Scores):
            return answer
        raise answer

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()

    def close(self) -> None:
        """End the process, and wait until it has gone."""
        self.kill()
        self.process.wait()
        self.tie.close()


def start(path: Path | str, manifest: Manifest) -> Worker:
    """Start a worker on a bundle; it verifies the bundle itself while the parent goes on.

    Parameters
    ----------
    manifest
        Of the bundle as the parent opened it; a worker that finds another one refuses it.
    """
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno()), json.dumps(sys.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # standard output is for verdicts
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},  # one thread a worker, as its session has
            pass_fds=[theirs.fileno()],
            process_group=0,
        )
    worker = Worker(process, ours)
    with suppress(OSError):  # it is gone already: the first batch tells
        ours.send((str(path), manifest))
    return worker


def serve(descriptor: int) -> None:
    """Answer everything the worker is sent with scores, or with the exception that prevented them."""
    with Connection(descriptor) as tie:
        try:
            path, manifest = tie.recv()
            opened = _open(path, manifest)
            while True:
                batch = unpacked(tie.recv_bytes())
                tie.send(opened if isinstance(opened, Exception) else _scored(opened, batch))
        except (EOFError, OSError):
            return  # the parent has closed its end


def _open(path: str, manifest: Manifest) -> Student | Exception:
    try:
        bundle = open_bundle(path)
        if bundle.manifest != manifest:
            raise TamperedBundle(f"{path}: another bundle than the one that was opened at first")
        return open_student(bundle)
    except Exception as error:
        return _portable(error)


def _scored(scorer: Student, batch: pa.RecordBatch) -> Scores | Exception:
    try:
        return score_batch(scorer, texts_of(batch))
    except Exception as error:
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """Our own errors as they are; of others their words, since who knows whether they can be sent."""
    return error if isinstance(error, OverproofError) else RuntimeError(f"{type(error).__name__}: {error}")
