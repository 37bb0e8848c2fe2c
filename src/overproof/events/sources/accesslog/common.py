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

_CLOCK = rb"""
    \[(?P<clock>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}[: ][0-9:]{8}(?:\.[0-9]{1,9})?(?:[ ][+-][0-9]{4})?
    |[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:\.[0-9]{1,9})?[ ]?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)\]
"""
_BEGIN = rb"(?P<head>\S+[ ]\S+[ ]\S+|.{1,1000}?)[ ]" + _CLOCK
_TIME_FIRST = re.compile(
    _CLOCK + rb"[ ](?P<head>[^\s\"\[]+(?:[ ][^\s\"\[]+){1,9})(?P<rest>[ ]\".*)", re.DOTALL | re.VERBOSE
)
_OF_TLS = re.compile(rb"[ ]\"(?P<request>.*)\"[ ](?:[0-9]+|-)", re.DOTALL | re.VERBOSE)  # mod_ssl's ssl_request_log
_START = re.compile(_BEGIN + rb"(?P<rest>[ ].*)", re.DOTALL | re.VERBOSE)
_USUAL = re.compile(
    rb"""%(begin)b
    [ ]"(?P<request>%(quoted)b)"[ ](?P<status>[0-9]{3}|-)(?:[ ](?:[0-9]+|-))?
    (?:[ ]"(?P<referer>%(quoted)b)"[ ]"(?P<agent>%(quoted)b)"(?P<tail>[ ].*)?)?
    """
    % {b"begin": _BEGIN, b"quoted": rb'[^"\\]*(?:\\.[^"\\]*)*'},
    re.DOTALL | re.VERBOSE,
)
_COLON = ord(":")
_ADDRESS = re.compile(ADDRESS)
_WITH_PORT = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+):([0-9]{1,5})")
_BRACKETED = re.compile(rb"\[%b,?\]?" % ADDRESS)  # the client's address again, as ingress-nginx wrote it
_HOST = re.compile(rb"(?![0-9]{4}-[0-9]{2}-[0-9]{2}T)[\w.:*-]+")
_PLATFORM = re.compile(rb"[\w.:/@=|\[\]-]*")  # what kubectl, docker and the like write before a line


def read_common(line: bytes) -> LoggedRequest | None:
    """Read a line; None where it is none of this format."""
    usual = _USUAL.fullmatch(line)
    if usual is not None:
        head, date, request, status, referer, agent, tail = usual.groups()
        if tail is None or (is_plain(tail) and not _HOST.fullmatch(referer.strip(b"-"))):
            return _request(head.split(b" "), date, Quoted(request, status, referer, agent))
    start = _TIME_FIRST.fullmatch(line) if line.startswith(b"[") else None
    start = start or _START.fullmatch(line)
    if start is None:
        return None
    head, date, rest = start.group("head", "clock", "rest")
    quoted, who = combined(rest) or loose(rest), head.split()
    if quoted is None and start.re is _TIME_FIRST and (request := _OF_TLS.fullmatch(rest)):
        return _request([who[0], b"-", b"-"], date, Quoted(request["request"], b"-"))  # before protocol and cipher
    return quoted and _request(who, date, quoted)


def _request(head: list[bytes], date: bytes, quoted: Quoted) -> LoggedRequest | None:
    if len(head) < 2:
        return None
    vhost, client, user, others = _who(head)
    request, status, referer, agent, host, more, escaped = quoted
    method, target = split_request(unescaped(request, escaped))
    others += more
    host = host or vhost
    port = None
    if _COLON in client and (with_port := _WITH_PORT.fullmatch(client)):
        client, port = with_port[1] or with_port[3], int(with_port[2] or with_port[4] or 0) or None
    return LoggedRequest(
        method,
        target,
        clock(date),
        unescaped(client),
        port,
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
        client, between, name = tokens
        is_host = between != b"-" and b"." in between and _HOST.fullmatch(between)  # as lighttpd writes it
        return between if is_host else None, client, name, []
    if tokens[0].endswith(b","):
        return _forwarded(tokens)
    at = _client_at(tokens)
    before = [token for token in tokens[:at] if token != b"-"]
    host = before.pop() if before and (len(before) == 1 or b"." in before[-1]) and _HOST.fullmatch(before[-1]) else None
    others = [token for token in before if not _PLATFORM.fullmatch(token)]
    user = tokens[at + 2 :]
    if b"-" in user[1:] and _BRACKETED.fullmatch(user[0]):
        user = user[user.index(b"-") + 1 :]
    return host, tokens[at], b" ".join(user) or None, others


def _client_at(tokens: list[bytes]) -> int:
    if _ADDRESS.fullmatch(tokens[0]):
        return 0
    if len(tokens) > 4 and tokens[1] == b"-" and _ADDRESS.fullmatch(tokens[2]):  # `shop.test - 203.0.113.5 - bob`
        return 2
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
