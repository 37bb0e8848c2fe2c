"""Read an audit log of sections, each behind a line `--boundary-LETTER--`, from A to Z.

The format: ModSecurity's reference manual, "ModSecurity Audit Log". The boundary of a transaction is drawn at random,
so that no body can end it: another boundary in between is content, if what it stands in ends later. A transaction that
does not end (the server died) is given up where the next begins.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.accesslog.escapes import clock
from overproof.events.sources.batch import Row, batched
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.modsecurity.records import Audited, of_head, to_event
from overproof.events.sources.modsecurity.shapes import BOUNDARY
from overproof.events.sources.stream import LONGEST, excerpt, lines
from overproof.events.sources.structured import StructuredEvent, structured_batch

_ABOUT = re.compile(
    rb"\[(?P<date>[^\]\s.]{20})(?:\.[0-9]{1,9})? -?(?P<zone>[+-][0-9]{4})\] (?P<id>\S+)"
    rb" (?P<client>\S+) (?P<port>[0-9]{1,5}) (?P<server>\S+) (?P<server_port>[0-9]{1,5})\s*"
)
_STATUS = re.compile(rb"\s*HTTP/[0-9.]+ ([0-9]{3})\b")
MOST_LINES = 1 << 18  # of one transaction
_ENDLESS = "cut short: a transaction without its section Z"
_STRAY = "not a section of a transaction that begins with A"

Line = tuple[int, bytes]


def read_serial(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an audit log; see `interface.Source`. The places in origins are the lines where transactions begin."""
    require(options.columns.named, (), f"{source.name}: an audit log, which is read by its own columns")
    rows = _rows(source, options.on_skip)
    yield from batched(rows, options.batch_rows, partial(structured_batch, source.name, extra=options.extra))


def _rows(source: Input, on_skip: OnSkip) -> Iterator[Row[StructuredEvent] | None]:
    waiting, idle = _Waiting(), False
    for item in lines(source, on_skip):
        if item is None:
            waiting.quiet = idle
            yield from _made(waiting, source.name, on_skip)
            waiting.quiet, idle = False, True
            yield None
            continue
        idle = False
        waiting.add(item)
        yield from _made(waiting, source.name, on_skip)
    waiting.over = True
    yield from _made(waiting, source.name, on_skip)


def _made(waiting: _Waiting, name: str, on_skip: OnSkip) -> Iterator[Row[StructuredEvent]]:
    while (taken := waiting.take()) is not None:
        (number, _), *_ = taken
        raw = b"\n".join(line for _, line in taken)
        if not raw.strip():
            continue
        found = _event(taken)
        if isinstance(found, str):
            on_skip(Skipped(found, f"{name}:{number}", excerpt(raw)))
        else:
            yield number, len(raw), found


class _Waiting:
    """The lines of transactions whose end is not known yet.

    Attributes
    ----------
    over
        Whether no more lines come.
    quiet
        Whether none came between two looks. A transaction is written at once: one that a whole one follows by then
        will not end any more.
    """

    def __init__(self) -> None:
        self.over = self.quiet = False
        self._lines: deque[Line] = deque()
        self._size = 0
        self._starts: deque[tuple[int, bytes]] = deque()  # where sections A begin, and of which boundary
        self._ends: dict[bytes, int] = {}  # where the section Z of a boundary stands

    def add(self, line: Line) -> None:
        """Take the next line."""
        self._lines.append(line)
        self._size += len(line[1]) + 1
        boundary = BOUNDARY.fullmatch(line[1])
        if boundary and boundary["section"] == b"A":
            self._starts.append((line[0], boundary["id"]))
        elif boundary and boundary["section"] == b"Z":
            self._ends.setdefault(boundary["id"], line[0])

    def take(self) -> list[Line] | None:
        """Return the lines of the first transaction, or what is none; None where that depends on lines to come."""
        if not self._lines:
            return None
        first = self._lines[0][0]
        give_up = self.over or self._is_full() or (self.quiet and self._is_followed())
        if self._starts and self._starts[0][0] == first:
            end = self._ends.get(self._starts[0][1])
            if end is not None:
                return self._until(end)
            following = self._starts[1][0] if len(self._starts) > 1 else None
            return self._until(following and following - 1) if give_up else None
        if self._starts:
            return self._until(self._starts[0][0] - 1)
        return self._until(None) if give_up or not self._lines[0][1].strip() else None

    def _is_followed(self) -> bool:
        """Tell whether a whole transaction stands behind the first."""
        return any(identifier in self._ends for _, identifier in islice(self._starts, 1, None))

    def _is_full(self) -> bool:
        return self._size > LONGEST or len(self._lines) > MOST_LINES

    def _until(self, last: int | None) -> list[Line]:
        """Take the lines up to one, or all."""
        taken = []
        while self._lines and (last is None or self._lines[0][0] <= last):
            taken.append(self._lines.popleft())
            self._size -= len(taken[-1][1]) + 1
        end = taken[-1][0]
        while self._starts and self._starts[0][0] <= end:
            self._starts.popleft()
        for number, line in taken:
            boundary = BOUNDARY.fullmatch(line)
            if boundary and self._ends.get(boundary["id"]) == number:
                del self._ends[boundary["id"]]
        return taken


def _event(taken: list[Line]) -> StructuredEvent | str:
    """Make the event of a transaction, or say why it has none."""
    begins, ends = BOUNDARY.fullmatch(taken[0][1]), BOUNDARY.fullmatch(taken[-1][1])
    if begins is None or begins["section"] != b"A":
        return _STRAY
    if ends is None or ends.group("id", "section") != (begins["id"], b"Z"):
        much = len(taken) > MOST_LINES or sum(len(line) + 1 for _, line in taken) > LONGEST
        return f"longer than 16 MiB, or {MOST_LINES:,} lines" if much else _ENDLESS
    sections = _sections(taken, begins["id"])
    about = _ABOUT.fullmatch(sections.get(b"A", b""))
    if about is None:
        return "section A is not [time] id address port address port"
    read = of_head(sections.get(b"B", b""))
    if read is None:
        return "a transaction without its request (section B)"
    status = _STATUS.match(sections.get(b"F", b""))
    body = sections.get(b"C", sections.get(b"I"))
    line_ends = 2 if begins["id"].startswith(b"-") else 1  # that version 3, or 2, writes behind a section
    for _ in range(line_ends):
        body = body and body.removesuffix(b"\n")
    return to_event(
        *read,
        body,
        Audited(
            clock(b"%b %b" % about.group("date", "zone")),
            about["client"].decode("utf-8", "backslashreplace"),
            int(about["port"]),
            about["server"].decode("utf-8", "backslashreplace"),
            int(about["server_port"]),
            int(status[1]) if status else None,
        ),
    )


def _sections(taken: list[Line], identifier: bytes) -> dict[bytes, bytes]:
    """Return what stands in each section: in those of a transaction's own boundary, all else is content."""
    found: dict[bytes, list[bytes]] = {}
    section: list[bytes] = []
    for _, line in taken:
        boundary = BOUNDARY.fullmatch(line)
        if boundary and boundary["id"] == identifier:
            section = found.setdefault(boundary["section"], [])
        else:
            section.append(line)
    return {letter: b"\n".join(within) + b"\n" if within else b"" for letter, within in found.items()}
