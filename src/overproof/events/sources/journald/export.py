r"""Read `journalctl -o export`: a line for each field, an empty one after each entry, bytes with their length.

The format: https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-export-format. A field is `NAME=value\n`, or where its
value is not printable text `NAME\n`, 64 bits little-endian of length, that many bytes, `\n`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import Row, batched
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.journald.records import to_event
from overproof.events.sources.stream import LONGEST, READ_ERRORS, decoded, excerpt
from overproof.events.sources.structured import StructuredEvent, structured_batch
from overproof.progress import why

_NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")
_LENGTH = 8  # bytes that state how many follow
MOST_FIELDS = 4096  # of one entry; journald itself takes 1024
_BROKEN = "not a field of the journal's export format"

Entry = dict[str, Any]


def read_export(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a journal's export; see `interface.Source`. The places in origins are lines, those of values too."""
    require(options.columns.named, (), f"{source.name}: a journal, which is read by its own columns")
    rows = _rows(source, options.on_skip)
    yield from batched(rows, options.batch_rows, partial(structured_batch, source.name, extra=options.extra))


def looks_like_export(head: bytes) -> bool:
    """Tell whether an input begins as journalctl begins every entry."""
    return head.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP="))


def _rows(source: Input, on_skip: OnSkip) -> Iterator[Row[StructuredEvent] | None]:
    for line, raw, entry in _entries(source, on_skip):
        if raw is None:
            yield None
            continue
        found = to_event(entry) if isinstance(entry, dict) else entry
        if isinstance(found, str):
            on_skip(Skipped(found, f"{source.name}:{line}", excerpt(raw)))
        else:
            yield line, len(raw), found


def _entries(source: Input, on_skip: OnSkip) -> Iterator[tuple[int, bytes | None, Entry | str]]:
    """Yield the line at which each entry begins, its bytes, and its fields or why it has none; no bytes: wait."""
    data, line = b"", 1
    try:
        for block in source.blocks:
            if not block:
                yield line, None, ""
                continue
            data += block
            at = 0
            while (found := _entry(data, at)) is not None:
                end, entry = found
                if raw := data[at:end].strip(b"\n"):
                    yield line, raw, entry
                line += data.count(b"\n", at, end)
                at = end
            data = data[at:]
    except READ_ERRORS as error:
        on_skip(Skipped(f"the input breaks off: {why(error)}", f"{source.name}:{line}", excerpt(data)))
        return
    if data.strip(b"\n"):  # journalctl ends every entry; what was cut is one if its fields are whole
        end, entry = _entry(data + b"\n\n", 0) or (0, "cut short: a value that is shorter than it says")
        yield line, data, entry


def _entry(data: bytes, at: int) -> tuple[int, Entry | str] | None:
    """Read the entry that begins at a place: where it ends and its fields, or why not; None where more is to come.

    After a broken field, or more than `LONGEST` bytes, the entry is given up until the next empty line.
    """
    entry: Entry = {}
    start = at
    while True:
        end = data.find(b"\n", at)
        if end < 0 or end - start > LONGEST:
            return _given_up(data, start, "longer than 16 MiB") if len(data) - start > LONGEST else None
        if end == at:
            return end + 1, entry
        name, equals, value = data[at:end].partition(b"=")
        if not _NAME.fullmatch(name):
            return _given_up(data, at, _BROKEN)
        if len(entry) == MOST_FIELDS:
            return _given_up(data, at, "more fields than an entry of a journal has")
        at = end + 1
        if not equals:
            length = int.from_bytes(data[at : at + _LENGTH], "little")
            if length > LONGEST:
                return _given_up(data, at, "longer than 16 MiB") if len(data) >= at + _LENGTH else None
            value, at = data[at + _LENGTH : at + _LENGTH + length], at + _LENGTH + length + 1
            if at > len(data):
                return None
            if data[at - 1 : at] != b"\n":
                return _given_up(data, end, _BROKEN)
        _add(entry, decoded(name), decoded(value))


def _given_up(data: bytes, at: int, why: str) -> tuple[int, str] | None:
    end = data.find(b"\n\n", at)
    if end < 0:
        return (len(data), why) if len(data) - at > LONGEST else None
    return end + 2, why


def _add(entry: Entry, name: str, value: str) -> None:
    """Add a field; one that stands several times becomes a list, as in the journal's JSON."""
    if name not in entry:
        entry[name] = value
    elif isinstance(entry[name], list):
        entry[name].append(value)
    else:
        entry[name] = [entry[name], value]
