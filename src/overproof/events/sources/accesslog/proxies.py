"""Read the logs of proxies: HAProxy's HTTP log and Squid's native one.

HAProxy (configuration manual, 8.2.3) writes what a quote, a brace or an unprintable byte was as `#22`; a request
longer than its buffer lacks the end, and its quote with it. Squid (logformat squid) writes the whole URL, and headers
in brackets if it was told so.
"""

from __future__ import annotations

import re

from overproof.events.sources.accesslog.escapes import unescaped
from overproof.events.sources.values import when
from overproof.events.sources.web import LoggedRequest, split_request, split_url

_HAPROXY = re.compile(
    rb"""
    (?P<client>\S+):(?P<port>[0-9]{1,5})[ ]\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3}(?:\.[0-9]+)?\]
    [ ]\S+[ ]\S+[ ][+0-9-]+(?:/[+0-9-]+){3,5}[ ](?P<status>[0-9]{3}|-1|-)[ ]\+?[0-9]+[ ](?P<cookie>\S+)[ ]\S+[ ][\w-]{4}
    [ ]\+?[0-9]+(?:/\+?[0-9]+){4}[ ][0-9]+/[0-9]+(?:[ ]\{(?P<captured>[^}]*)\})?(?:[ ]\{[^}]*\})?
    [ ]"(?P<request>[^"]*)(?P<end>"(?:[ ][\w./=-]+)*)?
    """,
    re.DOTALL | re.VERBOSE,
)
_SQUID = re.compile(
    rb"""
    (?P<time>[0-9]{9,11}(?:\.[0-9]{1,6})?)[ ]+[0-9-]+[ ](?P<client>\S+)[ ][A-Z_]+/(?P<status>[0-9]{3})[ ][0-9]+
    [ ](?P<method>\S+)[ ](?P<target>\S.*?)[ ](?P<user>\S+)[ ][A-Z_]+/(?P<server>\S+)[ ]\S+(?P<tail>(?:[ ]\[.*)?)
    """,
    re.DOTALL | re.VERBOSE,
)
_HASHED = re.compile(rb"#([0-9A-Fa-f]{2})")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::[0-9]{1,5})?|localhost|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_AGENT = re.compile(r"[\w.+-]+(?:/\S*)?(?: .*)?", re.DOTALL)


def read_haproxy(line: bytes) -> LoggedRequest | None:
    """Read a line of HAProxy's HTTP log; None where it is none. Its time has no zone, and is none."""
    match = _HAPROXY.fullmatch(line)
    if match is None:
        return None
    method, target = split_request(_unhashed(match["request"]))
    host, path = split_url(target)
    captured_host, agent, left = _captured([_unhashed(value) for value in (match["captured"] or b"").split(b"|")])
    return LoggedRequest(
        method=method,
        target=path,
        client=unescaped(match["client"]),
        client_port=int(match["port"]),
        host=host or captured_host,
        agent=agent,
        cookie=_unhashed(match["cookie"]),
        status=int(match["status"]) if match["status"].isdigit() else None,
        headers=[("captured", value) for value in left],
        cut=match["end"] is None,
    )


def _captured(values: list[str | None]) -> tuple[str | None, str | None, list[str]]:
    """Choose host and agent among captured request headers, whose names the log does not say; return the others too."""
    left = [value for value in values if value]
    host = next((value for value in left if _HOST.fullmatch(value)), None)
    left = [value for value in left if value is not host]
    agent = next((value for value in left if "/" in value and _AGENT.fullmatch(value)), None)
    agent = agent or (left[0] if left and _AGENT.fullmatch(left[0]) else None)
    return host, agent, [value for value in left if value is not agent]


def _unhashed(logged: bytes) -> str | None:
    return unescaped(_HASHED.sub(lambda match: bytes.fromhex(match[1].decode()), logged), escapes=False)


def read_squid(line: bytes) -> LoggedRequest | None:
    """Read a line of Squid's native log; None where it is none."""
    match = _SQUID.fullmatch(line)
    if match is None:
        return None
    target = unescaped(match["target"], escapes=False)
    host, path = split_url(target)
    server = match["server"]
    return LoggedRequest(
        method=unescaped(match["method"]),
        target=path,
        time=when(float(match["time"])),
        client=unescaped(match["client"]),
        server=unescaped(server) if server[:1].isdigit() or b":" in server else None,
        host=host,
        status=int(match["status"]) or None,
        user=unescaped(match["user"], escapes=False),
        headers=[("log", match["tail"].decode("utf-8", "backslashreplace").strip())] if match["tail"] else (),
    )
