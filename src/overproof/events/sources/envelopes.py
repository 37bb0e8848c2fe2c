"""Unwrap what log platforms export, and read it as what it is: a form is the place of the logged lines in an object.

Elasticsearch's documents and answers of a search, Splunk's results, CloudWatch's subscriptions
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html), Google's LogEntry, records of Azure
and CloudTrail, Fluent Bit's `log`, Loki's streams, OpenTelemetry's logs (opentelemetry-proto, JSON encoding). What has
a text of its own, under a usual name, is no envelope.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from overproof.events.sources.containers import Record
from overproof.events.sources.interface import DEFAULT_NAMES
from overproof.events.sources.jsonl import record_of
from overproof.events.sources.values import seconds, when

_EACH = "*"  # of a list
_OTLP = ("body", "stringValue")
FORMS: dict[str, tuple[str | int, ...]] = {
    "a document of Elasticsearch": ("_source",),
    "an answer of Elasticsearch": ("hits", "hits", _EACH, "_source"),
    "a result of Splunk": ("result", "_raw"),
    "results of Splunk": ("results", _EACH, "_raw"),
    "a subscription of CloudWatch": ("logEvents", _EACH, "message"),
    "an entry of Google's": ("textPayload",),
    "a structured entry of Google's": ("jsonPayload",),
    "records of Azure": ("records", _EACH),
    "records of CloudTrail": ("Records", _EACH),
    "a record of Fluent Bit": ("log",),
    "streams of Loki": ("streams", _EACH, "values", _EACH, 1),
    "an answer of Loki": ("data", "result", _EACH, "values", _EACH, 1),
    "logs of OpenTelemetry": ("resourceLogs", _EACH, "scopeLogs", _EACH, "logRecords", _EACH, *_OTLP),
    "a log of OpenTelemetry": _OTLP,
}
_DOCUMENTS = (_EACH, "_source", "jsonPayload")  # where a path ends that leads to objects; others lead to text
_TEXTS = frozenset(DEFAULT_NAMES["text"])
_TIMES = ("timestamp", "@timestamp", "timeUnixNano", "_time", "time", "date", 0)


def form_of(record: dict[Any, Any]) -> str | None:
    """Return which envelope an object is; None where it is none."""
    if not _TEXTS.isdisjoint(key.lower() for key in record if isinstance(key, str)):
        return None
    for name, path in FORMS.items():
        if path[0] in record and any(isinstance(found, _kind(path)) for found, _ in _walk(record, path, record)):
            return name
    return None


def unwrapped(line: bytes) -> list[Record | str]:
    """Return what the envelope that a line is holds, or why a part of it cannot be read."""
    record = record_of(line)
    if isinstance(record, str):
        return [record]
    form = form_of(record)
    if form is None:
        return ["not an envelope of log records"]
    return [_record(found, holder, form) for found, holder in _walk(record, FORMS[form], record)]


def _walk(value: Any, path: Sequence[str | int], holder: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what stands at the end of a path, and the last of what holds it that is no list of them."""
    if not path:
        yield value, holder
        return
    key, rest = path[0], path[1:]
    if key == _EACH:
        for each in value if isinstance(value, list) else [None]:
            yield from _walk(each, rest, each)
    elif isinstance(key, int):
        found = value[key] if isinstance(value, list) and len(value) > key else None
        yield from _walk(found, rest, holder)
    else:
        yield from _walk(value.get(key) if isinstance(value, dict) else None, rest, holder)


def _kind(path: Sequence[str | int]) -> type:
    return dict if path[-1] in _DOCUMENTS else str


def _record(found: Any, holder: Any, form: str) -> Record | str:
    if not isinstance(found, _kind(FORMS[form])):
        return f"{form}: nothing at {'.'.join(map(str, FORMS[form]))}"
    text = found if isinstance(found, str) else json.dumps(found)
    return Record(text.encode("utf-8", "backslashreplace").rstrip(b"\r\n"), "", _time(holder), ends=True)


def _time(holder: Any) -> str | None:
    """Return when something was logged, by what it is held in: a name, or the first of a pair."""
    for key in _TIMES:
        if isinstance(holder, list):
            value = holder[0] if key == 0 else None
        else:
            value = holder.get(key) if isinstance(holder, dict) else None
        found = seconds(value)
        if found is not None:
            return when(found)
    return None
