"""Edit bodies of requests: forms, JSON and multipart; the application reads the same values from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from overproof.redteam.mutate.http_parts import RequestParts, in_other_order, with_parameter
from overproof.redteam.mutate.words import WORDS

_FORM = re.compile(r"[\w.%+-]+(?:\[[^=&]*\])?=", re.A)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.S)
_JSON_CHARACTER = re.compile(r"\\u....|\\.|([A-Za-z0-9])", re.S)
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}|([A-Za-z0-9])")
_BOUNDARY = re.compile(r"--([^\r\n\"\\]{1,70})(\r?\n)")
_PART_NAME = re.compile(r'\bname="([^"\r\n]*)"')

_BodyEdit = Callable[[str, Random], str | None]


def on_body(edit: _BodyEdit) -> Callable[[RequestParts, Random], RequestParts | None]:
    """Make an edit of a body one of a request."""

    def on_parts(parts: RequestParts, random: Random) -> RequestParts | None:
        body = edit(parts.body, random) if parts.body else None
        return None if body is None else replace(parts, body=body)

    return on_parts


# ── forms ────────────────────────────────────────────────────────────────────


def form_parameter(body: str, random: Random) -> str | None:
    """`a=1` -> `a=1&garden=summer`."""
    return with_parameter(body, random) if _FORM.match(body) else None


def form_order(body: str, random: Random) -> str | None:
    """`a=1&b=2` -> `b=2&a=1`."""
    return in_other_order(body, random) if _FORM.match(body) else None


def form_encoding(body: str, random: Random) -> str | None:
    """`a=union` -> `a=u%6eion`: a form is decoded once."""
    places = [found.start() for found in _ESCAPE.finditer(body) if found[1]] if _FORM.match(body) else []
    if not places:
        return None
    place = random.choice(places)
    return f"{body[:place]}%{ord(body[place]):02{random.choice('xX')}}{body[place + 1 :]}"


# ── JSON ─────────────────────────────────────────────────────────────────────


def json_member(body: str, random: Random) -> str | None:
    """Make `{"a": 1, "garden": "summer"}` of `{"a": 1}`."""
    members = _members(body)
    word = random.choice(WORDS)
    if members is None or word in json.loads(body):
        return None
    members.insert(random.randint(0, len(members)), f'"{word}": "{random.choice(WORDS)}"')
    return "{" + ", ".join(members) + "}"


def json_order(body: str, random: Random) -> str | None:
    """Make `{"b": 2, "a": 1}` of `{"a": 1, "b": 2}`."""
    members = _members(body)
    if members is None or len(members) < 2:
        return None
    place = random.randrange(len(members) - 1)
    members[place : place + 2] = reversed(members[place : place + 2])
    return "{" + ", ".join(members) + "}"


def json_space(body: str, random: Random) -> str | None:
    r"""`{"a":1}` -> `{"a":\n 1}`: white space between tokens."""
    if _members(body) is None:
        return None
    place = random.choice([found.end() for found in _JSON_TOKEN.finditer(body) if found[0] in "{}[],:"])
    return body[:place] + "".join(random.choices(" \t\n", k=random.randint(1, 4))) + body[place:]


def json_escape(body: str, random: Random) -> str | None:
    r"""`"union"` -> `"\u0075nion"`."""
    if _members(body) is None:
        return None
    places = [
        token.start() + found.start()
        for token in _JSON_TOKEN.finditer(body)
        if token[0][0] == '"'
        for found in _JSON_CHARACTER.finditer(token[0])
        if found[1]
    ]
    if not places:
        return None
    place = random.choice(places)
    return f"{body[:place]}\\u{ord(body[place]):04x}{body[place + 1 :]}"


def _members(body: str) -> list[str] | None:
    """Split a JSON object into its members, as they are written; None where a body is none, or names one twice."""
    if body[:1] != "{":
        return None
    try:
        pairs = json.loads(body, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError):
        return None
    if not pairs or len(dict(pairs)) < len(pairs):
        return None
    members: list[str] = []
    depth, start = 0, 1
    for found in _JSON_TOKEN.finditer(body):
        depth += (found[0] in "{[") - (found[0] in "}]")
        if (found[0] == "," and depth == 1) or depth == 0:
            members.append(body[start : found.start()].strip())
            start = found.end()
    return members


# ── multipart ────────────────────────────────────────────────────────────────


def multipart_boundary(body: str, random: Random) -> str | None:
    """Part the same parts by another line; the header that names it is none that a text shows."""
    found = _parts(body)
    boundary = "----" + "".join(word.title() for word in random.choices(WORDS, k=random.randint(2, 4)))
    if found is None or boundary in body:
        return None
    return _joined(found[0], boundary, found[2])


def multipart_order(body: str, random: Random) -> str | None:
    """Swap two neighbours of different names."""
    found = _parts(body)
    if found is None:
        return None
    newline, boundary, parts = found
    names = [name[1] if (name := _PART_NAME.search(part)) else None for part in parts]
    places = [i for i in range(len(parts) - 1) if names[i] and names[i + 1] and names[i] != names[i + 1]]
    if not places:
        return None
    place = random.choice(places)
    parts[place : place + 2] = reversed(parts[place : place + 2])
    return _joined(newline, boundary, parts)


def multipart_part(body: str, random: Random) -> str | None:
    """Send one more part."""
    found = _parts(body)
    word = random.choice(WORDS)
    if found is None or word in body:
        return None
    newline, boundary, parts = found
    added = f'Content-Disposition: form-data; name="{word}"{newline}{newline}{random.choice(WORDS)}'
    parts.insert(random.randint(0, len(parts)), added)
    return _joined(newline, boundary, parts)


def _parts(body: str) -> tuple[str, str, list[str]] | None:
    """Read line end, boundary and parts of a whole multipart body; None where it is none."""
    found = _BOUNDARY.match(body)
    if found is None:
        return None
    boundary, newline = found[1], found[2]
    end = f"{newline}--{boundary}--"
    whole = body.removesuffix(newline)
    if not whole.endswith(end):
        return None
    return newline, boundary, whole[found.end() : -len(end)].split(f"{newline}--{boundary}{newline}")


def _joined(newline: str, boundary: str, parts: list[str]) -> str:
    return "".join(f"--{boundary}{newline}{part}{newline}" for part in parts) + f"--{boundary}--{newline}"


EDITS: Mapping[str, _BodyEdit] = {
    "ordinary parameter in a form": form_parameter,
    "parameters of a form in another order": form_order,
    "percent-encode a character of a form": form_encoding,
    "ordinary member in JSON": json_member,
    "members of JSON in another order": json_order,
    "white space in JSON": json_space,
    "escape a character of JSON": json_escape,
    "another boundary of parts": multipart_boundary,
    "parts in another order": multipart_order,
    "ordinary part": multipart_part,
}
