r"""Read one JSON object a line; every record finds its own columns, because keys come and go between lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import Row, batched, event_batch, extra_array, extra_names, plain
from overproof.events.sources.interface import Columns, Input, Layout, ReadOptions, require
from overproof.events.sources.stream import LONGEST, excerpt, lines

# a surrogate pair, then a lone surrogate (captured), then any other escape
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_BAD_BYTE = re.compile("[\udc80-\udcff]")

Record = dict[Any, Any]
Found = tuple[str, Record, Layout]  # the text, and what it was found in


def parse(line: bytes) -> object:
    """Parse a line, also one with bytes that are not UTF-8, lone surrogates, NaN or huge integers.

    Raises ValueError or RecursionError where it is not JSON.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line.decode("utf-8", "surrogateescape")
        text = _BAD_BYTE.sub(lambda match: rf"\\x{ord(match[0]) & 0xFF:02x}", text)
        text = _ESCAPE.sub(lambda match: rf"\\{match[1]}" if match[1] else match[0], text)
        return json.loads(text)


def _found(line: bytes, layouts: _Layouts) -> Found | str:
    """Find the record of a line with its layout and text, or why it has none."""
    if len(line) > LONGEST:
        return "longer than 16 MiB"
    try:
        record = parse(line)
    except (ValueError, RecursionError):
        return "JSON does not parse"
    if not isinstance(record, dict):
        return "JSON is not an object"
    layout = layouts.of(tuple(record))
    if layout.text is None:
        return "no text column"
    text = record[layout.text]
    if type(text) is int or type(text) is float:
        text = str(text)
    elif not isinstance(text, str):
        return "text is null" if text is None else f"text is not a string but a {type(text).__name__}"
    return (text, record, layout) if text else "empty text"


class _Layouts:
    """Find layouts by the keys of a record, and remember which named columns were never seen."""

    def __init__(self, columns: Columns) -> None:
        self.unseen = set(columns.named)
        self.first: tuple[str, ...] | None = None
        self.of = lru_cache(1024)(self._new)
        self._columns = columns

    def _new(self, keys: tuple[str, ...]) -> Layout:
        self.unseen.difference_update(keys)
        self.first = keys if self.first is None else self.first
        return self._columns.layout(keys)


def _field(records: Sequence[Record], layouts: Sequence[Layout], field: int) -> list[str | None]:
    """Return one field of every record, as text."""
    names = {layout[field] for layout in layouts}
    if names == {None}:
        return [None] * len(records)
    if len(names) == 1:  # the usual case, and the quicker one
        (name,) = names
        values = [record.get(name) for record in records]
    else:
        values = [record.get(layout[field]) for record, layout in zip(records, layouts, strict=True)]
    return [value if value is None or type(value) is str else plain(value) for value in values]


def _extras(records: Sequence[Record], layouts: Sequence[Layout]) -> Mapping[str, pa.Array]:
    """Return the keys that are no field of their record, each as one column over all records."""
    found: dict[str, list[object]] = {}
    first = layouts[0]
    if all(layout is first for layout in layouts):  # the same keys in all records: the usual case, and the quicker one
        found = {key: [record[key] for record in records] for key in records[0] if key not in first}
    else:
        for row, (record, layout) in enumerate(zip(records, layouts, strict=True)):
            for key in record:
                if key not in layout:
                    found.setdefault(key, [None] * len(records))[row] = record[key]
    names = extra_names(list(found), ())
    return {names[index]: extra_array(values) for index, values in enumerate(found.values())}


def read_jsonl(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read JSON lines; see `interface.Source`. Blank lines are no records. The places in origins are lines."""
    layouts = _Layouts(options.columns)

    def rows() -> Iterator[Row[Found] | None]:
        for item in lines(source, options.on_skip):
            if item is None:
                yield None
                continue
            number, line = item
            found = _found(line, layouts)
            if not isinstance(found, str):
                yield number, len(line), found
            elif line.strip():
                options.on_skip(Skipped(found, f"{source.name}:{number}", excerpt(line)))

    def batch(places: list[int], found: list[Found]) -> pa.RecordBatch:
        texts, records, found_layouts = zip(*found, strict=True)
        others = [_field(records, found_layouts, field) for field in range(1, len(Layout._fields))]
        return event_batch(
            source.name, places, [texts, *others], _extras(records, found_layouts) if options.extra else None
        )

    yield from batched(rows(), options.batch_rows, batch)
    if layouts.first is not None:
        require(layouts.unseen, layouts.first, f"{source.name}:1")
