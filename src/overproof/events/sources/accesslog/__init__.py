"""Read the logs of web servers and proxies, one request a line, or one TLS connection.

Whatever a client sent is an event, a TLS greeting sent to a plain port too. Syslog may have carried the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources import syslog
from overproof.events.sources.accesslog.aws import read_balancer, read_s3
from overproof.events.sources.accesslog.aws_tls import read_connection
from overproof.events.sources.accesslog.common import read_common
from overproof.events.sources.accesslog.envoy import read_envoy
from overproof.events.sources.accesslog.json import read_json
from overproof.events.sources.accesslog.named import read_named
from overproof.events.sources.accesslog.proxies import read_haproxy, read_squid
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.structured import LineFormat, Parsed, read_structured
from overproof.events.sources.web import LoggedRequest

_CARRIED = re.compile(  # a priority or a program: a container's lines begin with a time too, and no program follows
    rb"[A-Z][a-z]{2} [ 0-3][0-9] |<[0-9]{1,3}>|1 [0-9]{4}-|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+ (?:\S+ )?[^\s:]+: "
)
_OWNER = 64  # characters before S3's first blank


def read_accesslog(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an access log; see `interface.Source`. A line that is none (an error log's) is skipped."""
    yield from read_structured(source, options, LineFormat("an access log", _parse))


def looks_like(line: bytes) -> bool:
    """Tell whether a line is one of an access log."""
    return read_request(line) is not None or read_connection(line) is not None


def read_request(line: bytes) -> LoggedRequest | None:
    """Read a line of any of these logs, also one that is JSON or came by way of syslog; None where it is none."""
    if line[:1] in (b"{", b" ") and line.lstrip().startswith(b"{"):
        return read_json(line)
    message = syslog.message(line) if _CARRIED.match(line) else b""
    request = _bare(message or line)
    if message and request is not None and request.time is None:
        return request._replace(time=syslog.time(line))
    return request


def _bare(line: bytes) -> LoggedRequest | None:
    if line[_OWNER : _OWNER + 1] == b" " and (request := read_s3(line)):
        return request
    if line.startswith(b"[") and (request := read_envoy(line)):
        return request
    return read_common(line) or read_balancer(line) or read_haproxy(line) or read_squid(line)


def _parse(number: int, line: bytes) -> tuple[Parsed]:
    request = read_request(line) or (read_named(line) if line.lstrip().startswith(b"{") else None)
    event = read_connection(line) if request is None else request.event()
    return (event or "not a line of an access log",)
