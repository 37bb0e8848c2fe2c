"""Prove that an edited address leads to the same place: the same page with the same parameters, or the same other site.

A target is read as servers do, by its text: `.` and `..` removed, repeated slashes merged (the default of Apache and
nginx), decoded once. Its parameters must all be there, in their order by name; others may be added. It is an attack
where a parameter holds another site's address, or the placeholder for one. Any other text is read as a browser
reads an address (`url_whatwg.py`), from a page over http and over https: it is an attack where it leads to another
host. Where it does not, it is read decoded once more, as by applications that decode what they redirect to, and without
its first slash, as by those that redirect to what stands in their own path.

An address that no browser takes is for parsers that err, each in its own way. It is taken apart as RFC 3986 does
(appendix B), and proved where nothing of it differs but the case of its scheme, and words that follow it as a query or
a fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import unquote, unquote_plus

from overproof.redteam.base import Proof
from overproof.redteam.oracle.url_whatwg import Address, read_address

_SCHEMES = ("http", "https")
_HOLDS_ADDRESS = re.compile(r"XX[a-z]+XX|^\W*(?:https?:|ftp:|[/\\]{2})", re.I)
_ORDINARY = re.compile("[a-z]{1,20}")
_WORDS = re.compile("[a-z]{1,20}(?:-[a-z]{1,20})*")
# Scheme, what stands before a query, the query and the fragment; and an authority, whose port is a number.
_PARTS = re.compile(r"(https?:|(?=//))([^?#]*)(\?[^#]*)?(#.*)?", re.I | re.S)
_AUTHORITY = re.compile(r"(?://)?(?:[^/]*@)?(?:\[[^\]/]*\]|[^/:]+)(?::\d*)?(?:/.*)?", re.S)


def _behind_slash(text: str) -> str:
    return text[1:] if text.startswith("/") else ""


_READINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", str),
    (", decoded once more", unquote),
    (", without its first slash", _behind_slash),
    (", decoded once more, without its first slash", lambda text: _behind_slash(unquote(text))),
)


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Read each pair."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    if re.match(r"/(?![/\\]|https?:|%(?:0|2f|5c))[^?#]*\?[^=?#]+=", original, re.I):
        return _judge_target(original, edited)
    for how, read in _READINGS:
        proof = _judge_address(read(original), read(edited), how)
        if proof is not None:
            return proof
    if _is_followed_by_words(original, edited):
        return Proof("proved", "no address for a browser; parsed by RFC 3986: the same scheme, authority and path")
    return Proof("unproved", "the original leads to no other host in a browser")


# ── targets ──────────────────────────────────────────────────────────────────


def _judge_target(original: str, edited: str) -> Proof:
    path, _, query = original.partition("?")
    edited_path, _, edited_query = edited.partition("#")[0].partition("?")
    parameters = _parameters(query)
    if not any(_HOLDS_ADDRESS.search(value) for _, value in parameters):
        return Proof("unproved", "no parameter of the target holds another site's address")
    if not re.match(r"/(?![/\\])", edited_path) or _page(path) != _page(edited_path):
        return Proof("changed", "another page")
    difference = _difference(parameters, _parameters(edited_query))
    if difference:
        return Proof("changed", difference)
    return Proof("proved", "the same page, with the same parameters")


def _parameters(query: str) -> list[tuple[str, str]]:
    """Read names and values, decoded once."""
    pieces = (piece.partition("=") for piece in query.split("&") if piece)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pieces]


def _difference(original: list[tuple[str, str]], edited: list[tuple[str, str]]) -> str:
    """Say what parameters differ; those of one variable (`a[x]`, `a[y]`) keep their order, added ones are ordinary."""
    variables = {_variable(name) for name, _ in original}
    kept = [(name, value) for name, value in edited if _variable(name) in variables]
    for variable in variables:
        if [p for p in original if _variable(p[0]) == variable] != [p for p in kept if _variable(p[0]) == variable]:
            return "other parameters"
    added = [part for name, value in edited if _variable(name) not in variables for part in (name, value)]
    return "" if all(_ORDINARY.fullmatch(part) for part in added) else "a parameter more that is no ordinary word"


def _variable(name: str) -> str:
    return re.split(r"[\[.]", name)[0]


def _page(path: str) -> list[str]:
    """Shorten a path by its text; the last name is empty where it ends with a slash."""
    names: list[str] = []
    segments = [unquote(segment) for segment in path.split("/")]
    for name in segments:
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return [*names, ""] if segments[-1] in {"", ".", ".."} else names


# ── addresses ────────────────────────────────────────────────────────────────


def _judge_address(original: str, edited: str, how: str) -> Proof | None:
    """Compare where two addresses lead from each page; None where the original leads nowhere else."""
    verdicts = set()
    for scheme in _SCHEMES:
        first = read_address(original, scheme)
        if first is None:
            continue
        second = read_address(edited, scheme)
        if second is None:
            verdicts.add("changed")
        else:
            verdicts.add(_compared(first, second))
    if not verdicts:
        return None
    if verdicts == {"same"}:
        return Proof("proved", f"read as a browser does{how}: the same host, port and path")
    if verdicts == {"changed"}:
        return Proof("changed", f"read as a browser does{how}: another place")
    return Proof("unproved", f"read as a browser does{how}: the same place only from some pages, or for another user")


def _compared(first: Address, second: Address) -> str:
    if replace(first, user="", query="", fragment="") != replace(second, user="", query="", fragment=""):
        return "changed"
    if first.fragment not in {"", second.fragment} or _difference(_parameters(first.query), _parameters(second.query)):
        return "changed"
    return "same" if second.user.startswith(first.user) else "unproved"


def _is_followed_by_words(original: str, edited: str) -> bool:
    """Compare addresses of other sites part by part; a script that stands for a host is code, and no address."""
    first, second = _PARTS.fullmatch(original), _PARTS.fullmatch(edited)
    if first is None or second is None or "script" in unquote(original).lower() or not _AUTHORITY.fullmatch(first[2]):
        return False
    scheme, place, query, fragment = second.groups()
    added = "" if first[3] else query or ""
    return (
        (scheme.lower(), place) == (first[1].lower(), first[2])
        and (query == first[3] or all(_ORDINARY.fullmatch(word) for word in re.split("[&=]", added[1:])))
        and (fragment == first[4] or (first[4] is None and _WORDS.fullmatch(fragment[1:]) is not None))
    )
