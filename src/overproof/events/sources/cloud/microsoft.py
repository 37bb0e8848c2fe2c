"""Microsoft's: what Azure Monitor streams, Azure's activity log, Entra's, Defender's and Microsoft 365's.

Resource logs, Entra's among them: https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema
Activity log: https://learn.microsoft.com/azure/azure-monitor/essentials/activity-log-schema
Entra's sign-ins and audits as Graph has them: https://learn.microsoft.com/graph/api/resources/signin and
https://learn.microsoft.com/graph/api/resources/directoryaudit
Defender's hunting tables as it streams them: https://learn.microsoft.com/defender-xdr/streaming-api
Microsoft 365: https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
"""

from __future__ import annotations

from overproof.events.sources.cloud.log import Log

_INITIATOR = "initiatedBy.user.userPrincipalName", "initiatedBy.app.displayName"
_AZURE = (
    ("time", "timeStamp"),
    ("properties.userPrincipalName", *(f"properties.{name}" for name in _INITIATOR), "identity"),
    ("callerIpAddress", "properties.ipAddress", "properties.initiatedBy.user.ipAddress"),
    ("properties.userAgent",),
)
LOGS = (
    Log("azure", ("time", "resourceId", "operationName"), ("category", "operationName"), *_AZURE),
    Log("azure", ("resourceId", "category"), ("category", "operationName", "EventName"), *_AZURE),
    Log(
        "azure-activity",
        ("eventTimestamp", "eventDataId", "operationName"),
        ("operationName.value", "operationName"),
        ("eventTimestamp",),
        ("caller",),
        ("httpRequest.clientIpAddress",),
    ),
    Log(
        "defender",
        ("time", "tenantId", "category", "properties"),
        ("category", "properties.ActionType"),
        ("properties.Timestamp", "time"),
        ("properties.AccountName", "properties.InitiatingProcessAccountName"),
        ("properties.RemoteIP", "properties.IPAddress"),
        ("properties.UserAgent",),
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
        "entra-audit",
        ("activityDateTime", "activityDisplayName", "initiatedBy"),
        ("activityDisplayName",),
        ("activityDateTime",),
        _INITIATOR,
        ("initiatedBy.user.ipAddress",),
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
)
