"""Tell the quoted fields of an access line apart where they do not stand in their usual order, or hold quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

# what servers add and no client writes: numbers, times, addresses, ids, ciphers, answers of a cache, upstreams
_WORD = (
    rb"(?:-|[A-Za-z]|HIT|MISS|EXPIRED|BYPASS|STALE|UPDATING|REVALIDATED|unknown|on|off|https?|gzip|br|h2"
    rb"|unix:/(?:var/)?run/[\w/-]+(?:\.sock)?|[A-Za-z]*+[0-9.:,;=+@*~_-][\w.:,;=+@*~-]{0,250})"
)
_PLAIN = re.compile(
    rb"""(?:[ ]+(?:%(word)b|\[[\w.:-]{0,250}\]|(?:[\w.-]{1,60}=)?"(?:%(word)b(?:,?[ ]%(word)b)*|[A-Z]{2}|)"))*"""
    % {b"word": _WORD},
    re.VERBOSE,
)
_TRAEFIK = re.compile(rb' [0-9]+ "[\w.@-]*" "(?:https?://[\w.:\[\]-]+/?|-)?" [0-9]+ms')
_TRAEFIK_END = re.compile(_TRAEFIK.pattern + rb"$")
_TOKEN = re.compile(
    rb'[ ]+(?:(?P<key>[\w.-]+=)?"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"|\[[^\]"]*\]|[^\s"]+)(?=[ ]|$)', re.DOTALL
)
_STATUS = re.compile(rb"[ ]([0-9]{3}|-)[ ](?:[0-9]+|-)(?=[ ]|$)")
_STATUS_BEHIND = re.compile(rb'"%b' % _STATUS.pattern)
_REQUEST = re.compile(rb"[A-Z]+ .* HTTP/[0-9.]+", re.DOTALL)
_BARE_LEFT = re.compile(rb'(?:[ ]+[^\s"]+)*+(?=[ ]+")')
_MOST_FIELDS = 200

Token = re.Match[bytes]

_HOST = re.compile(rb"[\w.:*-]*[\w*]")
_URL = re.compile(rb"-|/.*|[A-Za-z][A-Za-z0-9+.-]{0,20}://.*", re.DOTALL)


class Quoted(NamedTuple):
    """The fields behind the time, as logged.

    Attributes
    ----------
    others
        What is none of them and may have been written by the client.
    escaped
        Whether quotes inside of fields are escaped.
    """

    request: bytes
    status: bytes
    referer: bytes | None = None
    agent: bytes | None = None
    host: bytes | None = None
    others: Sequence[bytes] = ()
    escaped: bool = True


def is_plain(fields: bytes) -> bool:
    """Tell whether fields, each with a blank before it, are such as no client writes."""
    return _PLAIN.fullmatch(fields) is not None or _TRAEFIK.fullmatch(fields) is not None


def combined(rest: bytes) -> Quoted | None:
    """Split well-formed fields in any order: the request, later on its status and size; None where they are not so."""
    tokens = _tokens(rest)
    at = _status_at(tokens)
    candidates = [token for token in tokens[:at] if _is_quoted(token)]
    if not candidates:
        return None
    request = next((token for token in candidates if _REQUEST.fullmatch(token["quoted"])), candidates[-1])
    host, referer, agent = _roles([token for token in tokens[at + 2 :] if _is_quoted(token)])
    used = (request, *tokens[at : at + 2], host, referer, agent)
    left = b"".join(token[0] for token in tokens if token not in used)
    return Quoted(
        request["quoted"],
        tokens[at][0].strip(),
        referer and referer["quoted"],
        agent and agent["quoted"],
        host and host["quoted"],
        () if is_plain(left) else (left.strip(),),
    )


def _tokens(rest: bytes) -> list[Token]:
    """Split fields; an empty list where something is left over, such as a quote inside of quotes, or too many."""
    found: list[Token] = []
    end = 0
    for token in _TOKEN.finditer(rest):
        if token.start() != end or len(found) == _MOST_FIELDS:
            return []
        found.append(token)
        end = token.end()
    return found if end == len(rest.rstrip(b" ")) else []


def _status_at(tokens: list[Token]) -> int:
    """Find the status, behind which the size stands; 0 where there is none."""
    pairs = (one[0] + two[0] for one, two in pairwise(tokens))
    return next((index for index, pair in enumerate(pairs) if index and _STATUS.fullmatch(pair)), 0)


def _is_quoted(token: Token) -> bool:
    return token["quoted"] is not None and token["key"] is None


def _roles(quoted: list[Token]) -> tuple[Token | None, Token | None, Token | None]:
    """Choose host, referer and agent among the quoted fields behind the size."""
    if len(quoted) == 1:
        return (None, quoted[0], None) if _URL.fullmatch(quoted[0]["quoted"]) else (None, None, quoted[0])
    for index, token in enumerate(quoted[:-1]):
        if _URL.fullmatch(token["quoted"]):  # what stands before it is no referer if it could be a host
            host = quoted[index - 1] if index and _HOST.fullmatch(quoted[index - 1]["quoted"]) else None
            return host, token, quoted[index + 1]
        if not _HOST.fullmatch(token["quoted"]):
            break
    return (None, quoted[0], quoted[1]) if len(quoted) > 1 else (None, None, None)


def loose(rest: bytes) -> Quoted | None:
    """Split fields in which quotes are not escaped; what cannot be told apart stays together, and all of it is kept.

    The request ends at the first quote behind which a status and a size stand, the agent at the last quote.
    """
    left = _BARE_LEFT.match(rest)
    status = _STATUS_BEHIND.search(rest, left.end() if left else 0)
    if left is None or status is None:
        return None
    start = rest.index(b'"', left.end()) + 1
    if start > status.start():
        return None
    request, after = rest[start : status.start()], rest[status.end() :]
    others = [] if is_plain(left[0]) else [left[0].strip()]
    referer, agent, more = _loose_tail(after)
    return Quoted(request, status[1], referer, agent, None, (*others, *more), escaped=False)


def _loose_tail(after: bytes) -> tuple[bytes | None, bytes | None, list[bytes]]:
    """Split `"referer" "agent"` and plain fields around them; the whole of it is one field where that fails."""
    left = _BARE_LEFT.match(after)
    end = after.rfind(b'"')
    if traefik := _TRAEFIK_END.search(after):
        end = after.rfind(b'"', 0, traefik.start())
    before, behind = after[: left.end()] if left else b"", after[end + 1 :]
    inner = after[len(before) : end].lstrip()
    referer, divided, agent = inner[1:].partition(b'" "')
    if not (inner.startswith(b'"') and divided and is_plain(before) and is_plain(behind)):
        whole = after.strip()
        return None, None, [whole] if whole and not is_plain(after) else []
    return referer, agent, []
