"""Read syslog, and what it carries for others: requests of web servers and proxies, CEF and LEEF, alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from overproof.events.sources import accesslog, cef, syslog
from overproof.events.sources.accesslog import named
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.jsonl import record_of
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.suricata import fast
from overproof.events.sources.suricata import records as suricata
from overproof.events.sources.suricata.records import is_eve
from overproof.events.sources.zeek import keys as zeek_keys
from overproof.events.sources.zeek import records as zeek

_BRACE, _DIGITS = ord("}"), frozenset(b"0123456789")
# behind the cookie of structured syslog, if there is one
_OBJECT = re.compile(rb"(?:@cee:)?[ ]?(\{.*\})", re.DOTALL)


def read_syslog(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read syslog; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("syslog", _parse))


def read_cef(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read CEF and LEEF; see `interface.Source`. Other lines between them are read as syslog."""
    yield from read_structured(source, options, LineFormat("CEF or LEEF", _parse))


def _parse(number: int, line: bytes) -> Iterable[Parsed]:
    return map(_event, syslog.frames(line)) if line[0] in _DIGITS else (_event(line),)


def _event(line: bytes) -> Parsed:
    if b"|" in line and b"EF:" in line and (event := cef.to_event(line)):
        return event
    if b'"' in line and b"] " in line and (request := accesslog.read_request(line)):
        return request.event()
    if b"[Priority: " in line and (alert := fast.to_event(syslog.message(line))):
        return alert._replace(time=syslog.time(line))
    if line[-1] == _BRACE and (document := _OBJECT.fullmatch(syslog.message(line))) and (found := _of(document[1])):
        return found
    return syslog.parse(line)


def _of(document: bytes) -> StructuredEvent | None:
    """Read JSON that syslog carried: a request, or an event of Suricata's or Zeek's."""
    if request := accesslog.read_request(document):
        return request.event()
    record = record_of(document)
    if isinstance(record, str):
        return None
    if is_eve(record):
        kind = record["event_type"]
        return suricata.to_event(kind, record) if isinstance(kind, str) else None
    if not zeek_keys.is_record(record):
        request = named.read_named(document)
        return None if request is None else request.event()
    found = zeek_keys.unnested(record)
    return zeek.to_event(zeek_keys.path_of(found, None, ""), found)
