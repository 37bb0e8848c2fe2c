"""Read syslog, and what it carries for others: requests of web servers and proxies, CEF and LEEF, alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources import accesslog, cef, syslog
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.structured import LineFormat, Parsed, read_structured
from overproof.events.sources.suricata import fast


def read_syslog(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read syslog; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("syslog", _parse))


def read_cef(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read CEF and LEEF; see `interface.Source`. Other lines between them are read as syslog."""
    yield from read_structured(source, options, LineFormat("CEF or LEEF", _parse))


def _parse(number: int, line: bytes) -> tuple[Parsed]:
    if b"|" in line and b"EF:" in line and (event := cef.to_event(line)):
        return (event,)
    if b'"' in line and b"] " in line and (request := accesslog.read_request(line)):
        return (request.event(),)
    if b"[Priority: " in line and (alert := fast.to_event(syslog.message(line))):
        return (alert._replace(time=syslog.time(line)),)
    return (syslog.parse(line),)
