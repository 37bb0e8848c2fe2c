"""Triage: events from files or standard input, judged one after the other, one JSON verdict a line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa

from overproof.event import Skipped
from overproof.runtime import OnnxScorer
from overproof.sources import Columns, read_events


@dataclass(frozen=True)
class Summary:
    """What a triage run did.

    Attributes
    ----------
    events
        Events judged.
    labels
        Label to number of verdicts.
    overflow
        Verdicts on events that went on past the last judged window.
    seconds
        Wall-clock time, start to end.
    """

    events: int
    labels: dict[str, int]
    overflow: int
    seconds: float


def triage(
    scorer: OnnxScorer,
    paths: Sequence[str | Path],
    *,
    out: BinaryIO,
    columns: Columns | None = None,
    format: str = "auto",
    on_skip: Callable[[Skipped], None],
) -> Summary:
    """Judge every event of `paths` (`-` is standard input) and write one JSON object a line to `out`.

    Memory does not grow with the input: events are read, judged and written batch by batch.
    """
    started = time.perf_counter()
    labels: Counter[str] = Counter()
    overflow = 0
    for batch in read_events(paths, columns=columns or Columns(), format=format, on_skip=on_skip, extra=False):
        for line, label, over in _verdicts(scorer, batch):
            out.write(line)
            labels[label] += 1
            overflow += over
    out.flush()
    return Summary(labels.total(), dict(labels.most_common()), overflow, time.perf_counter() - started)


def _verdicts(scorer: OnnxScorer, batch: pa.RecordBatch) -> Iterator[tuple[bytes, str, bool]]:
    """The lines of one batch; built from arrays, since a million Verdict objects would take longer than the model."""
    scores = scorer.score(batch.column("text").to_pylist())
    probabilities = scores.probabilities
    attack = scorer.attack(probabilities)
    best = probabilities.argmax(axis=1)
    origins = batch.column("origin").to_pylist()
    for i, origin in enumerate(origins):
        label = scores.classes[best[i]]
        over = bool(scores.overflow[i])
        verdict = {
            "origin": origin,
            "label": label,
            "attack": attack[i],
            "probabilities": dict(zip(scores.classes, probabilities[i], strict=True)),
            "windows": int(scores.windows[i]),
            "overflow": over,
        }
        yield orjson.dumps(verdict, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY), label, over
