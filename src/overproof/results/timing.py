"""Time models beside each other, in alternating blocks of calls in one run.

Two runs one after the other compare the machine's moods (clock, caches, neighbours) as much as the
models; blocks that alternate share them. One thread each is the candidates' own duty.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

Candidate = Callable[[Sequence[str]], object]

WARM_UP = 5
ROUNDS = 3  # batch runs, of which the median counts
P99_CALLS = 100  # below that the 99th percentile is the maximum under another name


@dataclass(frozen=True)
class Timing:
    """What one candidate took.

    Attributes
    ----------
    p50_ms, p99_ms
        Milliseconds for one event; p99 is None below 100 calls.
    events_per_second
        When all events are given at once.
    calls, batch
        How many single calls were timed, and how many events a batch had.
    """

    p50_ms: float
    p99_ms: float | None
    events_per_second: float
    calls: int
    batch: int


@dataclass(frozen=True)
class Blocks:
    """How many blocks of calls each candidate is timed in, and how many calls are in one."""

    count: int = 20
    calls: int = 50


BLOCKS = Blocks()


@dataclass(frozen=True)
class _Plan:
    """What a candidate can afford of its share of the time."""

    blocks: int
    calls: int
    batch: int


def time_interleaved(
    candidates: Mapping[str, Candidate],
    texts: Sequence[str],
    *,
    seed: int,
    blocks: Blocks = BLOCKS,
    budget_s: float = 60.0,
) -> dict[str, Timing]:
    """Time candidates in alternating blocks of calls of one event each, then in batches.

    Parameters
    ----------
    candidates
        Name to a function that judges a list of texts.
    texts
        Real events: speed depends on their length. Drawn without regard to order, by `seed`, the
        same ones for every candidate.
    blocks
        How many blocks each candidate gets; one too slow for its share of `budget_s` gets fewer, spread evenly,
        and at last fewer calls.
    budget_s
        Seconds for everything but the warm-up, shared evenly.
    """
    if not texts or not candidates:
        raise ValueError("nothing to time: no texts or no candidates")
    drawn = random.Random(seed).sample(list(texts), len(texts))
    share = budget_s / len(candidates) / 2
    plans = {name: _plan(judge, drawn, share, blocks) for name, judge in candidates.items()}
    single: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(blocks.count):
        for name, judge in candidates.items():
            plan = plans[name]
            if (turn * plan.blocks) % blocks.count < plan.blocks:
                single[name] += _block(judge, drawn, len(single[name]), plan.calls)
    batch: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, judge in candidates.items():
            batch[name].append(_seconds(judge, drawn[: plans[name].batch]))
    return {name: _timing(single[name], batch[name], plans[name].batch) for name in candidates}


def _plan(judge: Candidate, texts: Sequence[str], share: float, blocks: Blocks) -> _Plan:
    """Warm the candidate up, and from how long that takes say what fits into `share` seconds."""
    for i in range(WARM_UP):
        judge([texts[i % len(texts)]])
    one = float(np.median(_block(judge, texts, 0, WARM_UP)))
    affordable = int(share / max(one, 1e-9))
    return _Plan(
        blocks=max(1, min(blocks.count, affordable // blocks.calls)),
        calls=max(1, min(blocks.calls, affordable)),
        batch=max(1, min(len(texts), affordable // ROUNDS)),
    )


def _block(judge: Candidate, texts: Sequence[str], start: int, calls: int) -> list[float]:
    """Return the seconds of each of `calls` calls, one text each, going on round the texts from `start`."""
    return [_seconds(judge, [texts[i % len(texts)]]) for i in range(start, start + calls)]


def _seconds(judge: Candidate, texts: Sequence[str]) -> float:
    begin = perf_counter()
    judge(texts)
    return max(perf_counter() - begin, 1e-9)


def _timing(single: Sequence[float], batch: Sequence[float], size: int) -> Timing:
    ms = np.array(single) * 1e3
    return Timing(
        p50_ms=float(np.percentile(ms, 50)),
        p99_ms=float(np.percentile(ms, 99)) if len(ms) >= P99_CALLS else None,
        events_per_second=size / float(np.median(batch)),
        calls=len(ms),
        batch=size,
    )
