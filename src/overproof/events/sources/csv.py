"""Read comma- or tab-separated tables with a header line, strictly, and recover line by line.

What divides its columns, which line is the header, what ends a row and what stands before a quote is told by how the
table begins (`csv_dialect`).

Tab-separated values have no quotes (IANA, text/tab-separated-values): a line is a record, and a quote is a quote.

A record that is broken costs its first line only: reading resumes at the next one, so that an unclosed
quote cannot swallow what follows it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.batch import MOST_COLUMNS, NOTHING_YET, Row, batched, event_batch, extra_names, further
from overproof.events.sources.csv_dialect import SEPARATOR, Dialect, dialect_of, escape_quotes
from overproof.events.sources.interface import Input, OnSkip, ReadOptions
from overproof.events.sources.stream import LONGEST, excerpt, lines

_BOM = "\ufeff"
Numbered = Iterator[tuple[int, bytes] | None]  # lines; see `stream.lines`
MOST_LINES = 1000  # physical lines of the longest record


class _Idle(Exception):
    """Signal that there is nothing more to read for now."""


class _Feed:
    """Feed lines to `csv.reader`, keeping those of the current record so that they can be given back.

    How many lines a record may have shrinks with every broken one and grows with every line behind it:
    otherwise a hostile file, each of whose lines opens a quote, would be read a thousand times over.
    """

    def __init__(self, numbered: Numbered, dialect: Dialect) -> None:
        self._numbered = numbered
        self._end, self._escaped = dialect.end.decode(), dialect.escaped
        self._again: deque[tuple[int, bytes]] = deque()
        self._most, self._broken = MOST_LINES, 0  # lines of a record, by that line
        self.record: list[tuple[int, bytes]] = []  # emptied by whoever reads it
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        """Yield lines to a reader, and raise what ends its record; what is left is for another reader."""
        record, end, escaped, size = self.record, self._end, self._escaped, 0
        for item in chain(self._given_back(), self._numbered):
            if item is None:  # the lines of an unfinished record are read again when there are more
                self._give_back(record)
                raise _Idle
            raw = item[1]
            size = size + len(raw) if record else len(raw)
            record.append(item)
            self.size = size
            if size > LONGEST:
                raise csv.Error("longer than 16 MiB")
            if len(record) > 1 and len(record) > self._allowed():
                raise csv.Error("unclosed quote")
            line = raw.decode("utf-8", "backslashreplace") + end  # as `decoded`, without a call for every line
            yield escape_quotes(line) if escaped else line

    def broken(self) -> tuple[int, bytes]:
        """Start the next record at the second line of this broken one; return its first."""
        first, *others = self.record
        if others:
            self._most, self._broken = max(1, self._allowed() // 2), first[0]
        self._give_back(others)
        return first

    def _allowed(self) -> int:
        return min(MOST_LINES, self._most + self.record[0][0] - self._broken)

    def _give_back(self, lines: list[tuple[int, bytes]]) -> None:
        self._again.extendleft(reversed(lines))
        self.record.clear()

    def _given_back(self) -> Iterator[tuple[int, bytes]]:
        while self._again:
            yield self._again.popleft()


def _reason(error: csv.Error, raw: bytes) -> str:
    """Shorten the reader's message where it advises the programmer."""
    message = str(error)
    if b'\\"' in raw and "expected after" in message:
        return 'a quote behind a backslash, where others double it; expected "" in all records, or \\" in all'
    if "new-line" in message:
        return "carriage return outside quotes"
    return "unclosed quote" if "unexpected end" in message else message


def _split(line: str) -> list[str]:
    """Split a line of tab-separated values; a blank one has none."""
    line = line.removesuffix("\n").removesuffix("\r")
    return line.split("\t") if line else []


def _reader(feed: _Feed, dialect: Dialect) -> Iterator[list[str]]:
    """Read records of what a feed has left."""
    if not dialect.quotes:
        return map(_split, feed)
    escape = "\\" if dialect.escaped else None
    return csv.reader(feed, delimiter=dialect.delimiter, escapechar=escape, strict=True)


