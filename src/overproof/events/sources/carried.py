"""Read syslog, and what it carries for others: requests of web servers and proxies, CEF and LEEF, alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from overproof.events.sources import accesslog, auditd, cef, syslog
from overproof.events.sources.accesslog import named
from overproof.events.sources.accesslog.json import of_server
from overproof.events.sources.host_aggregates import HostAggregator
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.json_record import record_of
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, aggregate_events, read_structured
from overproof.events.sources.suricata import fast
from overproof.events.sources.suricata import records as suricata
from overproof.events.sources.suricata.records import is_eve
from overproof.events.sources.windows.records import to_event as to_windows_event
from overproof.events.sources.windows.shapes import event_of
from overproof.events.sources.zeek import keys as zeek_keys
from overproof.events.sources.zeek import records as zeek

_DATED = re.compile(rb"\[[0-9]{2,4}[/-]")  # as every line of an access log is that has quotes
# looked for as numbers, which takes an eighth of the time
_BRACE, _BAR, _QUOTE, _PARENTHESIS, _DIGITS = *b'}|"(', frozenset(b"0123456789")
# behind the cookie of structured syslog, if there is one
_OBJECT = re.compile(rb"(?:@cee:)?[ ]?(\{.*\})", re.DOTALL)


def read_syslog(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read syslog; see `interface.Source`. Flows that it carries are aggregated too."""
    log = _Log()
    yield from read_structured(source, options, LineFormat("syslog", log.parse, log.finish))


def read_cef(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read CEF and LEEF; see `interface.Source`. Other lines between them are read as syslog."""
    log = _Log()
    yield from read_structured(source, options, LineFormat("CEF or LEEF", log.parse, log.finish))


class _Log:
    """One log as it is read, and the aggregates of the flows that sensors send in it."""

    def __init__(self) -> None:
        self._of_zeek, self._of_suricata = HostAggregator(), HostAggregator()  # which see the same connections

    def parse(self, number: int, line: bytes) -> Iterable[Parsed]:
        """Return the events of a line."""
        if line[0] in _DIGITS:
            return chain.from_iterable(map(self._events, syslog.frames(line)))
        return self._events(line) if line[-1] == _BRACE else (_event(line),)

    def finish(self) -> Iterator[StructuredEvent]:
        """Yield the aggregates of the minutes that the log ends in."""
        for aggregator in (self._of_zeek, self._of_suricata):
            yield from aggregate_events(aggregator.close())

    def _events(self, line: bytes) -> Iterable[Parsed]:
        if line.endswith(b"}") and (document := _OBJECT.fullmatch(syslog.message(line))):
            found = [event if event.time else event._replace(time=syslog.time(line)) for event in self._of(document[1])]
            return found or (syslog.parse(line),)
        return (_event(line),)

    def _of(self, document: bytes) -> Sequence[StructuredEvent]:
        """Read JSON: a request, a Windows event, or an event of Suricata's or Zeek's, and the minutes it ends."""
        record = record_of(document)
        if isinstance(record, str):
            return ()
        if request := of_server(record):
            return (request.event(),)
        if is_eve(record):
            return self._of_eve(record)
        if zeek_keys.is_record(record):
            found = zeek_keys.unnested(record)
            path = zeek_keys.path_of(found, None, "")
            over = zeek.add_connection(self._of_zeek, found) if path == "conn" else ()
            return zeek.to_event(path, found), *aggregate_events(over)
        if windows := event_of(record):
            return (to_windows_event(windows),)
        named_request = named.to_request(record)
        return () if named_request is None else (named_request.event(),)

    def _of_eve(self, record: dict[Any, Any]) -> Sequence[StructuredEvent]:
        kind = record["event_type"]
        if not isinstance(kind, str):
            return ()
        over = suricata.add_connection(self._of_suricata, record) if kind == "flow" else ()
        return suricata.to_event(kind, record), *aggregate_events(over)


def _event(line: bytes) -> Parsed:
    if _BAR in line and b"EF:" in line and (event := cef.to_event(line)):
        return event
    if _QUOTE in line and _DATED.search(line) and (request := accesslog.read_request(line)):
        return request.event()
    if _PARENTHESIS in line and b"audit(" in line and (record := auditd.to_event(syslog.message(line))):
        return _on_its_host(record, line)
    if b"[Priority: " in line and (alert := fast.to_event(syslog.message(line))):
        return alert._replace(time=syslog.time(line))
    return syslog.parse(line)


def _on_its_host(event: StructuredEvent, line: bytes) -> StructuredEvent:
    """Return an event with the host that sent it by syslog, unless it names one."""
    if event.columns.get("host") is not None:
        return event
    return event._replace(columns={**event.columns, "host": syslog.parse(line).columns["host"]})
