"""Hold one model of a comparison: its size, its speed and what it got right."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.results.metrics import Metrics


@dataclass(frozen=True)
class Row:
    """One model of a comparison; None is "not measured", and `note` says why.

    Attributes
    ----------
    name
        Of the model.
    parameters, bytes
        Size; `bytes` on disk.
    p50_ms, p99_ms
        Time for one event, one thread.
    events_per_second
        In batches, one thread.
    metrics
        What it got right; None where it was not asked.
    note
        What a reader must know of this row, among it the reason for what is None.
    """

    name: str
    parameters: int | None
    bytes: int | None
    p50_ms: float | None
    p99_ms: float | None
    events_per_second: float | None
    metrics: Metrics | None
    note: str = ""