def _records(feed: _Feed, name: str, dialect: Dialect, on_skip: OnSkip) -> Iterator[list[str] | None]:
    """Yield the header, then every record with as many fields, None where there is nothing more for now.

    `feed.record` holds the lines of the last one.
    """
    if csv.field_size_limit() < LONGEST:
        csv.field_size_limit(LONGEST)  # of the process; the module's own default is 128 KiB
    record, width = feed.record, 0
    while True:  # a reader for what lies between two breaks
        try:
            for row in _reader(feed, dialect):
                width = width or len(row)
                if row and len(row) == width:  # a blank line is no record
                    yield row
                elif row:
                    line, raw = feed.broken()
                    on_skip(Skipped("wrong number of fields", f"{name}:{line}", excerpt(raw)))
                    break
                record.clear()
            else:
                return
        except _Idle:
            yield None
        except csv.Error as error:
            if not width:
                raise InputError(f"{name}:{record[0][0]}: expected a csv header, found {_reason(error, b'')}") from None
            line, raw = feed.broken()
            on_skip(Skipped(f"broken csv record: {_reason(error, raw)}", f"{name}:{line}", excerpt(raw)))


def _below_titles(numbered: Numbered, name: str, on_skip: OnSkip, dialect: Dialect) -> Numbered:
    """Yield a table's lines from its header on; what stands before it is no record, and counted."""
    for item in numbered:
        if item is None or item[0] > dialect.before:
            yield item
        elif item[1].strip() and not SEPARATOR.fullmatch(item[1]):
            on_skip(Skipped("a line above the header", f"{name}:{item[0]}", excerpt(item[1])))


def read_csv(source: Input, options: ReadOptions, *, delimiter: str | None = None) -> Iterator[pa.RecordBatch]:
    """Read a csv table; see `interface.Source`. The places in origins are physical lines, the header's being 1.

    A header that comes again, of tables put behind each other, is no record; what follows is in its order of columns.
    """
    dialect = dialect_of(source.head, options.columns, delimiter)
    numbered = lines(source, options.on_skip, dialect.end)
    feed = _Feed(
        _below_titles(numbered, source.name, options.on_skip, dialect) if dialect.before else numbered, dialect
    )
    records = _records(feed, source.name, dialect, options.on_skip)
    for header in records:
        if header is not None:
            break
        yield NOTHING_YET
    else:
        return
    layout = options.columns.table_layout(header, f"{source.name}:{feed.record[0][0]}")
    indices = [None if field is None else header.index(field) for field in layout]
    few = len(header) <= MOST_COLUMNS
    extras = extra_names(header, layout) if options.extra and few else {}
    name = layout.text or ""
    text, named = header.index(name), {*header, _BOM + header[0]}
    every = sorted(header)

    def batch(places: list[int], rows: list[list[str]]) -> pa.RecordBatch:
        values = (
            list(zip(*rows, strict=True)) if few else {i: [row[i] for row in rows] for i in indices if i is not None}
        )
        blank = (None,) * len(rows)
        fields = [blank if index is None else values[index] for index in indices]
        others = {key: pa.array(values[index], pa.string()) for index, key in extras.items()}
        if options.extra and not few:
            others = further(len(header), len(rows))
        return event_batch(source.name, places, fields, others)

    def rows() -> Iterator[Row[list[str]] | None]:
        order: list[int] | None = None
        lines = feed.record
        for row in records:
            if row is None:
                yield None
                continue
            if row[text] in named and sorted([row[0].removeprefix(_BOM), *row[1:]]) == every:
                names = [row[0].removeprefix(_BOM), *row[1:]]
                order = None if names == header else [names.index(column) for column in header]
                reason = "the header again"
            else:
                if order is not None:
                    row = [row[place] for place in order]
                if row[text]:
                    yield lines[0][0], feed.size, row
                    continue
                reason = "empty text"
            raw = b"\n".join(line for _, line in lines)
            options.on_skip(Skipped(reason, f"{source.name}:{lines[0][0]}", excerpt(raw)))

    yield from batched(rows(), options.batch_rows, batch)
