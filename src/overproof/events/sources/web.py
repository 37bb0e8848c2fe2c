"""Write a request that any web server's or proxy's log holds as one event, the same from each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from overproof.events import templates
from overproof.events.sources.structured import StructuredEvent

_NO_CLOCK = rb"(?![0-9]{2}:[0-9]{2}:[0-9]{2}(?![0-9A-Fa-f:]))"
ADDRESS = rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|%b[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,44})" % _NO_CLOCK
_CLIENT = re.compile(ADDRESS.decode())
_REQUEST = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+?)( HTTP/[0-9](?:\.[0-9])?)?", re.DOTALL)
_METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://([^/?#]*)(.*)", re.DOTALL)
_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}


class LoggedRequest(NamedTuple):  # made for every line: a frozen dataclass takes three times as long
    """A request as a log holds it; what it does not say is None.

    Attributes
    ----------
    target
        As the client sent it, not decoded.
    time
        UTC, ISO 8601.
    client, server
        Addresses, or the client's name.
    headers
        Name and value of headers that have no attribute of their own.
    others
        What else the client may have sent, under no known name.
    cut
        Whether the log lacks the end of it.
    """

    method: str | None
    target: str | None
    time: str | None = None
    client: str | None = None
    client_port: int | None = None
    server: str | None = None
    server_port: int | None = None
    host: str | None = None
    agent: str | None = None
    referer: str | None = None
    cookie: str | None = None
    status: int | None = None
    user: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    others: Sequence[str] = ()
    cut: bool = False
    body: str | None = None

    def event(self) -> StructuredEvent:
        """Return the event, its text by the template that requests from captures have too."""
        headers = (("user", self.user), *self.headers) if self.user else self.headers
        request = templates.HttpRequest(
            self.method or "-",
            self.target or "-",
            host=self.host,
            agent=self.agent,
            cookie=self.cookie,
            referer=self.referer,
            headers=headers,
            body=self.body,
            others=self.others,
        )
        return StructuredEvent(
            text=request.text,
            time=self.time,
            group=self.client,
            columns={
                "kind": "access",
                "src_ip": self.client if self.client and _CLIENT.fullmatch(self.client) else None,
                "src_port": self.client_port,
                "dst_ip": self.server,
                "dst_port": self.server_port,
                "transport": "tcp",
                "protocol": "http",
                "host": self.host,
                "url": self.target,
                "method": self.method,
                "user_agent": self.agent,
                "status": self.status,
                "user": self.user,
            },
            overflow=self.cut,
        )


def split_request(line: str | None) -> tuple[str | None, str | None]:
    """Split a request line into method and target; of a line that is no request, all of it is the target."""
    match = _REQUEST.fullmatch(line or "")
    if match is None or not (match[3] or match[1] in _METHODS):
        return None, line
    return match[1], match[2]


def split_url(target: str | None) -> tuple[str | None, str | None]:
    """Split an absolute URL into its host and what a server is asked for; any other target has no host."""
    match = _ABSOLUTE.fullmatch(target or "")
    if match is None:
        return None, target
    host = match[2].removesuffix(_PORTS.get(match[1].lower(), ":"))
    return host or None, match[3] if match[3].startswith("/") else f"/{match[3]}"
