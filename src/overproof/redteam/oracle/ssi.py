"""Prove that two texts hold the same server-side includes, read as the states of Apache's mod_include read them."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.redteam.base import Proof

Directive = tuple[str, tuple[tuple[str, str | None], ...]]
EFFECTS = {"exec", "echo", "include", "config", "flastmod", "fsize", "printenv", "set", "if", "elif", "else", "endif"}
SPACE = " \t\n\r\v\f"
# Which arguments a directive knows; it stops at another one.
ARGUMENTS = {"exec": {"cmd", "cgi"}, "include": {"file", "virtual", "onerror"}, "fsize": {"file", "virtual"}}


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare the directives of each pair."""
    return [_judge(_directives(original), _directives(edited)) for original, edited in pairs]


def _judge(wanted: list[Directive] | None, found: list[Directive] | None) -> Proof:
    known = [one for one in wanted or () if one[0] in EFFECTS and _complete(one)]
    if wanted is None or not known:
        return Proof("unproved", "SSI: no directive that mod_include runs")
    if found is None:
        return Proof("changed", "SSI: a directive does not end")
    if _effective(found, wanted) != wanted:
        return Proof("changed", "SSI: other directives")
    return Proof("proved", "SSI: the same directives and arguments")


def _complete(directive: Directive) -> bool:
    name, arguments = directive
    known = ARGUMENTS.get(name)
    return name == "printenv" or (bool(arguments) and all(not known or key in known for key, _ in arguments))


def _effective(found: list[Directive], wanted: list[Directive]) -> list[Directive]:
    """Drop what sets a variable that the original never names: it prints nothing."""
    named = " ".join(str(part) for _, arguments in wanted for argument in arguments for part in argument)
    listed = any(name == "printenv" for name, _ in wanted)
    return [
        (name, arguments)
        for name, arguments in found
        if (name, arguments) in wanted
        or name != "set"
        or listed
        or [key for key, _ in arguments] != ["var", "value"]
        or str(arguments[0][1]) in named
        or any("$" in str(value) for _, value in arguments)
    ]


def _directives(text: str) -> list[Directive] | None:
    """Read the directives in order; None where one has no end."""
    found: list[Directive] = []
    place = 0
    while (start := text.find("<!--#", place)) >= 0:
        read = _directive(text, start + 5)
        if read is None:
            return None
        place, directive = read
        found.append(directive)
    return found


def _directive(text: str, place: int) -> tuple[int, Directive] | None:
    start = place
    while place < len(text) and text[place] not in SPACE:
        if text.startswith("-->", place):
            return place + 3, (text[start:place].lower(), ())
        place += 1
    name = text[start:place].lower()
    arguments: list[tuple[str, str | None]] = []
    while True:
        place = _skip(text, place)
        if place >= len(text):
            return None
        if text.startswith("-->", place):
            return place + 3, (name, tuple(arguments))
        place, argument = _argument(text, place)
        arguments.append(argument)


def _argument(text: str, place: int) -> tuple[int, tuple[str, str | None]]:
    start = place
    while place < len(text) and text[place] not in SPACE + "=":
        place += 1
    name = text[start:place].lower()
    place = _skip(text, place)
    if text[place : place + 1] != "=":
        return max(place, start + 1), (name, None)
    place = _skip(text, place + 1)
    quote = text[place : place + 1]
    value = []
    if quote and quote in "\"'`":
        place += 1
        while place < len(text) and text[place] != quote:
            if text[place] == "\\" and text[place + 1 : place + 2] == quote:
                place += 1
            value.append(text[place])
            place += 1
        return place + 1, (name, "".join(value))
    while place < len(text) and text[place] not in SPACE:
        value.append(text[place])
        place += 1
    return place, (name, "".join(value))


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in SPACE:
        place += 1
    return place
