"""Read what clouds and services log of those who use them: `cloudtrail s3.amazonaws.com GetObject key=value …`.

A log is known by keys that all of its records have; a module a provider says which, and where its documents are. The
text is all that a record says, but for times and identifiers that are numbers, since any of it may be what somebody
sent.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.cloud.records import is_audit_record, log_of, to_event
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.json_record import record_of
from overproof.events.sources.structured import LineFormat, Parsed, read_structured

__all__ = ["is_audit_record", "read_cloud"]


def read_cloud(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read such logs as JSON lines; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("a log of a cloud's or service's", _parse))


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    if not line.strip():
        return
    record = record_of(line)
    log = None if isinstance(record, str) else log_of(record)
    if isinstance(record, str):
        yield record
    else:
        yield "not a record of a cloud's or service's log" if log is None else to_event(log, record)
