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
SHORT_FIELD = 64  # characters of a field that is shown whole: of `2^0` a `^` says nothing


class NamedPart(NamedTuple):
    """A part of a text: what it is called, where it begins, what is behind it, and where a field's value begins."""

    name: str
    start: int
    end: int
    value: int | None = None


class Shown(NamedTuple):
    """What people are shown of a span: the words that it lies in, and what the part is called that has most of it."""

    text: str
    part: str | None


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
_ESCAPE = re.compile(r"\\x[0-9a-f]{2}")
_HEADER = re.compile(r"(?:^|, )(:?[\w.-]{1,64}): ")


def part_at(text: str, start: int, end: int, target: str | None = None) -> str | None:
    """Return what the part of a text is called in which most of a span lies; None where the text is of no template.

    Parameters
    ----------
    target
        The request's target, as it was sent, where the event's columns tell it: then it is known where it ends.
    """
    found = _part_at(text, start, end, target)
    return None if found is None else found.name


def shown_at(text: str, start: int, end: int, target: str | None = None) -> Shown:
    """Return what to show of a span, and the name of the part that it is in; see `part_at`.

    A short field of a record is shown whole, and so is an escaped byte (`\\xc3`) that the span cuts.
    """
    found = _part_at(text, start, end, target)
    if found is not None and found.value is not None and found.end - found.value <= SHORT_FIELD:
        return Shown(text[found.value : found.end], found.name)
    for escape in _ESCAPE.finditer(text, max(0, start - 3), end + 3):
        if escape.start() < end and escape.end() > start:
            start, end = min(start, escape.start()), max(end, escape.end())
    return Shown(text[start:end], None if found is None else found.name)


def _part_at(text: str, start: int, end: int, target: str | None) -> NamedPart | None:
    found = [part for part in named_parts(text[:LOOKED_AT], target) if part.start < end and part.end > start]
    return max(found, key=lambda part: min(part.end, end) - max(part.start, start), default=None)


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
    for (key, name, start), end in zip(bounds, ends[1:], strict=True):
        if key == "headers":
            yield from _headers(text, start, end)
        elif key == "body":
            yield from _parameters(text, start, end, "body")
        else:
            yield NamedPart(_REQUEST_PARTS[key], name + 1, end)


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
        last = len(text) if following is None else following.start()
        yield NamedPart(f"field {field[1]}", field.start(1), last, field.end())
        field = following
