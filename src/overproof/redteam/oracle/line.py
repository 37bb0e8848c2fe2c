"""Parse log lines: the same client did the same, and only what it writes itself is another.

Covered are access logs in the common and combined format, and the logins of Unix systems. All else is unproved.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from overproof.redteam.base import Proof

_COMBINED = re.compile(
    r"^(?P<site>\S+ )?(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]*)\] "
    r'"(?P<method>[A-Z]+) (?P<target>/[^\s"]*) (?P<version>HTTP/[\d.]+)" (?P<status>\d{3}) (?P<size>\S+)'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?P<rest>(?: .*)?)$',
    re.DOTALL,
)
_OWN = {"target", "referer", "agent"}  # of the client; all other fields stay
_LOGIN = re.compile(
    r"^(?P<head>.{0,100}?[\w.-]+(?:\[\d+\]:| \d+ -)) (?P<message>.*(?:invalid user |failed |failures|accepted "
    r"|incorrect password attempts|authentication attempts exceeded|new user: |USER=root ; COMMAND=).*)$",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w.-]{1,40}")
_BEFORE_COUNTED = {
    "times",
    "times,",
    "failures",
    "failures;",
    "failed",
    "incorrect",
    "more",
    "different",
    "accounts",
    "users;",
}


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Say of each pair of lines whether the same client did the same."""
    return [_judged(*pair) for pair in pairs]


def _judged(original: str, edited: str) -> Proof:
    access = _COMBINED.match(original)
    if access is not None:
        after = _COMBINED.match(edited)
        return Proof("changed", "no line of an access log any more") if after is None else _requests(access, after)
    login = _LOGIN.match(original)
    if login is not None:
        return _logins(login["message"], login["head"], edited)
    return Proof("unproved", "neither an access log's line nor a login's")


def _requests(before: re.Match[str], after: re.Match[str]) -> Proof:
    for name, value in before.groupdict().items():
        if name not in _OWN and value != after[name]:
            return Proof("changed", f"the {name} is another")
    for name in ("referer", "agent"):
        said, says = before[name], after[name]
        if (said is None) != (says is None) or (said not in (None, "", "-") and said not in says):
            return Proof("changed", f"the {name} no longer says what it said")
    return _targets(_Target.read(before["target"]), _Target.read(after["target"]))


@dataclass(frozen=True)
class _Target:
    """A request's target: the decoded path's segments but `.`, and the decoded parameters."""

    segments: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    is_form: bool

    @staticmethod
    def read(target: str) -> _Target:
        path, mark, query = target.partition("?")
        segments = tuple(segment for segment in unquote(path, errors="surrogateescape").split("/") if segment != ".")
        pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
        decoded = tuple((unquote(name, "latin-1"), unquote(value, "latin-1")) for name, _, value in pairs)
        return _Target(segments, decoded, not mark or "=" in query)


def _targets(before: _Target, after: _Target) -> Proof:
    if not _leads_to(before.segments, after.segments):
        return Proof("changed", "the path is another")
    left = iter(after.parameters)
    if not all(any(pair == other for other in left) for pair in before.parameters):
        return Proof("changed", "a parameter is missing, or another")
    more = len(after.parameters) - len(before.parameters)
    names = {name for name, _ in before.parameters}
    if more and (not before.is_form or sum(name in names for name, _ in after.parameters) > len(before.parameters)):
        return Proof("unproved", "what was added may stand for what was there")
    return Proof("proved", "parsed: the same client, method, path, status and parameters")


def _leads_to(segments: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Tell whether a path is another with folders in it that are left at once (`garden/..`)."""

    @cache
    def rest(place: int, position: int) -> bool:
        if position == len(found):
            return place == len(segments)
        if place < len(segments) and segments[place] == found[position] and rest(place + 1, position + 1):
            return True
        enters = re.fullmatch(r"\w+", found[position]) is not None
        return enters and found[position + 1 : position + 2] == ("..",) and rest(place, position + 2)

    return len(found) - len(segments) in range(0, 200, 2) and rest(0, 0)


def _logins(message: str, head: str, edited: str) -> Proof:
    if not edited.startswith(f"{head} "):
        return Proof("changed", "the time, the host or the program is another")
    before, after = message.split(" "), edited[len(head) + 1 :].split(" ")
    if len(before) != len(after):
        return Proof("changed", "another message")
    for place, (word, other) in enumerate(zip(before, after, strict=True)):
        if word != other and not _may_differ(before, place, word, other):
            return Proof("changed", f"{word} is not the client's, and is another")
    return Proof("proved", "parsed: the same message of the same client")


def _may_differ(words: list[str], place: int, word: str, other: str) -> bool:
    """Tell whether a word is the client's choice, and is one of its kind: an invalid user, a port, more tries."""
    former = " ".join(words[max(0, place - 2) : place])
    if former.casefold() == "invalid user":
        return _NAME.fullmatch(other) is not None
    if _is_number(word) and _is_number(other):
        if former.endswith("port"):
            return 0 < int(other) < 65536
        return words[place + 1 : place + 2] != [] and words[place + 1] in _BEFORE_COUNTED and int(other) >= int(word)
    kept = next((start for start in ("name=", "/etc/sudoers.d/") if word.startswith(start)), None)
    creates = former == "new user:" if kept == "name=" else former.endswith("/tee -a")
    return kept is not None and creates and re.fullmatch(rf"{re.escape(kept)}[\w-]+,?", other) is not None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
