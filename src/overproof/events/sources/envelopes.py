"""Unwrap what log platforms export, and read it as what it is: a form is the place of the logged lines in an object.

Elasticsearch's documents and answers of a search, Splunk's results and what its HTTP Event Collector takes,
CloudWatch's subscriptions (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html), Google's
LogEntry, records of Azure and CloudTrail, Fluent Bit's `log`, Loki's streams, OpenTelemetry's logs
(opentelemetry-proto, JSON encoding), Graylog's GELF, alerts of Wazuh and Falco, detections of Chainsaw. What has a text
of its own, under a usual name, is no envelope. When, on which host and by which user something was logged is the
event's, unless it says so itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from overproof.events import templates
from overproof.events.sources.containers import Record
from overproof.events.sources.interface import DEFAULT_NAMES
from overproof.events.sources.json_record import record_of
from overproof.events.sources.nested import ABSENT, reach
from overproof.events.sources.values import seconds, string, when

Holders = tuple[Any, ...]  # what a value is in, the innermost first

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
    "events of CloudTrail that were looked up": ("Events", _EACH, "CloudTrailEvent"),
    "findings of GuardDuty": ("Findings", _EACH),
    "an event of EventBridge": ("detail",),
    "a record of Microsoft 365's audit search": ("AuditData",),
    "an answer of Graph": ("value", _EACH),
    "a detection of Chainsaw": ("document", "data"),
    "a detection of Chainsaw in several events": ("documents", _EACH, "data"),
    "an event hook of Okta": ("data", "events", _EACH),
    "what osquery sends by TLS": ("data", _EACH),
    "an event of Splunk's collector": ("event",),
    "a structured record of Fluent Bit": ("log",),
    "a message of GELF": ("short_message",),
    "an alert of Wazuh": ("full_log",),
    "an alert of Falco": ("output",),
}
_DOCUMENTS = (_EACH, "_source", "jsonPayload")  # where a path ends that leads to objects; others lead to text
_STRUCTURED = (  # too
    "an event of Splunk's collector",
    "a structured record of Fluent Bit",
    "an event of EventBridge",
    "a detection of Chainsaw",
    "a detection of Chainsaw in several events",
)
# what an object of some forms has beside the end of its path, which others have too
_BESIDE = {
    "an event of EventBridge": {"detail-type"},
    "a record of Microsoft 365's audit search": {"Operations", "CreationDate", "RecordType"},
    "an answer of Graph": {"@odata.context"},
    "a detection of Chainsaw": {"group", "kind"},
    "a detection of Chainsaw in several events": {"group", "kind"},
    "an event hook of Okta": {"eventTypeVersion", "cloudEventsVersion"},
    "what osquery sends by TLS": {"node_key", "log_type"},
    "a structured record of Fluent Bit": {"date", "kubernetes", "stream"},
    "a message of GELF": {"version", "host"},
    "an alert of Wazuh": {"rule", "agent", "manager"},
    "an alert of Falco": {"output_fields"},
}
_COLLECTED = {"time", "host", "source", "sourcetype", "index", "event", "fields"}  # all that Splunk's collector takes
_TEXTS = frozenset(DEFAULT_NAMES["text"])
_ORIGINALS = ("event.original", "log.original")
_TIMES = ("timestamp", "@timestamp", "timeUnixNano", "_time", "time", "date", 0)
_USERS = ("_user", "_username", "user", "username", "user.name")
_HOSTS = ("host", "hostname", "host.name", "agent.name", "kubernetes.host", "stream.host", "stream.hostname")


def form_of(record: dict[Any, Any]) -> str | None:
    """Return which envelope an object is; None where it is none."""
    if any(isinstance(value, str) and isinstance(key, str) and key.lower() in _TEXTS for key, value in record.items()):
        return None
    if any(reach(record, name) is not ABSENT for name in _ORIGINALS):
        return None
    for name, path in FORMS.items():
        if path[0] not in record or _BESIDE.get(name, record.keys()).isdisjoint(record.keys()):
            continue
        if name == "an event of Splunk's collector" and not record.keys() <= _COLLECTED:
            continue
        if any(isinstance(found, _kind(name)) for found, _ in _walk(record, path)):
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
    return [_record(found, holders, form) for found, holders in _walk(record, FORMS[form])]


def _walk(value: Any, path: Sequence[str | int], holders: Holders = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield what stands at the end of a path, and what holds it, the innermost first."""
    if not path:
        yield value, holders
        return
    key, rest = path[0], path[1:]
    if key == _EACH:
        for each in value if isinstance(value, list) else [None]:
            yield from _walk(each, rest, holders)
    elif isinstance(key, int):
        found = value[key] if isinstance(value, list) and len(value) > key else None
        yield from _walk(found, rest, (value, *holders))
    else:
        yield from _walk(value.get(key) if isinstance(value, dict) else None, rest, (value, *holders))


def _kind(form: str) -> type:
    return dict if form in _STRUCTURED or FORMS[form][-1] in _DOCUMENTS else str


def _record(found: Any, holders: Holders, form: str) -> Record | str:
    if not isinstance(found, _kind(form)):
        return f"{form}: nothing at {'.'.join(map(str, FORMS[form]))}"
    text = found if isinstance(found, str) else json.dumps(found)
    text = _whole(text, holders[0]) if form == "a message of GELF" else text
    log = text.encode("utf-8", "backslashreplace").rstrip(b"\r\n")
    return Record(log, "", _time(holders), ends=True, host=_first(holders, _HOSTS), user=_first(holders, _USERS))


def _whole(text: str, message: dict[Any, Any]) -> str:
    """Return both texts of a message of GELF, and what its own fields hold that is unusual (GELF 1.1: `_name`)."""
    full = message.get("full_message")
    if isinstance(full, str):
        text = full if text in full else f"{text} {full}"
    own = ((name, string(value)) for name, value in message.items() if str(name).startswith("_"))
    return templates.record(
        text, {name: value for name, value in own if value and templates.is_unusual(value) and value not in text}
    )


def _time(holders: Holders) -> str | None:
    """Return when something was logged, by what it is held in: a name, or the first of a pair."""
    for holder in holders:
        for key in _TIMES:
            if isinstance(holder, list):
                value = holder[0] if key == 0 else None
            else:
                value = holder.get(key) if isinstance(holder, dict) else None
            found = seconds(value)
            if found is not None:
                return when(found)
    return None


def _first(holders: Holders, names: Sequence[str]) -> str | None:
    """Return the first of some names that what a line is held in has."""
    values = (reach(holder, name) for holder in holders if isinstance(holder, dict) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)
