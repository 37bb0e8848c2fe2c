"""Unwrap what containers wrote from the records in which their runtimes keep it, and read it as what it is.

The Container Runtime Interface writes `TIME STREAM TAG LINE`, of which the tag is P where the line goes on in the
stream's next record and F where it ends (Kubernetes, logging of the CRI). Docker's json-file writes one object a line,
`{"log": …, "stream": …, "time": …}`; a log that fills a record goes on in the next. Fluentd writes `TIME TAB TAG TAB
JSON` to files and `TIME TAG: JSON` to its output (docs.fluentd.org, formatter `out_file` and output `stdout`); others
write a time, or a container's name, before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa

from overproof.events.schema import SCHEMA, Skipped
from overproof.events.sources.interface import Input, OnSkip, ReadOptions
from overproof.events.sources.json_record import record_of
from overproof.events.sources.lines import filled_lines
from overproof.events.sources.stream import KEPT, LONGEST, excerpt
from overproof.events.sources.values import utc

_CRI = re.compile(
    rb"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:[0-9]{2})) (?P<stream>stdout|stderr)"
    rb" (?P<tag>[FP])(?::\S*)?(?: (?P<log>.*))?",
    re.DOTALL,
)
_DATE, _CLOCK = rb"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})", rb"(?P<clock>[0-9:.]{8,18})"
_FLUENTD_FILE = re.compile(
    rb"%bT%b(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})\t[^\t]*\t(?P<log>\{.*\})" % (_DATE, _CLOCK), re.DOTALL
)
_FLUENTD_OUTPUT = re.compile(rb"%b %b (?P<zone>[+-][0-9]{4}) [^\s{}]+: (?P<log>\{.*\})" % (_DATE, _CLOCK), re.DOTALL)
_STAMPED = re.compile(
    rb"(?=[^\s{])(?:\[\S+\] |\S+ +\| )?"
    rb"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{8,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?[ \t]*(?P<log>\{.*\})\s*",
    re.DOTALL,
)
_DOCKER_KEYS = {"log", "stream", "time", "attrs"}
_FULL = 16 << 10  # bytes of what Docker keeps of a line in one record
_ORIGIN, _TIME = SCHEMA.get_field_index("origin"), SCHEMA.get_field_index("time")


class Record(NamedTuple):
    """What a container wrote: to which stream, when, whether its line ends with it, on which host and by which user."""

    log: bytes
    stream: str
    time: str | None
    ends: bool
    host: str | None = None
    user: str | None = None


# what a line holds, or why a part of it cannot be read; None where it is no record
Parse = Callable[[bytes], Record | Sequence[Record | str] | None]

# records as lines, numbered; see `filled_lines`
Divided = Callable[[Input, OnSkip], Iterator[tuple[int, bytes] | None]]


def cri(line: bytes) -> Record | None:
    """Parse a record of the Container Runtime Interface."""
    match = _CRI.fullmatch(line)
    if match is None:
        return None
    return Record(match["log"] or b"", match["stream"].decode(), match["time"].decode(), match["tag"] == b"F")


def fluentd(line: bytes) -> Record | None:
    """Parse a line of Fluentd's, or JSON behind a time or a container's name."""
    match = _FLUENTD_FILE.fullmatch(line) or _FLUENTD_OUTPUT.fullmatch(line)
    if match is None:
        return _stamped(line)
    time = b"%bT%b%b" % match.group("date", "clock", "zone")
    return Record(match["log"], "", time.decode(), ends=True)


def _stamped(line: bytes) -> Record | None:
    """Parse what kubectl, Docker Compose and the like write before a container's line of JSON."""
    match = _STAMPED.fullmatch(line)
    if match is None or isinstance(record_of(match["log"]), str):
        return None
    return Record(match["log"], "", match["time"].decode() if match["time"] else None, ends=True)


def docker(line: bytes) -> Record | None:
    """Parse a record of Docker's json-file."""
    record = record_of(line)
    if isinstance(record, str) or not is_docker(record):
        return None
    log = record["log"].encode("utf-8", "surrogatepass")
    time, stream = record.get("time"), record["stream"]
    ends = log.endswith(b"\n") or len(log) < _FULL
    return Record(log.removesuffix(b"\n"), stream, time if isinstance(time, str) else None, ends)


