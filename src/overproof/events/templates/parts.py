"""Name the part of an event's text that a place lies in, as far as the text is of a template: a header, a field.

A text says where its parts begin, and an attacker may write what begins one: the name is for people who look for the
place, and nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from overproof.events.templates.http import percent_decoded

LOOKED_AT = 65_536  # characters of a text in which its parts are sought


class NamedPart(NamedTuple):
    """A part of a text: what it is called, where it begins, and what is behind it."""

    name: str
    start: int
    end: int


# In the order of the template (`http.HttpRequest`): what looks like an earlier one further on is content.
_REQUEST_PARTS = {
    "host": "host header",
    "ua": "user agent",
    "cookie": "cookie",
    "referer": "referer",
    "headers": "headers",
    "body": "body",
}
REQUEST = re.compile(r"HTTP (\S+) ")
_REQUEST_PART = re.compile(rf" ({'|'.join(_REQUEST_PARTS)})=")
RECORD = re.compile(
    r"(?:dns|flows?|file|SSH|TLS \S+|w3c|(?:suricata|zeek|osquery) [\w.-]+|windows [^=\n]{1,100}? \d+)"
    r"(?= [A-Za-z_][\w.-]*=)"
)
_FIELD = re.compile(r" (?:([A-Za-z_][\w.-]*)=|HTTP \S+ )")
_CLOSING = re.compile(r'"(?= [A-Za-z_][\w.-]*=| HTTP \S+ |$)')
_PARAMETER = re.compile(r"([\w.\-\[\]$]{1,64})=")
_HEADER = re.compile(r"(?:^|, )(:?[\w.-]{1,64}): ")


def part_at(text: str, start: int, end: int, target: str | None = None) -> str | None:
    """Return what the part of a text is called in which most of a span lies; None where the text is of no template.

    Parameters
    ----------
    target
        The request's target, as it was sent, where the event's columns tell it: then it is known where it ends.
    """
    found = [part for part in named_parts(text[:LOOKED_AT], target) if part.start < end and part.end > start]
    if not found:
        return None
    return max(found, key=lambda part: min(part.end, end) - max(part.start, start)).name


def named_parts(text: str, target: str | None = None) -> list[NamedPart]:
    """Return the parts of a text, one behind the other; empty where the text is of no template."""
    request, record = REQUEST.match(text), RECORD.match(text)
    if request is not None:
        return list(_request(text, request, target))
    return [] if record is None else list(_fields(text, record.end(), target))


def _request(text: str, head: re.Match[str], target: str | None) -> Iterator[NamedPart]:
    yield NamedPart("method", head.start(1), head.end(1))
    decoded = None if target is None else percent_decoded(target)
    known = decoded is not None and text.startswith(decoded, head.end())
    behind = head.end() + len(decoded or "") if known else head.end()
    names, bounds, rank = list(_REQUEST_PARTS), list[tuple[str, int, int]](), -1
    for match in _REQUEST_PART.finditer(text, behind):
        if known and not bounds and match.start() != behind:
            break  # the part behind a target of known length begins there, or there is none
        if names.index(match[1]) > rank:
            rank = names.index(match[1])
            bounds.append((match[1], match.start(), match.end()))
    ends = [*[start for _, start, _ in bounds], len(text)]
    yield from _target(text, head.end(), ends[0])
    for (key, _, start), end in zip(bounds, ends[1:], strict=True):
        if key == "headers":
            yield from _headers(text, start, end)
        elif key == "body":
            yield from _parameters(text, start, end, "body")
        else:
            yield NamedPart(_REQUEST_PARTS[key], start, end)


def _target(text: str, start: int, end: int) -> Iterator[NamedPart]:
    mark = text.find("?", start, end)
    yield NamedPart("path", start, end if mark < 0 else mark)
    if mark >= 0:
        yield from _parameters(text, mark + 1, end, "query")


def _parameters(text: str, start: int, end: int, whole: str) -> Iterator[NamedPart]:
    """Name the parameters of a query or a form; what is none of them is of the whole."""
    while start < end:
        behind = text.find("&", start, end)
        behind = end if behind < 0 else behind
        named = _PARAMETER.match(text, start, behind)
        yield NamedPart(f"{whole} parameter {named[1]}" if named else whole, start, behind)
        start = behind + 1


def _headers(text: str, start: int, end: int) -> Iterator[NamedPart]:
    """Name each header that stands among the others."""
    place, name = 0, "headers"
    for match in _HEADER.finditer(text[start:end]):
        if match.start() > place:
            yield NamedPart(name, start + place, start + match.start())
        place, name = match.start(), f"header {match[1]}"
    yield NamedPart(name, start + place, end)


def _fields(text: str, start: int, target: str | None) -> Iterator[NamedPart]:
    """Name the fields of a record, up to a request that stands behind them."""
    quoted, field = True, _FIELD.search(text, start)
    while field is not None:
        if field[1] is None:
            request = REQUEST.match(text, field.start() + 1)
            if request is not None:
                yield from _request(text, request, target)
            return
        behind = field.end()
        if quoted and text.startswith('"', behind):
            closing = _CLOSING.search(text, behind + 1)
            quoted = closing is not None  # where none closes, no later one is closed either
            behind = behind if closing is None else closing.end()
        following = _FIELD.search(text, behind)
        yield NamedPart(f"field {field[1]}", field.end(), len(text) if following is None else following.start())
        field = following
