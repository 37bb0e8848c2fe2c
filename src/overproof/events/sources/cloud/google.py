"""Google's audit logs: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog."""

from __future__ import annotations

from overproof.events.sources.cloud.log import Log

LOGS = (
    Log(
        "google-audit",
        ("protoPayload.methodName", "protoPayload.serviceName"),
        ("protoPayload.serviceName", "protoPayload.methodName"),
        ("timestamp", "receiveTimestamp"),
        ("protoPayload.authenticationInfo.principalEmail",),
        ("protoPayload.requestMetadata.callerIp",),
        ("protoPayload.requestMetadata.callerSuppliedUserAgent",),
    ),
)