def is_docker(record: dict[Any, Any]) -> bool:
    """Tell whether a JSON object is a record of Docker's json-file."""
    keys = record.keys()
    return (
        {"log", "stream"} <= keys <= _DOCKER_KEYS
        and isinstance(record["log"], str)
        and record["stream"] in ("stdout", "stderr")
    )


class _Place(NamedTuple):
    """Where the record of a line stands, and what it says of it."""

    number: int
    time: str | None
    host: str | None
    user: str | None


class Unwrapped:
    """The lines that a container wrote, and where they stood.

    Attributes
    ----------
    lines
        Whole lines with their newline, numbered from 1; an empty one where there is nothing more for now.
    options
        By which they are read.
    """

    def __init__(self, source: Input, options: ReadOptions, parse: Parse, divided: Divided = filled_lines) -> None:
        self._name, self._on_skip, self._parse, self._divided = source.name, options.on_skip, parse, divided
        self._places: dict[int, _Place] = {}  # of a line
        self._extra = options.extra
        self._count = 0
        self.lines = self._lines(source)
        self.options = replace(options, on_skip=self._skip)

    def inputs(self) -> Iterator[Input | None]:
        """Yield the input that the lines are, once so many are known that its format can be told; until then None."""
        first: list[bytes] = []
        size = 0
        for line in self.lines:
            first.append(line)
            size += len(line)
            if size >= KEPT or (size and not line):
                break
            if not line:
                yield None
        yield Input(self._name, None, b"".join(first), chain(first, self.lines))

    def _lines(self, source: Input) -> Iterator[bytes]:
        open_lines: dict[str, bytearray] = {}
        number = 0
        for item in self._divided(source, self._on_skip):
            if item is None:
                yield b""
                continue
            number, line = item
            for record in self._records(line):
                if isinstance(record, str):
                    self._on_skip(Skipped(record, f"{self._name}:{number}", excerpt(line)))
                    continue
                so_far = open_lines.pop(record.stream, bytearray())
                if len(so_far) <= LONGEST:  # what is longer is counted as such; the rest need not be kept for that
                    so_far += record.log
                if record.ends:
                    yield self._placed(bytes(so_far), _Place(number, record.time, record.host, record.user))
                else:
                    open_lines[record.stream] = so_far
        for so_far in open_lines.values():
            yield self._placed(bytes(so_far), _Place(number, None, None, None))

    def _records(self, line: bytes) -> Sequence[Record | str]:
        found = self._parse(line)
        if isinstance(found, Record):
            return (found,)
        return ("not a record of a container's log",) if found is None else found or ("an envelope of nothing",)

    def _placed(self, log: bytes, place: _Place) -> bytes:
        for _ in range(log.count(b"\n") + 1):
            self._count += 1
            self._places[self._count] = place
        return log + b"\n"

    def _skip(self, skipped: Skipped) -> None:
        self._on_skip(replace(skipped, origin=f"{self._name}:{self._places[_place(skipped.origin)].number}"))

    def placed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return events with the places of their records, and their time, host and user where a line has none."""
        places = [_place(origin) for origin in batch.column("origin").to_pylist()]
        found = [self._places[place] for place in places]
        origins = [f"{self._name}:{place.number}" for place in found]
        times = [
            own or (place.time and utc(place.time))
            for own, place in zip(batch.column("time").to_pylist(), found, strict=True)
        ]
        for place in [place for place in self._places if place < max(places, default=0)]:
            del self._places[place]
        batch = batch.set_column(_ORIGIN, SCHEMA.field(_ORIGIN), pa.array(origins, SCHEMA.field(_ORIGIN).type))
        for name in ("host", "user") if self._extra else ():
            values = [getattr(place, name) for place in found]
            if any(values):
                batch = _filled(batch, name, values)
        return batch.set_column(_TIME, SCHEMA.field(_TIME), pa.array(times, SCHEMA.field(_TIME).type))


def _filled(batch: pa.RecordBatch, name: str, values: Sequence[str | None]) -> pa.RecordBatch:
    """Return events with a column of what their records say, where they say nothing themselves."""
    if name not in batch.schema.names:
        return batch.append_column(name, pa.array(values, pa.string()))
    place = batch.schema.get_field_index(name)
    own = batch.column(place)
    if own.type not in (pa.string(), pa.null()):
        return batch
    both = [mine or value for mine, value in zip(own.to_pylist(), values, strict=True)]
    return batch.set_column(place, pa.field(name, pa.string()), pa.array(both, pa.string()))


def _place(origin: str) -> int:
    return int(origin.rpartition(":")[2])
