"""Score events on a Ray cluster with Ray Data: files are read and scored there, the events come back in order.

Every file is read by one task, and its batches are scored by many. These are tasks, not actors: an actor that has lost
its node waits for room elsewhere, and all events after it wait too, while a task runs again wherever there is a core.
The scorer stays loaded between the tasks of a process.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import pyarrow as pa

from overproof.bundle.manifest import FIRST, REPORTS, Bundle
from overproof.bundle.tiers import Student, open_student
from overproof.errors import InputError, OverproofError
from overproof.events.schema import Skipped
from overproof.events.sources import Reading, read_events
from overproof.events.sources.interface import OnSkip
from overproof.inference.engines.cluster import RETRIES, connected, enter, streaming
from overproof.inference.engines.interface import Scored, packed, score_batch, texts_of, unpacked

# One row a batch: what was skipped before it and the error that ended its file, pickled; the events, packed; later
# their scores, pickled. Opaque to Ray, since files may differ in their columns, and a schema carries the format's name.
_ROW = pa.schema([("report", pa.large_binary()), ("events", pa.large_binary())])
_READING = 0.1  # of a core; scoring takes ten times as long


def ray_scored(
    bundle: Bundle,
    paths: Sequence[str | Path],
    reading: Reading | None = None,
    *,
    on_skip: OnSkip,
    address: str | None = None,
) -> Iterator[Scored]:
    """Score the events of files on a Ray cluster: what `in_process` gives for `read_events` of the same files.

    Batches, their order, their scores (to the bit, where the nodes' processors round alike), the skipped records and
    the error that ends the run are the same. Memory is bounded here and in the cluster, but for the records skipped
    between two batches. What a lost process or node had done is done again, and comes out once.

    Parameters
    ----------
    bundle
        As it was verified here: its bytes go to the cluster, whose nodes need overproof, and no bundle.
    paths
        Files, as every node finds them; relative ones in this process's folder.
    reading, on_skip
        As for `read_events`.
    address
        As for `cluster.connected`.

    Raises
    ------
    InputError
        Standard input, which a cluster cannot read; as `read_events`, in the course of it; no cluster at `address`.
    MissingExtra
        Ray is not installed.
    OverproofError
        The cluster failed; also if processes died over the same events again and again.
    """
    names = [str(path) for path in paths]
    if "-" in names:
        raise InputError("-: a Ray cluster reads files, not this process's standard input")
    if not names:
        return
    needed = _needed(bundle)
    with connected(address):
        from ray.data import DataContext, from_items

        with DataContext.current(streaming()), catch_warnings():
            # max_retries goes in Ray 2.64, which has nothing in its place yet
            simplefilter("ignore", DeprecationWarning)
            rows: Any = from_items([{"path": name} for name in names], override_num_blocks=len(names))
            how = {"batch_format": "pyarrow", "max_retries": RETRIES}
            where = (os.getcwd(), reading or Reading())
            rows = rows.map_batches(_read, fn_args=where, batch_size=1, num_cpus=_READING, **how)
            rows = rows.map_batches(_score, fn_args=(needed,), batch_size=None, num_cpus=1, **how)
        for table in rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            yield from _given(table, on_skip)


def _needed(bundle: Bundle) -> Bundle:
    """Return a bundle without the reports, which no node judges by."""
    files = {name: held for name, held in bundle.files.items() if name.removeprefix(FIRST) not in REPORTS}
    return Bundle(bundle.path, bundle.manifest, files)


def _read(files: pa.Table, folder: str, reading: Reading) -> Iterator[pa.Table]:
    """Rows of one file's batches; the last one has no events, but the records skipped after them and the error."""
    skipped: list[Skipped] = []
    failed: OverproofError | None = None
    enter(folder)  # not absolute names: origins name files as they were given
    (path,) = files.column("path").to_pylist()
    try:
        for batch in read_events(
            path, columns=reading.columns, format=reading.format, extra=reading.extra, on_skip=skipped.append
        ):
            yield _row(skipped, None, packed(batch))
            skipped.clear()
    except OverproofError as error:
        failed = error
    yield _row(skipped, failed, None)


def _row(skipped: list[Skipped], failed: OverproofError | None, events: bytes | None) -> pa.Table:
    return pa.Table.from_pydict({"report": [pickle.dumps((skipped, failed))], "events": [events]}, schema=_ROW)


def _score(rows: pa.Table, bundle: Bundle) -> Iterator[pa.Table]:
    """Add the scores to the rows."""
    scorer = _opened(_Named(bundle))
    for row in rows.select(_ROW.names).to_batches(max_chunksize=1):
        events = row.column("events")[0].as_py()
        scores = None if events is None else pickle.dumps(score_batch(scorer, texts_of(unpacked(events))))
        yield pa.Table.from_batches([row]).append_column("scores", pa.array([scores], pa.large_binary()))


class _Named:
    """A bundle that equals another of the same model, to be found again in the process's cache."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._key = str(bundle.manifest.to_json())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=1)
def _opened(named: _Named) -> Student:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core a task
    return open_student(named.bundle)


def _given(rows: pa.Table, on_skip: OnSkip) -> Iterator[Scored]:
    for row in rows.to_pylist():
        skipped, failed = pickle.loads(row["report"])
        for record in skipped:
            on_skip(record)
        if failed is not None:
            raise failed
        if row["events"] is not None:
            yield unpacked(row["events"]), pickle.loads(row["scores"])
