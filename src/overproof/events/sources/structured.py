"""Read the lines of network and log formats as structured events, with the columns that they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import Row, batched, event_batch
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.lines import filled_lines
from overproof.events.sources.stream import excerpt
from overproof.events.sources.values import when
from overproof.events.templates import HostAggregate

STRUCTURED_COLUMNS: dict[str, pa.DataType] = {
    "kind": pa.string(),
    "src_ip": pa.string(),
    "src_port": pa.int64(),
    "dst_ip": pa.string(),
    "dst_port": pa.int64(),
    "transport": pa.string(),
    "protocol": pa.string(),
    "host": pa.string(),
    "url": pa.string(),
    "method": pa.string(),
    "user_agent": pa.string(),
    "status": pa.int64(),
    "user": pa.string(),
    "query": pa.string(),
    "flow_id": pa.string(),
    "connections": pa.int64(),  # of the sums over flows, as below
    "ports": pa.int64(),
    "peers": pa.int64(),
    "failed": pa.float64(),
    "gap": pa.float64(),
    "jitter": pa.float64(),
}

Value = str | int | float | None
_NO_COLUMNS: Mapping[str, Value] = MappingProxyType({})


class StructuredEvent(NamedTuple):  # made for every line: a frozen dataclass takes three times as long
    """One record: what the model reads, when it happened (UTC, ISO 8601), whom it belongs to, and its columns.

    `columns` holds some of those in `STRUCTURED_COLUMNS`; `overflow` tells whether the text is not all of its content.
    """

    text: str
    time: str | None = None
    group: str | None = None
    columns: Mapping[str, Value] = _NO_COLUMNS
    overflow: bool = False


Parsed = StructuredEvent | str | None  # a record, the reason why a line is none, or None for a line that is neither
Parse = Callable[[int, bytes], Iterable[Parsed]]  # of a line's number and bytes; any number of records


@dataclass(frozen=True)
class LineFormat:
    """A format whose records are lines.

    Attributes
    ----------
    description
        What messages call an input of it, as `an access log`.
    parse
        Turns a line into its records.
    finish
        Gives the records that only the end of the input completes; they have the place of its last line.
    """

    description: str
    parse: Parse
    finish: Callable[[], Iterable[StructuredEvent]] = tuple


def read_structured(source: Input, options: ReadOptions, format: LineFormat) -> Iterator[pa.RecordBatch]:
    """Read lines as structured events; see `interface.Source`. The places in origins are lines.

    Raises
    ------
    InputError
        If columns were named: the format has its own.
    """
    require(options.columns.named, (), f"{source.name}: {format.description}, which is read by its own columns")
    rows = _rows(source, format, options.on_skip)
    yield from batched(rows, options.batch_rows, partial(structured_batch, source.name, extra=options.extra))


def _rows(source: Input, format: LineFormat, on_skip: OnSkip) -> Iterator[Row[StructuredEvent] | None]:
    number = 0
    for item in filled_lines(source, on_skip):
        if item is None:
            yield None
            continue
        number, line = item
        for found in format.parse(number, line):
            if isinstance(found, str):
                on_skip(Skipped(found, f"{source.name}:{number}", excerpt(line)))
            elif found is not None:
                yield number, len(line), found
    for found in format.finish():
        yield number, 0, found


def structured_batch(name: str, places: list[int], records: list[StructuredEvent], *, extra: bool) -> pa.RecordBatch:
    """Make the batch of some events, with every column of `STRUCTURED_COLUMNS` if `extra`."""
    texts, times, groups, columns, overflow = zip(*records, strict=True)
    blank = (None,) * len(records)
    extras = _columns(columns) if extra else None
    return event_batch(name, places, (texts, blank, blank, times, groups), extras, overflow)


def _columns(each: Sequence[Mapping[str, Value]]) -> dict[str, pa.Array]:
    """Gather the columns of some events, all of `STRUCTURED_COLUMNS`."""
    shapes = set(map(tuple, each))  # there is one, as a rule
    some, every = set().union(*shapes), set.intersection(*map(set, shapes))

    def values(key: str) -> list[Value]:
        return [*map(itemgetter(key), each)] if key in every else [one.get(key) for one in each]

    return {
        key: pa.array(values(key), kind) if key in some else pa.nulls(len(each), kind)
        for key, kind in STRUCTURED_COLUMNS.items()
    }


def aggregate_events(aggregates: Iterable[HostAggregate]) -> Iterator[StructuredEvent]:
    """Turn the aggregates of hosts that made more than one connection into events."""
    for each in aggregates:
        if each.conns > 1:
            peer = each.dst if each.peers == 1 else None
            columns = {"kind": "flows", "src_ip": each.src, "dst_ip": peer, **figures(each)}
            yield StructuredEvent(each.text, when(each.start), each.src, columns)


def figures(aggregate: HostAggregate) -> dict[str, Value]:
    """Return what an aggregate sums up, of which its text has the orders of magnitude."""
    return {
        "connections": aggregate.conns,
        "ports": aggregate.ports,
        "peers": aggregate.peers,
        "failed": round(aggregate.failed, 4),
        "gap": None if aggregate.gap is None else round(aggregate.gap, 6),
        "jitter": None if aggregate.jitter is None else round(aggregate.jitter, 4),
    }
