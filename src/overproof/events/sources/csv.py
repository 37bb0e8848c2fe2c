"""Read comma- or tab-separated tables with a header line, strictly, and recover line by line.

Where commas divide no column of text from others, semicolons or bars may, as spreadsheets write them in many languages,
and a first line `sep=;` says so.

Tab-separated values have no quotes (IANA, text/tab-separated-values): a line is a record, and a quote is a quote.

A record that is broken costs its first line only: reading resumes at the next one, so that an unclosed
quote cannot swallow what follows it.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources.batch import MOST_COLUMNS, NOTHING_YET, Row, batched, event_batch, extra_names, further
from overproof.events.sources.interface import Columns, Input, OnSkip, ReadOptions
from overproof.events.sources.stream import LONGEST, decoded, excerpt, lines

_BOM = "\ufeff"
SEPARATOR = re.compile(rb'"?sep=([!#-/:-@\[-`{-~\t])"?\r?', re.IGNORECASE)  # a line of Excel's, before the header
MOST_LINES = 1000  # physical lines of the longest record


class _Idle(Exception):
    """Signal that there is nothing more to read for now."""


class _Feed:
    """Feed lines to `csv.reader`, keeping those of the current record so that they can be given back.

    How many lines a record may have shrinks with every broken one and grows with every good one:
    otherwise a hostile file, each of whose lines opens a quote, would be read a thousand times over.
    """

    def __init__(self, numbered: Iterator[tuple[int, bytes] | None]) -> None:
        self._numbered = numbered
        self._again: deque[tuple[int, bytes]] = deque()
        self._most = MOST_LINES
        self.record: list[tuple[int, bytes]] = []
        self.size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        item = self._again.popleft() if self._again else next(self._numbered)
        if item is None:  # the lines of an unfinished record are read again when there are more
            self._again.extendleft(reversed(self.record))
            self._clear()
            raise _Idle
        self.record.append(item)
        self.size += len(item[1])
        if self.size > LONGEST:
            raise csv.Error("longer than 16 MiB")
        if len(self.record) > self._most:
            raise csv.Error("unclosed quote")
        return decoded(item[1]) + "\n"

    def accept(self) -> None:
        """Start the next record after a good one."""
        self._clear()
        if self._most < MOST_LINES:
            self._most += 1

    def give_back(self) -> tuple[int, bytes]:
        """Start the next record at the second line of this broken one; return its first."""
        first, *others = self.record
        if others:
            self._most = max(1, self._most // 2)
            self._again.extendleft(reversed(others))
        self._clear()
        return first

    def _clear(self) -> None:
        self.record.clear()
        self.size = 0


def _reason(error: csv.Error) -> str:
    """Shorten the reader's message where it advises the programmer."""
    message = str(error)
    if "new-line" in message:
        return "carriage return outside quotes"
    return "unclosed quote" if "unexpected end" in message else message


def _split(line: str) -> list[str]:
    """Split a line of tab-separated values; a blank one has none."""
    line = line.removesuffix("\n").removesuffix("\r")
    return line.split("\t") if line else []


def _records(feed: _Feed, name: str, delimiter: str, on_skip: OnSkip) -> Iterator[list[str] | None]:
    """Yield the header, then every record with as many fields, None where there is nothing more for now.

    `feed.record` holds the lines of the last one.
    """
    if csv.field_size_limit() < LONGEST:
        csv.field_size_limit(LONGEST)  # of the process; the module's own default is 128 KiB
    reader = map(_split, feed) if delimiter == "\t" else csv.reader(feed, delimiter=delimiter, strict=True)
    width = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except _Idle:
            yield None
            continue
        except csv.Error as error:
            if not width:
                raise InputError(f"{name}:{feed.record[0][0]}: expected a csv header, found {_reason(error)}") from None
            line, raw = feed.give_back()
            on_skip(Skipped(f"broken csv record: {_reason(error)}", f"{name}:{line}", excerpt(raw)))
            continue
        width = width or len(row)
        if row and len(row) != width:
            line, raw = feed.give_back()
            on_skip(Skipped("wrong number of fields", f"{name}:{line}", excerpt(raw)))
            continue
        if row:  # a blank line is no record
            yield row
        feed.accept()


def _dialect(head: bytes, columns: Columns) -> tuple[str, bool]:
    """Tell what divides a table's columns, and whether its first line does nothing but say so."""
    first = head.split(b"\n", 1)[0]
    if said := SEPARATOR.fullmatch(first):
        return said[1].decode("latin-1"), True
    header = next((decoded(line) for line in head.split(b"\n") if line.strip()), "")
    for delimiter in ",;|":
        with suppress(csv.Error):
            if columns.layout(next(csv.reader([header], delimiter=delimiter), [])).text is not None:
                return delimiter, False
    return ",", False


def read_csv(source: Input, options: ReadOptions, *, delimiter: str | None = None) -> Iterator[pa.RecordBatch]:
    """Read a csv table; see `interface.Source`. The places in origins are physical lines, the header's being 1.

    A header that comes again, of tables put behind each other, is no record.
    """
    numbered = lines(source, options.on_skip)
    if delimiter is None:
        delimiter, said = _dialect(source.head, options.columns)
        numbered = filter(lambda item: item is None or item[0] > 1, numbered) if said else numbered
    feed = _Feed(numbered)
    records = _records(feed, source.name, delimiter, options.on_skip)
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
    text, named = header.index(name), (name, _BOM + name)

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
        for row in records:
            if row is None:
                yield None
                continue
            cell = row[text]
            again = cell in named and [row[0].removeprefix(_BOM), *row[1:]] == header
            if cell and not again:
                yield feed.record[0][0], feed.size, row
                continue
            reason = "the header again" if again else "empty text"
            raw = b"\n".join(line for _, line in feed.record)
            options.on_skip(Skipped(reason, f"{source.name}:{feed.record[0][0]}", excerpt(raw)))

    yield from batched(rows(), options.batch_rows, batch)
