"""Take the text of a request apart, `HTTP GET /a?b=1 host=… body=…`, and put it together again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from urllib.parse import unquote

from overproof.redteam.mutate.words import WORDS

_START = re.compile(r"HTTP ([A-Z]+) (\S.*)", re.S)
_ORDER = ("host", "src", "ua", "cookie", "referer", "headers")
_FIELD = re.compile(f" (?=(?:{'|'.join(_ORDER)})=)")
_PARAMETER = re.compile(r"([\w.%+-]+)(?:\[[^=&]*\])?=", re.A)


@dataclass(frozen=True)
class RequestParts:
    """What a request's text has: method, target, fields by name, body."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: str | None

    @property
    def text(self) -> str:
        """The whole text again."""
        fields = "".join(f" {name}={value}" for name, value in self.fields)
        return f"HTTP {self.method} {self.target}{fields}" + ("" if self.body is None else f" body={self.body}")

    def field(self, name: str) -> str | None:
        """Give a field's value; None where it is not there."""
        return dict(self.fields).get(name)

    def with_field(self, name: str, value: str) -> RequestParts:
        """Change a field, or add it where its place is."""
        others = {key: found for key, found in self.fields if key != name}
        if len(others) < len(self.fields):
            return replace(self, fields=tuple((key, value if key == name else found) for key, found in self.fields))
        before = sum(_ORDER.index(key) < _ORDER.index(name) for key in others)
        return replace(self, fields=(*self.fields[:before], (name, value), *self.fields[before:]))


@lru_cache(maxsize=256)  # a search tries many edits upon one text
def request_parts(text: str) -> RequestParts | None:
    """Read a request; None where a text is none, or has a field twice or out of its place."""
    head, has_body, body = text.partition(" body=")
    first, *fields = _FIELD.split(head)
    start = _START.fullmatch(first)
    named = [field.partition("=")[::2] for field in fields]
    places = [_ORDER.index(name) for name, _ in named]
    if start is None or places != sorted(set(places)):
        return None
    return RequestParts(start[1], start[2], tuple(named), body if has_body else None)


def with_parameter(query: str, random: Random) -> str | None:
    """Add an ordinary parameter to a query or a form, at either end or in between."""
    groups = _groups(query)
    word = random.choice(WORDS)
    if word in unquote(query):
        return None
    place = random.choice((0, len(groups))) if "?" in query else random.randint(0, len(groups))
    groups.insert(place, f"{word}={random.choice(WORDS)}")
    return "&".join(groups)


def in_other_order(query: str, random: Random) -> str | None:
    """Swap two neighbours of different names; not where a value may be an address with parameters of its own."""
    groups = _groups(query)
    names = [found[1] if (found := _PARAMETER.match(group)) and "%" not in found[1] else None for group in groups]
    places = [i for i in range(len(groups) - 1) if names[i] and names[i + 1] and names[i] != names[i + 1]]
    if "?" in query or not places:
        return None
    place = random.choice(places)
    groups[place : place + 2] = reversed(groups[place : place + 2])
    return "&".join(groups)


def _groups(query: str) -> list[str]:
    """Split a query into parameters; a piece that is none belongs to the value before it: `a=salt & pepper`."""
    groups: list[str] = []
    for piece in query.split("&"):
        if groups and not _PARAMETER.match(piece):
            groups[-1] += f"&{piece}"
        else:
            groups.append(piece)
    return groups
