"""Read what clouds and services log of those who use them: `cloudtrail s3.amazonaws.com GetObject key=value …`.

A log is known by keys that all of its records have. Amazon's: CloudTrail's records
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html) and
GuardDuty's findings (https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html). Google's AuditLog
(https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog). Microsoft's: what Azure
Monitor streams, Entra's logs too, and Azure's activity log
(https://learn.microsoft.com/azure/azure-monitor/essentials/activity-log-schema), sign-ins as Graph has them
(https://learn.microsoft.com/graph/api/resources/signin), audit records of Microsoft 365
(https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema). Okta's system
log (https://developer.okta.com/docs/reference/api/system-log). The text is all that a record says, but for times and
identifiers that are numbers, since any of it may be what somebody sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from overproof.events import templates
from overproof.events.sources.batch import plain
from overproof.events.sources.interface import Input, ReadOptions, is_table_row
from overproof.events.sources.jsonl import record_of
from overproof.events.sources.nested import ABSENT, reach
from overproof.events.sources.structured import LineFormat, Parsed, StructuredEvent, read_structured
from overproof.events.sources.values import seconds, string, when

Record = dict[Any, Any]

_DEEPEST = 16  # levels of objects and lists that have names of their own
_NAMES = 1 << 20  # characters of the names of all that a record says
_NUMBERED = re.compile(
    r"(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"  # an identifier
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"  # a time
)
_PAIRS = (("Name", "Value"), ("name", "value"), ("key", "value"), ("Key", "Value"))  # objects that are one part


@dataclass(frozen=True)
class Log:
    """A kind of log.

    Attributes
    ----------
    name
        As texts and kinds have it.
    keys
        What every record has.
    action
        What was done, by which service: the text begins with it.
    time, user, address, agent
        Where these are, the best first.
    """

    name: str
    keys: tuple[str, ...]
    action: tuple[str, ...]
    time: tuple[str, ...]
    user: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()


_REMOTE = "action.networkConnectionAction.remoteIpDetails.ipAddressV4"
LOGS = (
    Log(
        "cloudtrail",
        ("eventTime", "eventSource", "eventName"),
        ("eventSource", "eventName"),
        ("eventTime",),
        ("userIdentity.userName", "userIdentity.arn", "userIdentity.principalId"),
        ("sourceIPAddress",),
        ("userAgent",),
    ),
    Log(
        "guardduty",
        ("schemaVersion", "type", "severity", "service", "resource"),
        ("type",),
        ("updatedAt", "createdAt"),
        ("resource.accessKeyDetails.userName",),
        (f"service.{_REMOTE}", "service.action.awsApiCallAction.remoteIpDetails.ipAddressV4"),
    ),
    Log(
        "guardduty",
        ("SchemaVersion", "Type", "Severity", "Service", "Resource"),
        ("Type",),
        ("UpdatedAt", "CreatedAt"),
        ("Resource.AccessKeyDetails.UserName",),
        ("Service.Action.NetworkConnectionAction.RemoteIpDetails.IpAddressV4",),
    ),
    Log(
        "google-audit",
        ("protoPayload.methodName", "protoPayload.serviceName"),
        ("protoPayload.serviceName", "protoPayload.methodName"),
        ("timestamp", "receiveTimestamp"),
        ("protoPayload.authenticationInfo.principalEmail",),
        ("protoPayload.requestMetadata.callerIp",),
        ("protoPayload.requestMetadata.callerSuppliedUserAgent",),
    ),
    Log(
        "azure",
        ("time", "resourceId", "operationName"),
        ("category", "operationName"),
        ("time",),
        ("properties.userPrincipalName", "identity"),
        ("callerIpAddress", "properties.ipAddress"),
        ("properties.userAgent",),
    ),
    Log(
        "azure-activity",
        ("eventTimestamp", "eventDataId", "operationName"),
        ("operationName.value", "operationName"),
        ("eventTimestamp",),
        ("caller",),
        ("httpRequest.clientIpAddress",),
    ),
    Log(
        "entra-signin",
        ("createdDateTime", "userPrincipalName", "appDisplayName", "ipAddress"),
        ("appDisplayName",),
        ("createdDateTime",),
        ("userPrincipalName",),
        ("ipAddress",),
        ("userAgent",),
    ),
    Log(
        "microsoft365",
        ("CreationTime", "Operation", "OrganizationId", "RecordType"),
        ("Workload", "Operation"),
        ("CreationTime",),
        ("UserId", "UserKey"),
        ("ClientIP", "ActorIpAddress", "ClientIPAddress"),
        ("UserAgent",),
    ),
    Log(
        "okta",
        ("eventType", "published", "uuid", "actor"),
        ("eventType",),
        ("published",),
        ("actor.alternateId", "actor.displayName"),
        ("client.ipAddress",),
        ("client.userAgent.rawUserAgent",),
    ),
)


def read_cloud(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read such logs as JSON lines; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("a log of a cloud's or service's", _parse))


def log_of(record: Record) -> Log | None:
    """Return which log a record is of; None where it is of none, or has a text or a label of its own."""
    log = next((log for log in LOGS if all(reach(record, key) is not ABSENT for key in log.keys)), None)
    return None if log is None or is_table_row(record) else log


def is_audit_record(record: Record) -> bool:
    """Tell whether an object is a record of such a log."""
    return log_of(record) is not None


def to_event(log: Log, record: Record) -> StructuredEvent:
    """Build the event of a record."""
    user, address = _first(record, log.user), _first(record, log.address)
    at = next((found for name in log.time if (found := _seconds(reach(record, name))) is not None), None)
    return StructuredEvent(
        text=_said(log, record),
        time=None if at is None else when(at),
        group=user or address,
        columns={"kind": log.name, "src_ip": address, "user": user, "user_agent": _first(record, log.agent)},
    )


def _said(log: Log, record: Record) -> str:
    """Write what a record says; one whose names alone are longer than any is written as it is."""
    actions = [text for text in (_first(record, (name,)) for name in log.action) if text is not None]
    start = " ".join([log.name, *actions])
    said, spent = dict[str, list[str]](), 0
    for name, value in _leaves(record, "", _DEEPEST):
        spent += len(name)
        if spent > _NAMES:
            return f"{start} {plain(record)}"
        text = plain(value)
        if text and not _NUMBERED.fullmatch(text) and text not in actions:
            said.setdefault(name, []).append(text)
    return templates.record(start, {name: ", ".join(each) for name, each in said.items()})


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    if not line.strip():
        return
    record = record_of(line)
    log = None if isinstance(record, str) else log_of(record)
    if isinstance(record, str):
        yield record
    else:
        yield "not a record of a cloud's or service's log" if log is None else to_event(log, record)


def _leaves(value: object, name: str, levels: int) -> Iterator[tuple[str, object]]:
    """Yield whatever is no object and no list, or an empty one, under the names of the objects that it is in."""
    if not value and isinstance(value, dict | list):
        yield name, None
    elif isinstance(value, dict) and levels:
        for called, holds in _PAIRS:
            if value.keys() == {called, holds} and isinstance(value[called], str):
                yield from _leaves(value[holds], f"{name}.{value[called]}".removeprefix("."), levels - 1)
                return
        for key, inside in value.items():
            yield from _leaves(inside, f"{name}.{key}".removeprefix("."), levels - 1)
    elif isinstance(value, list) and levels:
        for inside in value:
            yield from _leaves(inside, name, levels - 1)
    else:
        yield name, value


def _first(record: Record, names: tuple[str, ...]) -> str | None:
    values = (reach(record, name) for name in names)
    return next((text for value in values if not isinstance(value, dict | list) and (text := _text(value))), None)


def _text(value: object) -> str | None:
    return None if value is ABSENT else string(value)


def _seconds(value: object) -> float | None:
    """Return a time in seconds since 1970; Microsoft 365 writes UTC without saying so."""
    found = seconds(value)
    return seconds(f"{value}Z") if found is None and isinstance(value, str) else found
