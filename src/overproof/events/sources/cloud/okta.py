"""Okta's system log: https://developer.okta.com/docs/reference/api/system-log."""

from __future__ import annotations

from overproof.events.sources.cloud.log import Log

LOGS = (
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
