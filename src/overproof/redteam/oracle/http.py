"""Prove that an edited request asks the same, by taking both apart: all that the original holds must still be there.

Method, page and host must be the same; every parameter, cookie, header and value of the body that the original sends
must be sent again, those of one name in their order, and what was added must have other names and be ordinary words.
Browser and referer may differ where they are such as browsers send. Paths are compared shortened by their text, as
servers do; one that climbs by itself is unproved when it is edited, for what it reaches depends on who shortens it.
A target's text is decoded already, so that its values are compared as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from overproof.redteam.base import Proof
from overproof.redteam.oracle.http_body import UNPROVED, body_difference, difference, pieces

_WORD = "[a-z]{2,20}"
_FIELDS = ("host", "src", "ua", "cookie", "referer", "headers")
_ADDED_HEADER = rf"x-{_WORD}: {_WORD}'s {_WORD}"
_TOKEN = r"[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z0-9_.]+"
_PLAIN_AGENT = re.compile(rf'"{_TOKEN}(?:\s(?:\([A-Za-z0-9_ ./;:,+-]*\)|{_TOKEN}|[a-z-]+))*"')
_PLAIN_REFERER = re.compile(r"https?://[A-Za-z0-9_.:-]+(?:/[A-Za-z0-9_./-]*)?")


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: str
    fields: dict[str, str]
    body: str | None


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare each pair."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    first, second = _read(original), _read(edited)
    if first is None:
        return Proof("unproved", "the original is no request")
    if second is None:
        return Proof("changed", "no request any more")
    if (first.method, _shortened(first.path)) != (second.method, _shortened(second.path)):
        return Proof("changed", "another method or page")
    if first.path != second.path and re.search(r"(?:\.|%2e){2}", first.path, re.I):
        return Proof("unproved", "the original's path climbs by itself")
    found = (
        difference(pieces(first.query), pieces(second.query), is_ordered="?" in first.query)
        or _field_difference(first.fields, second.fields)
        or body_difference(first.body, second.body)
    )
    if found == UNPROVED:
        return Proof("unproved", found)
    return Proof("changed", found) if found else Proof("proved", "the same request, apart from ordinary words added")


def _read(text: str) -> _Request | None:
    """Take a request's text apart; a field ends where the next one of the template's begins."""
    head, mark, body = text.partition(" body=")
    start = re.match("HTTP ([A-Z]+) ", head)
    if start is None or head[start.end() : start.end() + 1] in {"", " "}:
        return None
    fields: dict[str, str] = {}
    for name in reversed(_FIELDS):
        before, found, value = head.rpartition(f" {name}=")
        if found and len(before) >= start.end():
            head, fields[name] = before, value
    path, _, query = head[start.end() :].partition("?")
    return _Request(start[1], path, query, fields, body if mark else None)


def _shortened(path: str) -> list[str]:
    """Shorten a path by its text."""
    names: list[str] = []
    segments = path.split("/")
    for place, name in enumerate(segments):
        if name == "..":
            names = names[: max(1, len(names) - 1)]
        elif name != ".":
            names.append(name)
        if name in {".", ".."} and place == len(segments) - 1:
            names.append("")
    return names


def _field_difference(first: dict[str, str], second: dict[str, str]) -> str:
    for name in ("host", "src"):
        if first.get(name) != second.get(name):
            return f"another {name}"
    for name, plain in (("ua", _PLAIN_AGENT), ("referer", _PLAIN_REFERER)):
        values = [fields[name] for fields in (first, second) if name in fields]
        if first.get(name) != second.get(name) and (name not in second or not all(map(plain.fullmatch, values))):
            return f"another {name}, not of a kind that browsers send"
    cookies = rf"{_WORD}={_WORD}"
    if not _is_surrounded(first.get("cookie"), second.get("cookie"), cookies, "; "):
        return "other cookies"
    if not _is_surrounded(first.get("headers"), second.get("headers"), _ADDED_HEADER, ", "):
        return "other headers"
    return ""


def _is_surrounded(first: str | None, second: str | None, added: str, between: str) -> bool:
    """Tell whether a list is the other one with ordinary items before and behind it."""
    if first is None:
        return second is None or re.fullmatch(rf"{added}(?:{between}{added})*", second) is not None
    if second is None:
        return False
    return re.fullmatch(rf"(?:{added}{between})*{re.escape(first)}(?:{between}{added})*", second) is not None
