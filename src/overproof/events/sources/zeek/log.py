"""Parse the lines of Zeek's logs: TSV under its headers, or JSON.

A file may hold several headers, and their fields may change midway.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, repeat
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.host_aggregates import HostAggregator
from overproof.events.sources.interface import Input, OnSkip, ReadOptions
from overproof.events.sources.json_record import record_of
from overproof.events.sources.lines import filled_lines
from overproof.events.sources.stream import decoded, excerpt
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, aggregate_events, read_structured
from overproof.events.sources.values import integer
from overproof.events.sources.zeek.keys import IDS, Record, path_of, unnested
from overproof.events.sources.zeek.records import add_connection, to_event

_ESCAPED = re.compile(rb"\\(?:\\|x([0-9A-Fa-f]{2}))")
_BACKSLASH = ord("\\")  # which is looked for in bytes several times as fast as b"\\"
_CONTAINER = re.compile(r"(?:set|table|vector)\[(\w+)\]")


def read_zeek(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a Zeek log; see `interface.Source`. Headers are no records; connections are aggregated too."""
    log = _Log(PurePath(source.name).name)
    yield from read_structured(source, options, LineFormat("a Zeek log", log.parse, log.finish))


def zeek_records(source: Input, on_skip: OnSkip) -> Iterator[tuple[int, str, Record]]:
    """Yield the records themselves, each with its line and the log that it is of."""
    log = _Log(PurePath(source.name).name)
    for item in filled_lines(source, on_skip):
        found = None if item is None else log.record(item[1])
        if item is None or found is None:
            continue
        if isinstance(found, str):
            on_skip(Skipped(found, f"{source.name}:{item[0]}", excerpt(item[1])))
        else:
            yield item[0], *found


@dataclass(frozen=True)
class _Header:
    """The header so far, as the lines that begin with `#` state it."""

    separator: bytes = b"\t"
    set_separator: bytes = b","
    empty_field: bytes = b"(empty)"
    unset_field: bytes = b"-"
    path: str | None = None
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def with_line(self, line: bytes) -> _Header:
        """Return the header with one more line; a line it does not know (`#open`, `#close`) changes nothing."""
        if line.startswith(b"#separator "):
            return _Header(separator=_unescaped(line[11:]) or b"\t")
        key, *values = line[1:].split(self.separator)
        if key == b"fields":
            return replace(self, fields=tuple(IDS.get(name, name) for name in map(decoded, values)), types=())
        if key == b"types":
            return replace(self, types=tuple(map(decoded, values)))
        if key == b"path" and values:
            return replace(self, path=decoded(values[0]))
        value = _unescaped(values[0]) if values else b""
        if key == b"set_separator" and value:
            return replace(self, set_separator=value)
        if key == b"empty_field" and value:
            return replace(self, empty_field=value)
        if key == b"unset_field" and value:
            return replace(self, unset_field=value)
        return self

    def record(self, line: bytes) -> Record | str:
        """Return the fields of a line that are set, or why it has none."""
        values = line.split(self.separator)
        if not self.fields:
            return "a Zeek record before any #fields header"
        if len(values) < len(self.fields):
            return "cut short: fewer values than the #fields of its header"
        if len(values) > len(self.fields):
            return "more values than the #fields of its header"
        types = chain(self.types, repeat("string"))
        typed = zip(self.fields, values, types, strict=False)
        return {name: self._value(value, kind) for name, value, kind in typed if value != self.unset_field}

    def _value(self, raw: bytes, kind: str) -> Any:
        inside = _contained(kind)
        if inside is None:
            return "" if raw == self.empty_field else _scalar(raw, kind)
        parts = [] if raw in (self.empty_field, b"") else raw.split(self.set_separator)
        return [None if part == self.unset_field else _scalar(part, inside) for part in parts]


class _Log:
    """One log as it is read: the header that holds, and the aggregates of its connections."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._header = _Header()
        self._aggregator = HostAggregator()

    def record(self, line: bytes) -> tuple[str, Record] | str | None:
        """Return which log a line is of and its record, why it has none, or None of a header."""
        if line.startswith(b"#"):
            self._header = self._header.with_line(line)
            return None
        record = _json(line) if line.lstrip().startswith(b"{") else self._header.record(line)
        return record if isinstance(record, str) else (path_of(record, self._header.path, self._name), record)

    def parse(self, number: int, line: bytes) -> Iterator[Parsed]:
        """Yield the record of a line, or why it is none."""
        found = self.record(line)
        if found is None or isinstance(found, str):
            yield found
            return
        path, record = found
        yield to_event(path, record)
        if path == "conn":
            yield from aggregate_events(add_connection(self._aggregator, record))

    def finish(self) -> Iterator[StructuredEvent]:
        """Yield the aggregates of the minutes that the log ends in."""
        yield from aggregate_events(self._aggregator.close())


def _json(line: bytes) -> Record | str:
    record = record_of(line, repeats=False)
    if isinstance(record, str) or (line.count(b"{") == 1 and "id_orig_h" not in record):
        return record  # the usual case: no object in it, and Zeek's own names
    return unnested(record)


@lru_cache(256)  # a header has few types, and each value one
def _contained(kind: str) -> str | None:
    """Return the type of the values in a container; None where it is none."""
    container = _CONTAINER.fullmatch(kind)
    return container and container[1]


def _scalar(raw: bytes, kind: str) -> Any:
    text = decoded(_unescaped(raw))
    if kind == "bool" and text in ("T", "F"):
        return text == "T"
    if kind in ("count", "int", "port"):
        value = integer(text)
        return text if value is None else value
    if kind in ("double", "time", "interval"):
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text


def _unescaped(raw: bytes) -> bytes:
    r"""Undo Zeek's escapes: `\x09` for a byte that it must escape, and two backslashes for one."""
    if _BACKSLASH not in raw:
        return raw
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()) if match[1] else b"\\", raw)
