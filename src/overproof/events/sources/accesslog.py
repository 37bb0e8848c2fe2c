r"""Read web servers' access logs: common and combined, of Apache, nginx and what writes like them.

A host may stand before the client, anything may follow after the user agent, and syslog may have carried the line.
Servers escape what they log (`\"`, `\x22`); that is undone. Whatever a client sent is an event, a TLS greeting sent to
a plain port too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa

from overproof.events import templates
from overproof.events.sources import syslog
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.stream import decoded
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import integer, utc

_ADDRESS = rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,44})"
_LINE = re.compile(
    rb"""
    (?:(?P<vhost>[^\s"\[]+)[ ](?=%(address)b[ ]))?
    (?P<client>\S+)[ ]\S+(?:[ ](?P<user>.{0,255}?))?[ ]
    \[(?P<day>[0-9]{2})/(?P<month>[A-Z][a-z]{2})/(?P<year>[0-9]{4}):(?P<clock>[0-9]{2}(?::[0-9]{2}){2})
    [ ](?P<zone>[+-][0-9]{4})\][ ]
    "(?P<request>%(quoted)b)"[ ](?P<status>[0-9]{3}|-)[ ](?:[0-9]+|-)
    (?:[ ]"(?P<referer>%(quoted)b)"[ ]"(?P<agent>%(quoted)b)")?
    (?:[ ].*|)
    """
    % {b"address": _ADDRESS, b"quoted": rb'[^"\\]*(?:\\.[^"\\]*)*'},
    re.DOTALL | re.VERBOSE,
)
_CLIENT = re.compile(_ADDRESS)
_REQUEST = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+?)( HTTP/[0-9](?:\.[0-9])?)?", re.DOTALL)
_METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\nrtbvf]))")
_CHARACTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def read_accesslog(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an access log; see `interface.Source`. A line that is none (an error log's) is skipped."""
    yield from read_structured(source, options, LineFormat("an access log", _parse))


def looks_like(line: bytes) -> bool:
    """Tell whether a line is one of an access log."""
    return _match(line) is not None


def _match(line: bytes) -> re.Match[bytes] | None:
    """Split a line into its parts, also one that came by way of syslog."""
    return _LINE.fullmatch(line) or _LINE.fullmatch(syslog.message(line))


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    match = _match(line)
    if match is None:
        yield "not a line of an access log"
        return
    vhost, client, user, agent, referer = (
        _value(match[part]) for part in ("vhost", "client", "user", "agent", "referer")
    )
    method, target = _request(_value(match["request"]))
    yield StructuredEvent(
        text=templates.HttpRequest(method or "-", target or "-", host=vhost, agent=agent, referer=referer).text,
        time=_time(*match.group("year", "month", "day", "clock", "zone")),
        group=client,
        columns={
            "kind": "access",
            "src_ip": client if _CLIENT.fullmatch(match["client"]) else None,
            "transport": "tcp",
            "protocol": "http",
            "host": vhost,
            "url": target,
            "method": method,
            "user_agent": agent,
            "status": integer(decoded(match["status"])),
            "user": user,
        },
    )


def _request(line: str | None) -> tuple[str | None, str | None]:
    """Split a request line into method and target; of a line that is no request, all of it is the target."""
    match = _REQUEST.fullmatch(line or "")
    if match is None or not (match[3] or match[1] in _METHODS):
        return None, line
    return match[1], match[2]


@lru_cache(1024)  # many requests come in one second
def _time(year: bytes, month: bytes, day: bytes, clock: bytes, zone: bytes) -> str | None:
    number = _MONTHS.index(month) + 1 if month in _MONTHS else 0
    return utc(f"{year.decode()}-{number:02d}-{day.decode()}T{clock.decode()}{zone.decode()}")


def _value(logged: bytes | None) -> str | None:
    """Recover what a client sent from what the server wrote of it; `-` and nothing are None."""
    if logged is None or logged in (b"", b"-"):
        return None
    return decoded(_ESCAPED.sub(_character, logged) if b"\\" in logged else logged)


def _character(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else _CHARACTERS.get(escape[2], escape[2])
