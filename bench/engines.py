"""Compare who scores: one process, two worker processes, Ray on this machine; the same 100,098 events, the same scores.

On one machine a cluster only costs, for what it gives on several; most of that is its start. Run nothing else beside.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from accuracy import STUDENT, bundle
from settings import TEST, TRAIN

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.events.sources import read_events
from overproof.inference.engines import Scored, in_process, worker_processes
from overproof.inference.engines.ray import ray_scored

FILES = [TRAIN, TEST, TRAIN, TEST, TRAIN]


def measured() -> dict[str, Any]:
    """For every engine: seconds to the first scores and to the last, from when it is asked."""
    place = bundle(STUDENT, 0)
    opened = open_bundle(place)
    scorer = OnnxScorer(opened)

    def read() -> Iterator[Any]:
        return read_events(FILES, on_skip=_refuse)

    engines: dict[str, Callable[[], Iterator[Scored]]] = {
        "one process": lambda: in_process(scorer)(read()),
        "two worker processes": lambda: worker_processes(scorer, place, 2)(read()),
        "Ray, started for it": lambda: ray_scored(opened, FILES, on_skip=_refuse),
    }
    runs = {name: timed(scored()) for name, scored in engines.items()}
    if len({(run["events"], run["sha256"]) for run in runs.values()}) != 1:
        raise RuntimeError(f"the engines disagree: {runs}")
    return {"cores": os.cpu_count(), "runs": runs}


def timed(scored: Iterator[Scored]) -> dict[str, Any]:
    """One pass: how many events, a hash of where they were read and of their logits, and the times."""
    begin = perf_counter()
    first, events, digest = 0.0, 0, hashlib.sha256()
    for batch, scores in scored:
        first = first or perf_counter() - begin
        events += batch.num_rows
        digest.update("\n".join(batch.column("origin").to_pylist()).encode())
        digest.update(scores.logits.tobytes())
    return {
        "events": events,
        "sha256": digest.hexdigest(),
        "first_s": first,
        "seconds": perf_counter() - begin,
    }


def _refuse(skipped: object) -> None:
    raise RuntimeError(f"the benchmark's events are sound, but: {skipped}")


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table: events a second over all, and once the first scores are there."""
    head = [
        f"engine, on {result['cores']} cores",
        "events",
        "first scores after",
        "all after",
        "events / s",
        "thereafter",
    ]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name, run in result["runs"].items():
        rate, after = run["events"] / run["seconds"], run["events"] / (run["seconds"] - run["first_s"])
        times = (f"{run['first_s']:.1f} s", f"{run['seconds']:.0f} s")
        lines.append(f"| {name} | {run['events']:,} | {' | '.join(times)} | {rate:,.0f} | {after:,.0f} |")
    return "\n".join(lines)
