"""Amazon's: CloudTrail's records, with those of its Insights, and GuardDuty's findings.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html
"""

from __future__ import annotations

from overproof.events.sources.cloud.log import Log

_ACTIONS = "networkConnectionAction awsApiCallAction kubernetesApiCallAction rdsLoginAttemptAction".split()
_REMOTE = tuple(f"service.action.{action}.remoteIpDetails.ipAddressV4" for action in _ACTIONS)


def _upper(name: str) -> str:
    """Write a name as Amazon's own interface does: `service.action` is `Service.Action`."""
    return ".".join(part[0].upper() + part[1:] for part in name.split("."))


def _guardduty(*, upper: bool) -> Log:
    """Return what a finding is known by, as events and exports write it, or as the interface answers it."""
    names = (
        ("schemaVersion", "type", "severity", "service", "resource"),
        ("type",),
        ("updatedAt", "createdAt"),
        ("resource.accessKeyDetails.userName", "resource.kubernetesDetails.kubernetesUserDetails.username"),
        _REMOTE,
    )
    return Log("guardduty", *(tuple(map(_upper, each)) if upper else each for each in names))


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
        "cloudtrail-insight",
        ("eventTime", "insightDetails"),
        ("insightDetails.eventSource", "insightDetails.eventName"),
        ("eventTime",),
    ),
    _guardduty(upper=False),
    _guardduty(upper=True),
)
