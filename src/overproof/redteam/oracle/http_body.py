"""Compare bodies of requests by the standard library's readers: forms, JSON, multipart; others must be equal."""

from __future__ import annotations

import email
import json
import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import unquote_plus

Pair = tuple[str, str]

_NAME = re.compile(r"[A-Za-z0-9_.%+-]+(?:\[[^=&]*\])?=")
_WORD = re.compile("[a-z]{2,20}")
_BOUNDARY = re.compile(r'--([^\r\n"\\]{1,70})\r?\n')


UNPROVED = "readers may take the body differently"


class _TwiceError(ValueError):
    """A JSON object names a member twice: which of them counts depends on the reader."""


def pieces(query: str) -> list[Pair]:
    """Split a query into names and values, as they stand; what is no parameter belongs to the value before it."""
    found: list[str] = []
    for piece in query.split("&") if query else []:
        if found and not _NAME.match(piece):
            found[-1] += f"&{piece}"
        else:
            found.append(piece)
    return [(name, value) for name, _, value in (piece.partition("=") for piece in found)]


def difference(first: Sequence[Pair], second: Sequence[Pair], *, is_ordered: bool = False) -> str:
    """Say what parameters differ; nothing where those of one name are all there in their order, others being words.

    Parameters
    ----------
    is_ordered
        Whether the first's parameters must keep their order altogether.
    """
    names = {_variable(name) for name, _ in first}
    kept = [pair for pair in second if _variable(pair[0]) in names]
    if is_ordered and kept != list(first):
        return "other parameters"
    for name in names:
        if [p for p in first if _variable(p[0]) == name] != [p for p in kept if _variable(p[0]) == name]:
            return "other parameters"
    added = [part for pair in second if _variable(pair[0]) not in names for part in pair]
    return "" if all(map(_WORD.fullmatch, added)) else "a parameter more that is no ordinary word"


def _variable(name: str) -> str:
    return name.partition("[")[0]


def body_difference(first: str | None, second: str | None) -> str:
    """Say how two bodies differ; nothing where they hold the same, and `UNPROVED` where that hangs on the reader."""
    if first == second:
        return ""
    if first is None or second is None:
        return "a body on one side only"
    try:
        members = _members(first)
        if members is not None:
            return _json_difference(members, _members(second))
    except (_TwiceError, RecursionError):
        return UNPROVED
    boundary = _BOUNDARY.match(first)
    if boundary:
        return _multipart_difference(first, second)
    if not _NAME.match(first):
        return "another body of a kind that is not read"
    return difference(_form(first), _form(second))


def _form(body: str) -> list[Pair]:
    """Read a form, decoded once."""
    return [
        (unquote_plus(name, errors="surrogateescape"), unquote_plus(value, errors="surrogateescape"))
        for name, value in pieces(body)
    ]


def _members(body: str) -> dict[str, object] | None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) < len(pairs):
            raise _TwiceError
        return dict(pairs)

    try:
        found = json.loads(body, object_pairs_hook=once)
    except _TwiceError:
        raise
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_difference(first: dict[str, object], second: dict[str, object] | None) -> str:
    if second is None:
        return "no JSON object any more"
    if any(name not in second or repr(second[name]) != repr(value) for name, value in first.items()):
        return "another member of the JSON object"
    added = [part for name, value in second.items() if name not in first for part in (name, value)]
    is_plain = all(isinstance(part, str) and _WORD.fullmatch(part) for part in added)
    return "" if is_plain else "a member more that is no ordinary word"


def _multipart_difference(first: str, second: str) -> str:
    before, after = _multipart(first), _multipart(second)
    if before is None:
        return UNPROVED
    if after is None:
        return "parts that cannot be read"
    missing = Counter(before) - Counter(after)
    added = list((Counter(after) - Counter(before)).elements())
    if missing or [p for p in before if _named(p, before)] != [p for p in after if p in before and _named(p, before)]:
        return "other parts"
    plain = re.compile('Content-Disposition: form-data; name="([a-z]{2,20})"')
    names = {found[1] for headers, _ in before if (found := re.search('name="([^"]*)"', headers))}
    for headers, value in added:
        found = plain.fullmatch(headers)
        if found is None or found[1] in names or not _WORD.fullmatch(value):
            return "a part more that is no ordinary word"
    return ""


def _named(part: Pair, parts: Sequence[Pair]) -> bool:
    """Tell whether another part has the same name, so that their order matters."""
    found = re.search('name="([^"]*)"', part[0])
    return found is None or sum(f'name="{found[1]}"' in headers for headers, _ in parts) > 1


def _multipart(body: str) -> list[Pair] | None:
    """Read parts: their headers in one string, and their content."""
    boundary = _BOUNDARY.match(body)
    if boundary is None or not re.search(rf"\n--{re.escape(boundary[1])}--\s*\Z", body):
        return None
    head = f'Content-Type: multipart/form-data; boundary="{boundary[1]}"\n\n'
    message = email.message_from_string(head + body.encode("utf-8", "backslashreplace").decode("utf-8"))
    payload = message.get_payload()
    if not isinstance(payload, list) or message.defects:
        return None
    parts = [part for part in payload if not isinstance(part, str)]
    return [("; ".join(f"{k}: {v}" for k, v in part.items()), str(part.get_payload())) for part in parts]
