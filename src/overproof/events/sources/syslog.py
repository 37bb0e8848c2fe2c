"""Parse syslog as files hold it: RFC 3164, RFC 5424 and rsyslog's ISO times, with or without a priority before them.

An octet count may stand before the priority (RFC 6587). A time without its year is no time: it stands in the text
only. A line that is none of these (a traceback's, an application's own) stays what it is: a plain line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import StructuredEvent
from overproof.events.sources.values import utc

_CLOCK = rb"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ISO = rb"(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2}T(?P<clock>%b)(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2}))" % _CLOCK
_OLD = re.compile(
    rb"""
    (?:(?:[0-9]{1,6}[ ])?<[0-9]{1,3}>)?
    (?:%(iso)b|[A-Z][a-z]{2}[ ]+[0-9]{1,2}[ ](?:[0-9]{4}[ ])?(?P<old>%(clock)b))
    (?:[ ](?P<host>[^\s\[\]]*[^\s\[\]:]))?
    [ ](?:(?P<program>[^\s:\[\]]{1,128})(?:\[(?P<pid>[^\]\s]{0,64})\])?:[ ]?)?
    (?P<message>.*)
    """
    % {b"iso": _ISO, b"clock": _CLOCK},
    re.DOTALL | re.VERBOSE,
)
_NEW = re.compile(
    rb"""
    (?:(?:[0-9]{1,6}[ ])?<[0-9]{1,3}>)?1[ ]
    (?:-|%(iso)b)
    [ ](?P<host>\S{1,255})[ ](?P<program>\S{1,48})[ ](?P<pid>\S{1,128})[ ]\S{1,32}
    [ ](?P<data>-|(?:\[[^\s="\]]{1,32}(?:[ ][^\s="\]]{1,32}="[^"\\\]]*(?:\\.[^"\\\]]*)*")*\])+)
    (?:[ ](?P<message>.*))?
    """
    % {b"iso": _ISO},
    re.DOTALL | re.VERBOSE,
)
_COUNT = re.compile(rb"([0-9]{1,6}) (?=<[0-9]{1,3}>)")
_PARTS = ("iso", "clock", "host", "program", "pid", "message")
_UNSET = (None, b"", b"-")
_BOM = b"\xef\xbb\xbf"


def looks_like(line: bytes) -> bool:
    """Tell whether a line is syslog's."""
    return (_NEW.fullmatch(line) or _OLD.fullmatch(line)) is not None


def frames(line: bytes) -> Iterator[bytes]:
    """Yield the messages of a line that holds several, each behind the count of its bytes (RFC 6587, 3.4.1)."""
    while (
        (count := _COUNT.match(line)) and (end := count.end() + int(count[1])) < len(line) and _COUNT.match(line, end)
    ):
        yield line[:end]
        line = line[end:]
    yield line


def message(line: bytes) -> bytes:
    """Return what a program sent to syslog: nothing where a line is not syslog's."""
    match = _NEW.fullmatch(line) or _OLD.fullmatch(line)
    return (match["message"] or b"") if match else b""


def time(line: bytes) -> str | None:
    """Return when a line says that it was written, UTC; None without a year or a zone."""
    match = _NEW.fullmatch(line) or _OLD.fullmatch(line)
    return None if match is None or match["iso"] is None else utc(match["iso"].decode())


def parse(line: bytes) -> StructuredEvent:
    """Write `clock host program[pid]: message`, structured data standing before the message."""
    new = _NEW.fullmatch(line)
    match = new or _OLD.fullmatch(line)
    if match is None:
        return StructuredEvent(decoded(line))
    iso, clock, host, program, pid, message = match.group(*_PARTS)
    sender = None if program in _UNSET else b"%b:" % program if pid in _UNSET else b"%b[%b]:" % (program, pid)
    data = None if new is None else new["data"]
    words = [
        clock or (match["old"] if new is None else None),
        host,
        sender,
        data,
        message and message.removeprefix(_BOM),
    ]
    group = None if host in _UNSET else decoded(host)
    return StructuredEvent(
        text=decoded(b" ".join([word for word in words if word not in _UNSET]) or line),  # all at once: the quicker way
        time=None if iso is None else utc(iso.decode()),
        group=group,
        columns={"kind": "syslog", "host": group},
    )
