"""Read the requests that Caddy, Traefik, Envoy, Kong and Google's load balancers log as JSON.

Caddy's keys: https://caddyserver.com/docs/logging (the logger `http.log.access`); Traefik's:
https://doc.traefik.io/traefik/reference/install-configuration/observability/logs-and-accesslogs/; Google's:
https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.events.sources.accesslog.envoy import KEYS
from overproof.events.sources.accesslog.named import to_request
from overproof.events.sources.json_record import record_of
from overproof.events.sources.values import entry, integer, items, seconds, string, when
from overproof.events.sources.web import LoggedRequest

Record = Mapping[Any, Any]
_APART = {"host", "user-agent", "cookie", "referer"}  # headers that a request has an attribute for
_REDACTED = "REDACTED"  # what both write in place of cookies and credentials, unless told otherwise
_TRAEFIK = "request_"  # before the name of a header


def read_json(line: bytes) -> LoggedRequest | None:
    """Read a line; None where it is no request, as what a server says of itself."""
    record = record_of(line)
    return None if isinstance(record, str) else of_server(record)


def of_server(record: dict[Any, Any]) -> LoggedRequest | None:
    """Read an object; None where it is no request of one of these."""
    if {"RequestMethod", "RequestPath"} <= record.keys():
        return _traefik(record)
    if record.keys() >= KEYS and record.keys() & {"start_time", "response_flags"}:
        return to_request(record)
    if {"requestMethod", "requestUrl"} <= entry(record, "httpRequest").keys():
        return to_request(record)
    if not {"method", "uri"} <= entry(record, "request").keys():
        return None
    return to_request(record) if "started_at" in record else _caddy(record)  # Kong's has it


def _caddy(record: Record) -> LoggedRequest:
    """Read Caddy's line; before version 2.5 the client's address and port are one."""
    request = record["request"]
    address, _, port = (string(request.get("remote_addr")) or "").rpartition(":")
    named = {str(name).lower(): value for name, value in entry(request, "headers").items()}
    return LoggedRequest(
        string(request.get("method")),
        string(request.get("uri")),
        time=_time(record.get("ts")),
        client=string(request.get("client_ip")) or string(request.get("remote_ip")) or address.strip("[]") or None,
        client_port=integer(request.get("remote_port")) or integer(port),
        host=string(request.get("host")),
        status=integer(record.get("status")),
        user=string(record.get("user_id")),
        **_of_headers(named),
    )


def _traefik(record: Record) -> LoggedRequest:
    """Read Traefik's line, which has the headers that it is told to keep."""
    named = {key[len(_TRAEFIK) :].lower(): value for key, value in record.items() if key.startswith(_TRAEFIK)}
    user = string(record.get("ClientUsername"))
    return LoggedRequest(
        string(record.get("RequestMethod")),
        string(record.get("RequestPath")),
        time=_time(record.get("StartUTC")) or _time(record.get("time")),
        client=string(record.get("ClientHost")),
        client_port=integer(record.get("ClientPort")),
        host=string(record.get("RequestHost")) or string(record.get("RequestAddr")),
        status=integer(record.get("DownstreamStatus")),
        user=None if user == "-" else user,
        **_of_headers(named),
    )


def _time(value: object) -> str | None:
    found = seconds(value)
    return None if found is None else when(found)


def _of_headers(named: Mapping[str, object]) -> dict[str, Any]:
    """Part the headers in those that a request has an attribute for and the others; what was redacted is none."""
    joined = {name: ", ".join(filter(None, map(string, items(value)))) for name, value in named.items()}
    sent = {name: value for name, value in joined.items() if value and value != _REDACTED}
    return {
        "agent": sent.get("user-agent"),
        "cookie": sent.get("cookie"),
        "referer": sent.get("referer"),
        "headers": [(name, value) for name, value in sent.items() if name not in _APART],
    }
