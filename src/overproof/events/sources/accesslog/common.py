r"""Read the common and combined log format: Apache, nginx, Tomcat, Traefik and what writes like them.

A host, a time or a container's name may stand before the client, other fields before, between and after the usual
ones. Servers escape what they log (`\"`, `\x22`); that is undone. Of a server that does not escape, a quote that a
client sent is told from one that ends a field by what stands around it. Nothing of a line is dropped but fields that
say of their own form that no client wrote them, such as numbers and addresses.
"""

from __future__ import annotations

import re

from overproof.events.sources.accesslog.escapes import clock, unescaped
from overproof.events.sources.accesslog.tail import Quoted, combined, is_plain, loose
from overproof.events.sources.web import ADDRESS, LoggedRequest, split_request

_BEGIN = rb"""
    (?P<head>\S+[ ]\S+[ ]\S+|.{1,1000}?)[ ]
    \[(?P<clock>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3}[ ][+-][0-9]{4})\]
"""
_START = re.compile(_BEGIN + rb"(?P<rest>[ ].*)", re.DOTALL | re.VERBOSE)
_USUAL = re.compile(
    rb"""%(begin)b
    [ ]"(?P<request>%(quoted)b)"[ ](?P<status>[0-9]{3}|-)[ ](?:[0-9]+|-)
    (?:[ ]"(?P<referer>%(quoted)b)"[ ]"(?P<agent>%(quoted)b)"(?P<tail>[ ].*)?)?
    """
    % {b"begin": _BEGIN, b"quoted": rb'[^"\\]*(?:\\.[^"\\]*)*'},
    re.DOTALL | re.VERBOSE,
)
_ADDRESS = re.compile(ADDRESS)
_HOST = re.compile(rb"(?![0-9]{4}-[0-9]{2}-[0-9]{2}T)[\w.:*-]+")
_PLATFORM = re.compile(rb"[\w.:/@=|\[\]-]*")  # what kubectl, docker and the like write before a line


def read_common(line: bytes) -> LoggedRequest | None:
    """Read a line; None where it is none of this format."""
    usual = _USUAL.fullmatch(line)
    if usual is not None:
        head, date, request, status, referer, agent, tail = usual.groups()
        if tail is None or (is_plain(tail) and not _HOST.fullmatch(referer.strip(b"-"))):
            return _request(head.split(b" "), date, Quoted(request, status, referer, agent))
    start = _START.fullmatch(line)
    if start is None:
        return None
    head, date, rest = start.groups()
    quoted = combined(rest) or loose(rest)
    return quoted and _request(head.split(b" "), date, quoted)


def _request(head: list[bytes], date: bytes, quoted: Quoted) -> LoggedRequest | None:
    if len(head) < 2:
        return None
    vhost, client, user, others = _who(head)
    request, status, referer, agent, host, more, escaped = quoted
    method, target = split_request(unescaped(request, escaped))
    others += more
    host = host or vhost
    return LoggedRequest(
        method,
        target,
        clock(date),
        unescaped(client),
        host=unescaped(host) if host else None,
        agent=unescaped(agent, escaped),
        referer=unescaped(referer, escaped),
        status=None if status == b"-" else int(status),
        user=unescaped(user) if user else None,
        others=[value for value in map(unescaped, others) if value] if others else (),
    )


def _who(tokens: list[bytes]) -> tuple[bytes | None, bytes, bytes | None, list[bytes]]:
    """Split what stands before the time: host, client, user, and what a client may have sent beside them."""
    if len(tokens) == 3 and _ADDRESS.fullmatch(tokens[0]):  # the usual case, and the quicker one
        return None, tokens[0], tokens[2], []
    if tokens[0].endswith(b","):
        return _forwarded(tokens)
    at = _client_at(tokens)
    before = tokens[:at]
    host = before.pop() if before and (at == 1 or b"." in before[-1]) and _HOST.fullmatch(before[-1]) else None
    others = [token for token in before if not _PLATFORM.fullmatch(token)]
    return host, tokens[at], b" ".join(tokens[at + 2 :]) or None, others


def _client_at(tokens: list[bytes]) -> int:
    if _ADDRESS.fullmatch(tokens[0]):
        return 0
    for index, token in enumerate(tokens[1:-1], 1):
        if token == b"-":
            break
        if _ADDRESS.fullmatch(token):
            return index
    # a host before a client whose name stands there, and not its address: `shop.test:443 client.test - -`
    return 1 if len(tokens) > 3 and tokens[1] != b"-" and tokens[2] == b"-" else 0


def _forwarded(tokens: list[bytes]) -> tuple[None, bytes, bytes | None, list[bytes]]:
    """Take the first address of a list `client, proxy, proxy`, which the client may have begun with anything."""
    count = next((index for index, token in enumerate(tokens) if not token.endswith(b",")), len(tokens) - 1) + 1
    listed = [token.rstrip(b",") for token in tokens[:count]]
    client = next(filter(_ADDRESS.fullmatch, listed), listed[0])
    others = [token for token in listed if not is_plain(b" " + token)]
    return None, client, b" ".join(tokens[count + 1 :]) or None, others
