"""Parse log lines: the same client did the same, and only what it writes itself is another.

Covered are requests, in the common and combined format and as JSON, logins of Unix systems, and users that are not
there. All else is unproved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from overproof.redteam.base import Proof

_COMBINED = re.compile(
    r"^(?P<syslog>[^\"\[]*\[\d+\]: )?(?P<site>\S+ )?(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]*)\] "
    r'"(?P<method>[A-Z]+) (?P<target>/[^\s"]*) (?P<version>HTTP/[\d.]+)" (?P<status>\d{3}) (?P<size>\S+)'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?P<rest>(?: .*)?)$',
    re.DOTALL,
)
_OWN = {"target", "referer", "agent"}  # of the client; all other fields stay
_LOGIN = re.compile(
    r"^(?P<head>.{0,100}?[\w.-]+(?:\[\d+\]:| \d+ -)) (?P<message>.*(?:invalid user |failed |failures|accepted "
    r"|timeout before |incorrect password attempts|attempts exceeded|new user: |USER=root ; COMMAND=).*)$",
    re.IGNORECASE,
)
_TARGETS = {"uri", "RequestPath", "http_path", "x-envoy-origin-path"}
_NO_USER = re.compile(r"user not found|no such user|does not exist|unknown user|user\b.*\bnot found", re.IGNORECASE)
_QUOTED_NAME = re.compile(
    r"""^(?P<head>.*?\buser ['"`])(?P<name>[\w.@-]+)(?P<rest>['"`].*)$""", re.IGNORECASE | re.DOTALL
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
    brace = original.find("{")
    if brace >= 0 and _read(original[brace:]) is not None:
        return _objects(original, edited, brace)
    if _NO_USER.search(original):
        return _unknown_users(original, edited)
    login = _LOGIN.match(original)
    if login is not None:
        return _logins(login["message"], login["head"], edited)
    return Proof("unproved", "neither an access log's line nor a login's")


def _requests(before: re.Match[str], after: re.Match[str]) -> Proof:
    for name, value in before.groupdict().items():
        if name not in _OWN and value != after[name]:
            return Proof("changed", f"the {name} is another")
    for name in ("referer", "agent"):
        was, now = before[name], after[name]
        if (was is None) != (now is None) or (was not in (None, "", "-") and was not in now):
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


def _unknown_users(original: str, edited: str) -> Proof:
    """Compare lines about a user that there is not, whose name stands in quotes."""
    before, after = _QUOTED_NAME.match(original), _QUOTED_NAME.match(edited)
    if before is None or original.count(before["name"]) > 1:
        return Proof("unproved", "no single name in quotes")
    if after is None or (before["head"], before["rest"]) != (after["head"], after["rest"]):
        return Proof("changed", "more than the unknown user's name is another")
    return Proof("proved", "parsed: the same message about another unknown user")


def _objects(original: str, edited: str, brace: int) -> Proof:
    """Compare lines that are JSON about a request, with or without words before."""
    before, after = _read(original[brace:]), _read(edited[brace:])
    if before is None or after is None or original[:brace] != edited[:brace]:
        return Proof("changed", "no such object any more")
    targets, differing = [], []
    for name, value in before.items():
        if name.rpartition("/")[2] in _TARGETS and value.startswith("/"):
            targets.append((value, after.get(name, "")))
        elif value != after.get(name):
            differing.append(name)
    if len(before) != len(after) or any(not _says_more(before, after, name) for name in differing):
        return Proof("changed", "a field that is not the client's is another")
    if not targets:
        return Proof("unproved", "JSON, but not of a request")
    proofs = [_targets(_Target.read(was), _Target.read(now)) for was, now in targets]
    return next((proof for proof in proofs if proof.meaning != "proved"), proofs[0])


def _says_more(before: dict[str, str], after: dict[str, str], name: str) -> bool:
    """Tell whether a field is the user agent's, and still says what it said."""
    is_agent = re.search(r"user-?_?agent(/0)?$", name, re.IGNORECASE) is not None
    return is_agent and name in after and (before[name] in ("", "-") or before[name] in after[name])


def _read(text: str) -> dict[str, str] | None:
    """Read a JSON object as the paths of its values; None for anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found: dict[str, str] = {}
    waiting: list[tuple[str, object]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}/{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{name}/{place}", inner) for place, inner in enumerate(value)]
        else:
            found[name] = value if isinstance(value, str) else repr(value)
    return found if isinstance(content, dict) else None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
