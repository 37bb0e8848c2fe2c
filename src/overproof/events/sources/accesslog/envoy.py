"""Read Envoy's access log, as text in its default format and in Istio's, and as JSON with the same names.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#default-format-string and
https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format. Envoy escapes no quote:
what cannot be told from the agent stays in it.
"""

from __future__ import annotations

import re

from overproof.events.sources.accesslog.escapes import unescaped
from overproof.events.sources.values import utc
from overproof.events.sources.web import LoggedRequest, split_request, split_url

_MIDDLE = rb"""[ ](?:[0-9]{1,3}|-)[ ][\w,-]+(?:[ ]\S+[ ]\S+[ ]"[^"]*")?(?:[ ](?:[0-9]+|-)){4}[ ]\""""  # all Envoy's own
_ENVOY = re.compile(
    rb"""
    \[(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z)\]
    [ ]"(?P<request>(?:[^"]|"(?!%(middle)b))*+)(?="[ ](?P<status>[0-9-]+))
    "%(middle)b(?P<forwarded>[^"]*)"[ ]"(?P<agent>.*)"[ ]"(?P<id>[^"]*)"[ ]"(?P<host>[^"]*)"[ ]"(?P<upstream>[^"]*)"
    (?P<tail>(?:[ ][^\s"]+)*)
    """
    % {b"middle": _MIDDLE},
    re.DOTALL | re.VERBOSE,
)
_CLIENT = re.compile(r"\[?(?P<address>[0-9A-Fa-f:.]+?)\]?:(?P<port>[0-9]{1,5})")
_DOWNSTREAM_REMOTE = 3  # place among the fields that Istio adds at the end
KEYS = {"method", "path", "response_code"}


def read_envoy(line: bytes) -> LoggedRequest | None:
    """Read a line of text; None where it is none of Envoy's."""
    match = _ENVOY.fullmatch(line)
    if match is None:
        return None
    method, target = split_request(unescaped(match["request"], escapes=False))
    host, path = split_url(target)
    tail = match["tail"].decode("utf-8", "backslashreplace").split()
    client, port = _address(tail[_DOWNSTREAM_REMOTE] if len(tail) > _DOWNSTREAM_REMOTE else None)
    server, server_port = _address(match["upstream"].decode("utf-8", "backslashreplace"))
    sent = {"x-forwarded-for": match["forwarded"], "x-request-id": match["id"]}
    return LoggedRequest(
        method,
        path,
        utc(match["time"].decode()),
        client,
        port,
        server,
        server_port,
        host=unescaped(match["host"], escapes=False) or host,
        agent=unescaped(match["agent"], escapes=False),
        status=None if match["status"] == b"-" else int(match["status"]) or None,
        headers=[(name, value) for name, one in sent.items() if (value := unescaped(one, escapes=False))],
    )


def _address(logged: str | None) -> tuple[str | None, int | None]:
    match = _CLIENT.fullmatch(logged.removeprefix("tcp://")) if logged else None
    return (match["address"], int(match["port"])) if match else (None, None)
