"""Read the access logs of AWS: application and classic load balancers, and S3.

The fields are those of the AWS documentation ("Access log entries" of both load balancers, "Amazon S3 server access
log format"). Load balancers write the whole URL, and `\\x22` for a quote; S3 writes quotes as they came.
"""

from __future__ import annotations

import re

from overproof.events.sources.accesslog.escapes import clock, unescaped
from overproof.events.sources.values import utc
from overproof.events.sources.web import LoggedRequest, split_request, split_url

_QUOTED = rb'[^"\\]*(?:\\.[^"\\]*)*'
_BALANCER = re.compile(
    rb"""
    (?:(?P<type>https?|h2|grpcs?|wss?)[ ])?(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z)[ ]\S+
    [ ](?P<client>\S+):(?P<port>[0-9]{1,5})[ ](?:-|(?P<server>\S+):(?P<server_port>[0-9]{1,5}))
    (?:[ ]-?[0-9.]+){3}[ ](?P<status>[0-9]{3}|-)[ ](?:[0-9]{3}|-)[ ][0-9-]+[ ][0-9-]+
    [ ]"(?P<request>%(quoted)b)"(?:[ ]"(?P<agent>%(quoted)b)"(?P<tail>(?:[ ].*)?))?
    """
    % {b"quoted": _QUOTED},
    re.DOTALL | re.VERBOSE,
)
_IN_TAIL = re.compile(rb'[ ](?:"(%(quoted)b)"|[^\s"]+)' % {b"quoted": _QUOTED}, re.DOTALL)
_S3 = re.compile(
    rb"""
    \S+[ ](?P<bucket>\S+)[ ]\[(?P<clock>[^\]]{20,30})\][ ](?P<client>\S+)[ ]\S+[ ]\S+[ ][A-Z]+\.\S+[ ](?P<key>\S+)
    [ ](?:-|"(?P<request>.*?)")[ ](?P<status>[0-9]{3}|-)[ ][\w-]+(?:[ ](?:[0-9]+|-)){4}(?P<rest>[ ].*)
    """,
    re.DOTALL | re.VERBOSE,
)


def read_balancer(line: bytes) -> LoggedRequest | None:
    """Read a line of a load balancer's log; None where it is none."""
    match = _BALANCER.fullmatch(line)
    if match is None:
        return None
    request = match["request"]
    method, target = split_request(unescaped(request) if request.strip(b"- ") else None)
    host, path = split_url(target)
    logged, others = _tail(match["tail"] or b"")
    port = match["server_port"]
    return LoggedRequest(
        method=method,
        target=path,
        time=utc(match["time"].decode()),
        client=unescaped(match["client"].strip(b"[]")),
        client_port=int(match["port"]),
        server=unescaped(match["server"]),
        server_port=None if port is None else int(port),
        host=host,
        agent=unescaped(match["agent"]),
        status=None if match["status"] == b"-" else int(match["status"]),
        headers=[("log", value) for value in logged],
        others=others,
    )


def _tail(tail: bytes) -> tuple[list[str], list[str]]:
    """Return the quoted fields, of which a client may have sent some, or all where they are not well-formed."""
    found = list(_IN_TAIL.finditer(tail))
    if sum(len(token[0]) for token in found) != len(tail):
        return [], [tail.decode("utf-8", "backslashreplace").strip()]
    return [value for value in (unescaped(token[1]) for token in found) if value], []


def read_s3(line: bytes) -> LoggedRequest | None:
    """Read a line of an S3 server access log; None where it is none."""
    match = _S3.fullmatch(line)
    if match is None:
        return None
    method, target = split_request(unescaped(match["request"], escapes=False))
    host, path = split_url(target)
    rest = match["rest"]
    referer, divided, agent = rest[: rest.rfind(b'"')].strip()[1:].partition(b'" "')
    if not divided:
        referer, agent = b"", rest.strip()
    return LoggedRequest(
        method=method,
        target=path,
        time=clock(match["clock"]),
        client=unescaped(match["client"]),
        host=host,
        agent=unescaped(agent, escapes=False),
        referer=unescaped(referer, escapes=False),
        status=None if match["status"] == b"-" else int(match["status"]),
        headers=[("key", unescaped(match["key"]) or "")],
    )
