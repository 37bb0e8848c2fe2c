"""Complete verdicts: where each event came from, and what else is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from overproof.events.schema import SCHEMA

Verdict = dict[str, Any]
FORMAT = b"format"  # in a batch's metadata: how it was read


def completed(batch: pa.RecordBatch, verdicts: Iterator[Verdict], *, with_text: bool) -> Iterator[Verdict]:
    """Add origin, source, time and the event's further columns to verdicts, in the order of docs/verdict-schema.md."""
    read_as = ((batch.schema.metadata or {}).get(FORMAT) or b"events").decode()
    origins, times, texts = (batch.column(name).to_pylist() for name in ("origin", "time", "text"))
    known = {name: batch.column(name).to_pylist() for name in batch.schema.names if name not in SCHEMA.names}
    kinds = known.pop("kind", None)
    for i, verdict in enumerate(verdicts):
        source = read_as if kinds is None else kinds[i] or read_as
        completed_verdict = {"origin": origins[i], "source": source, "time": times[i], **verdict}
        event = {name: values[i] for name, values in known.items() if values[i] is not None}
        if event:
            completed_verdict["event"] = event
        if with_text:
            completed_verdict["text"] = texts[i]
        yield completed_verdict


def families(batch: pa.RecordBatch) -> Mapping[int, str]:
    """Return the event's own family of each row that has one."""
    return {i: name for i, name in enumerate(batch.column("family").to_pylist()) if name is not None}
