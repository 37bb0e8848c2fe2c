"""Read one JSON object a line; every record finds its own columns, because keys come and go between lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import NOTHING_YET, Run, event_batch, gathered_runs
from overproof.events.sources.interface import Input, Layout, ReadOptions
from overproof.events.sources.json_columns import extras_of, few_cells, field_of
from overproof.events.sources.json_layouts import Found, Layouts, Usual, any_again, has_escaped_key, sought
from overproof.events.sources.json_record import Record, mended
from overproof.events.sources.stream import LONGEST, excerpt, line_blocks

Skip = Callable[[str, int, bytes], None]  # takes why a line is no event, its place, and the line
_TOGETHER = 128  # lines that are parsed at once


def read_jsonl(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read JSON lines; see `interface.Source`. Blank lines are no records. The places in origins are lines."""
    layouts = Layouts(options.columns)

    def skip(why: str, place: int, line: bytes) -> None:
        options.on_skip(Skipped(why, f"{source.name}:{place}", excerpt(line)))

    def runs() -> Iterator[Run[Found] | None]:
        for block in line_blocks(source, options.on_skip):
            if block is None:
                yield None
                continue
            number, lines = block
            for start in range(0, len(lines), _TOGETHER):
                yield from _runs(number + start, lines[start : start + _TOGETHER], layouts, skip)

    def batch(places: list[int], found: list[Found]) -> Iterator[pa.RecordBatch]:
        texts, all_records, all_layouts = zip(*found, strict=True)
        for records, layouts, part in few_cells(all_records, all_layouts):
            others = [field_of(records, layouts, field) for field in range(1, len(Layout._fields))]
            extras = extras_of(records, layouts) if options.extra else None
            yield event_batch(source.name, places[part], [texts[part], *others], extras)

    for places, found in gathered_runs(runs(), options.batch_rows):
        if not places:
            yield NOTHING_YET
        else:
            yield from batch(places, found)
    layouts.require_named(f"{source.name}:1")


def _runs(number: int, lines: Sequence[bytes], layouts: Layouts, skip: Skip) -> Iterator[Run[Found]]:
    """Find the records of lines, the first of which has this number: what is no object alone, the others together."""
    records = _parsed(lines)
    others = [at for at, record in enumerate(records) if type(record) is not dict]
    start = 0
    for end in (*others, len(lines)):
        if start < end:
            yield _together(range(number + start, number + end), lines[start:end], records[start:end], layouts, skip)
        if end < len(lines) and lines[end].strip():
            found = _found(lines[end], records[end], layouts)
            if isinstance(found, str):
                skip(found, number + end, lines[end])
            else:
                yield (number + end,), len(lines[end]), (found,)
        start = end + 1


def _together(
    places: range, lines: Sequence[bytes], records: Sequence[Record], layouts: Layouts, skip: Skip
) -> Run[Found]:
    """Find what records hold, all at once where all have the same keys."""
    size = sum(map(len, lines))
    usual = layouts.usual(records[0], len(lines[0]))
    texts = None if usual is None else _texts_alike(lines, records, usual)
    if texts is not None and usual is not None:
        return places, size, zip(texts, records, repeat(usual.layout))
    taken, values = list[int](), list[Found]()
    for place, line, record in zip(places, lines, records, strict=True):
        usual = layouts.usual(record, len(line))
        text = None if usual is None else record[usual.text]
        if usual is not None and type(text) is str and text and not any_again(line, usual.deciding):
            found: Found | str = (text, record, usual.layout)
        else:
            found = sought(record, layouts, line)
        if isinstance(found, str):
            skip(found, place, line)
        else:
            taken.append(place)
            values.append(found)
    return taken, size, values


def _texts_alike(lines: Sequence[bytes], records: Sequence[Any], usual: Usual) -> list[str] | None:
    """Return the texts of records if all have the usual keys and a text, and no line a name twice that decides."""
    if [*map(tuple, records)].count(usual.keys) < len(records):
        return None
    texts = [*map(itemgetter(usual.text), records)]
    if set(map(type, texts)) != {str} or "" in texts:
        return None
    together = b"\n".join(lines)
    if has_escaped_key(together, usual.deciding):
        return None
    # Every line has each name, so that as many as there are lines are one in each (or none: the column has a dot).
    return texts if all(together.count(name) in (0, len(lines)) for name in usual.deciding) else None


def _parsed(lines: Sequence[bytes]) -> list[Any]:
    """Parse lines: None for one that is too long, or that orjson does not take."""
    loads, longest, records = orjson.loads, LONGEST, list[Any]()  # names that are looked up faster
    for line in lines:
        try:
            records.append(loads(line) if len(line) <= longest else None)
        except orjson.JSONDecodeError:
            records.append(None)
    return records


def _found(line: bytes, parsed: object, layouts: Layouts) -> Found | str:
    """Find the record of a line with its layout and text, or why it has none; parsed, it was None or no object."""
    if len(line) > LONGEST:
        return "longer than 16 MiB"
    if parsed is not None:
        return "JSON is not an object"
    record = mended(line, repeats=False)  # `sought` looks for its text, label and family
    return record if isinstance(record, str) else sought(record, layouts, line)
