"""Parse the lines of an EVE log, JSON, one event each, and of a fast.log."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.host_aggregates import HostAggregator
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.json_record import record_of
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, aggregate_events, read_structured
from overproof.events.sources.suricata import fast
from overproof.events.sources.suricata.records import add_connection, to_event


def read_suricata(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an EVE log or a fast.log; see `interface.Source`. Flows are aggregated too; statistics are no events."""
    log = _Log()
    yield from read_structured(source, options, LineFormat("a log of Suricata", log.parse, log.finish))


class _Log:
    """One log as it is read, and the aggregates of its flows."""

    def __init__(self) -> None:
        self._aggregator = HostAggregator()

    def parse(self, number: int, line: bytes) -> Iterator[Parsed]:
        """Yield the event of a line, or why it is none."""
        if not line.strip():
            return
        if line[:1].isdigit():
            yield fast.to_event(line) or "not an alert as a fast.log has it"
            return
        record = record_of(line, repeats=False)
        if isinstance(record, str):
            yield record
            return
        kind = record.get("event_type")
        if not isinstance(kind, str):
            yield "no event_type: not an event of an EVE log"
        elif kind == "stats":
            yield "Suricata's own statistics: not an event to judge"
        else:
            yield to_event(kind, record)
            if kind == "flow":
                yield from aggregate_events(add_connection(self._aggregator, record))

    def finish(self) -> Iterator[StructuredEvent]:
        """Yield the aggregates of the minutes that the log ends in."""
        yield from aggregate_events(self._aggregator.close())
