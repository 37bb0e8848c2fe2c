"""Count what syslog, containers and journald carry, taken out of its records here once more.

A line of syslog is as many events as it has messages, of which several stand behind counts of their bytes. What a
container wrote is put together from its parts; where it is plain text, each line is one event. Entries of a journal
are lines of JSON, or end with an empty line. What cannot be told here without reading as the product does is left out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fuzz.accounts.lines import require_counted
from fuzz.accounts.told import Told
from fuzz.target import require
from overproof.events.schema import SCHEMA

FULL = 16 << 10  # bytes of a line that Docker keeps in one record
STAMP = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:[0-9]{2})")
FRAME = re.compile(rb"([0-9]{1,6}) <[0-9]{1,3}>")
# what begins headings, entries of several lines, and records in records
HEADINGS = re.compile(rb"\s*(?:#|--|__|\{.*\"log\"|.* std(?:out|err) [PF])", re.DOTALL)
NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")


class _Part(NamedTuple):
    """What a record holds: of which stream, and whether its line ends with it."""

    stream: str
    log: bytes
    ends: bool


def require_messages(content: bytes, told: Told) -> None:
    """Require that each message of syslog is one event, besides those that sum up flows, and none is rejected."""
    kinds = told.column("kind")
    found = Counter(place for place, kind in zip(told.places, kinds, strict=True) if kind != "flows")
    wanted = Counter({number: _messages(line) for number, line in _filled(content)})
    require(not told.rejected, f"syslog: rejected: {told.rejected[:3]}")
    wrong = sorted(place for place in found | wanted if found[place] != wanted[place])
    require(not wrong, f"syslog: more or fewer events than messages: at {wrong[:5]}")


def _messages(line: bytes) -> int:
    """Count messages behind the counts of their bytes; a count after which no other stands counts for nothing."""
    count, at = 1, 0
    while frame := FRAME.match(line, at):
        at = frame.end(1) + 1 + int(frame[1])
        if at >= len(line) or FRAME.match(line, at) is None:
            break
        count += 1
    return count


def _filled(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line := line.removesuffix(b"\r"):
            yield number, line


def require_records_of_docker(content: bytes, told: Told) -> None:
    """Require that each line that a container wrote is an event or rejected, and what is no record rejected."""
    _require_records(content, told, _docker)


def require_records_of_cri(content: bytes, told: Told) -> None:
    """Require the same of the records of Kubernetes' runtimes."""
    _require_records(content, told, _cri)


def _require_records(content: bytes, told: Told, read: Callable[[bytes], _Part | bool]) -> None:
    """Go through the records; `read` gives one, False where a line is none, True where that is not clear."""
    found = [(number, read(line)) for number, line in _filled(content)]
    rejected = {place for place, _ in told.rejected}
    none = [number for number, part in found if part is False]
    require(rejected.issuperset(none), f"no record, and not rejected: {sorted({*none} - rejected)[:5]}")
    parts = [(number, part) for number, part in found if isinstance(part, _Part)]
    if len(parts) + len(none) != len(found):
        return
    last = found[-1][0] if found else 0
    lines = [(number, line) for number, text in _joined(parts, last) for line in text.split(b"\n")]
    if any(HEADINGS.match(line) for _, line in lines):
        return
    lost = {number for number, line in lines if line.strip()}.difference(told.places, rejected)
    require(not lost, f"what a container wrote is neither an event nor rejected: {sorted(lost)[:5]}")
    if all(batch.schema.names == SCHEMA.names for batch in told.batches):  # plain lines
        wanted = Counter(number for number, line in lines if line.removesuffix(b"\r"))
        events = Counter(told.places) + Counter(place for place, _ in told.rejected) - Counter(none)
        wrong = sorted(place for place in events | wanted if events[place] != wanted[place])
        require(not wrong, f"more or fewer events than a container wrote lines: {wrong[:5]}")


def _joined(parts: list[tuple[int, _Part]], last: int) -> Iterator[tuple[int, bytes]]:
    """Put lines together, at the place of their last part; those that never end are at that of the last line."""
    waiting: dict[str, bytes] = {}
    for number, part in parts:
        text = waiting.pop(part.stream, b"") + part.log
        if part.ends:
            yield number, text
        else:
            waiting[part.stream] = text
    for text in waiting.values():
        yield last, text


def _docker(line: bytes) -> _Part | bool:
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return True  # what is nearly JSON is read too
    if not isinstance(record, dict) or not isinstance(record.get("log"), str):
        return False
    if record.get("stream") not in ("stdout", "stderr") or record.keys() - {"log", "stream", "time", "attrs"}:
        return False
    log = record["log"].encode("utf-8", "surrogatepass")
    return _Part(record["stream"], log.removesuffix(b"\n"), log.endswith(b"\n") or len(log) < FULL)


def _cri(line: bytes) -> _Part | bool:
    stamp, _, rest = line.partition(b" ")
    stream, _, rest = rest.partition(b" ")
    tag, _, log = rest.partition(b" ")
    sound = STAMP.fullmatch(stamp) and stream in (b"stdout", b"stderr") and tag.split() == [tag]
    if not sound or tag[:1] not in (b"F", b"P") or tag[1:2] not in (b"", b":"):
        return False
    return _Part(stream.decode(), log, tag[:1] == b"F")


def require_entries(content: bytes, told: Told) -> None:
    """Require that each entry of a journal is an event or rejected; of a sound export, that they are as many."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")):
        if content.lstrip()[:1] == b"{":
            require_counted(content, told)
        return
    entries, sound = _exported(content)
    counted = [*told.places, *(place for place, _ in told.rejected)]
    lost = sorted({*entries} - {*counted})
    require(not lost, f"journald: entries that are neither events nor rejected: {lost[:5]}")
    require(not sound or len(counted) == len(entries), f"journald: {len(counted)} of {len(entries)} entries")


def _exported(content: bytes) -> tuple[list[int], bool]:
    """Return the lines at which entries begin, up to the first field that is none, and whether there is no such."""
    entries: list[int] = []
    begin: int | None = None
    at = 0
    while at < len(content):
        end = content.find(b"\n", at)
        name, equals, _ = content[at : end if end >= 0 else len(content)].partition(b"=")
        if not name and not equals and end >= 0:
            entries += [] if begin is None else [begin]
            at, begin = end + 1, None
            continue
        if end < 0 or not NAME.fullmatch(name):
            return entries, False
        begin = 1 + content.count(b"\n", 0, at) if begin is None else begin
        at = end + 1
        if not equals:
            at += 8 + int.from_bytes(content[at : at + 8], "little") + 1
            if at > len(content) or content[at - 1 : at] != b"\n":
                return entries, False
    return entries, begin is None
