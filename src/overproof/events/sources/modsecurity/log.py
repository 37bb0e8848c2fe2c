"""Read an audit log of JSON, one transaction a line: those of ModSecurity 2 and 3, and Coraza's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from overproof.events.sources.accesslog.escapes import clock
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.json_record import parse_pairs
from overproof.events.sources.modsecurity.records import Audited, of_head, to_event
from overproof.events.sources.modsecurity.shapes import is_transaction
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import entry, integer, items, number, string, utc, when

_FRACTION = re.compile(r"\.[0-9]{1,9}(?= )")


class _Repeated(list[Any]):
    """The values of a key that an object has several times, as a header that was sent several times."""


def read_json(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an audit log; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("an audit log", _parse))


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    if not line.strip():
        return
    try:
        record = parse_pairs(line, _merged)
    except (ValueError, RecursionError):
        yield "JSON does not parse"
        return
    if not isinstance(record, dict) or not is_transaction(record):
        yield "not a transaction of an audit log"
        return
    yield _event(record["transaction"], record)


def _merged(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key not in found:
            found[key] = value
        elif isinstance(found[key], _Repeated):
            found[key].append(value)
        else:
            found[key] = _Repeated([found[key], value])
    return found


def _event(about: Mapping[str, Any], record: Mapping[str, Any]) -> StructuredEvent | str:
    request = entry(record, "request") or entry(about, "request")
    response = entry(record, "response") or entry(about, "response")
    line = string(request.get("request_line")) or " ".join(
        filter(None, (string(request.get("method")), string(request.get("uri"))))
    )
    read = of_head(_bytes(line).partition(b"\n")[0])
    if read is None:
        return "a transaction without its request"
    method, made = read
    if not request.get("request_line") and request.get("uri"):
        made.url = _bytes(string(request["uri"]) or "")  # whatever it ends in is no version
    made.headers = [
        (_bytes(name).lower(), _bytes(string(value) or "").strip())
        for name, values in entry(request, "headers").items()
        for value in items(values)
    ]
    body = [_bytes(string(part) or "") for part in items(request.get("body"))]
    return to_event(
        method,
        made,
        b"".join(body) if body else None,
        Audited(
            _time(about),
            string(about.get("remote_address")) or string(about.get("client_ip")),
            integer(about.get("remote_port")) or integer(about.get("client_port")),
            string(about.get("local_address")) or string(about.get("host_ip")),
            integer(about.get("local_port")) or integer(about.get("host_port")),
            integer(response.get("status")) or integer(response.get("http_code")),
        ),
    )


def _time(about: Mapping[str, Any]) -> str | None:
    """Return when it was: version 3 writes no zone, and so no time; Coraza nanoseconds too."""
    nanoseconds = number(about.get("unix_timestamp"))
    if nanoseconds:
        return when(nanoseconds / 1e9)
    time = string(about.get("time")) or string(about.get("time_stamp")) or ""
    return clock(_FRACTION.sub("", time).encode("ascii", "replace")) or utc(time)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
