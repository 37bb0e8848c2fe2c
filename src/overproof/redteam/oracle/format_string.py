"""Prove that two C format strings consume the same arguments by the same kinds of conversion.

What a library does at a directive that C does not define hangs on nothing but the directive's letters. So a text that
holds one is proved the same where it is the same, letter by letter, up to the end of its last directive. That end must
be one for every library: what some of them read on as a flag or a prefix (`%I`) would take letters of what follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from overproof.redteam.base import Proof

KINDS = {
    **dict.fromkeys("di", "signed"),
    **dict.fromkeys("ouxX", "unsigned"),
    **dict.fromkeys("eEfFgGaA", "double"),
    **{"c": "character", "s": "string", "p": "pointer", "n": "count"},
}
LENGTHS = ("hh", "ll", "h", "l", "j", "z", "t", "L", "q")
# What some library reads as part of a directive that goes on, and what ends one in all of them (`%@` is Objective-C's).
GOES_ON = frozenset("-+ #'*$.,;:_\\0123456789hlLqjztwIZFN")
ENDS = (frozenset(KINDS) | frozenset("@CS")) - GOES_ON
WIDE = 1000  # from this width on, the output itself is the attack


class _UnknownError(ValueError):
    """Says that C does not define what this conversion does."""


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare what each pair of format strings consumes."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    if "`" in original and edited != original:
        return Proof("unproved", "format string: a command in backquotes writes it, and every letter of that counts")
    try:
        wanted = _conversions(original)
    except _UnknownError as error:
        if _differ_behind_directives(original, edited):
            return Proof("proved", "format string: not all C; parsed: the same letters up to the end of the directives")
        return Proof("unproved", f"format string: {error}")
    if not wanted:
        return Proof("unproved", "format string: no conversion")
    try:
        found = _conversions(edited)
    except _UnknownError as error:
        return Proof("changed", f"format string: {error}")
    if found != wanted:
        return Proof("changed", "format string: other arguments are consumed")
    if any(kind == "count" for _, kind, _, _ in wanted) and _before_count(original) != _before_count(edited):
        return Proof("unproved", "format string: %n writes how much was printed before it, which may differ")
    return Proof("proved", "format string: the same conversions of the same arguments")


def _differ_behind_directives(original: str, edited: str) -> bool:
    """Say whether two texts are the same up to the end of their last directive.

    No letter or digit may follow anew: Linux reads `%pK` as one.
    """
    end = _end_of_directives(original)
    behind, edited_behind = original[end:], edited[end:]
    is_apart = edited_behind[:1] == behind[:1] or not edited_behind[:1].isalnum()
    return end > 0 and original[:end] == edited[:end] and "%" not in edited_behind and is_apart


def _end_of_directives(text: str) -> int:
    """Return where the last directive ends in every way to read the text; 0 where ways differ, or none ends.

    Libraries part at a letter that they do not know: it ends the directive, or belongs to it. So all states are
    followed: `literal` text, a directive that has `begun` there and then, or goes on `within`.
    """
    states, last = {"literal"}, text.rfind("%")
    for place, letter in enumerate(text):
        followed = [_followed(state, letter) for state in states]
        if not all(followed):
            return 0
        states = {state for after in followed for state in after}
        if place >= last and states == {"literal"}:
            return place + 1
    return 0


def _followed(state: str, letter: str) -> tuple[str, ...]:
    """Return the states that may follow one; none where nobody knows."""
    if state == "literal":
        return ("begun",) if letter == "%" else ("literal",)
    if letter == "%":
        return ("literal",) if state == "begun" else ("literal", "begun")
    if letter in ENDS:
        return ("literal",)
    return ("literal", "within") if letter in GOES_ON else ()


def _before_count(text: str) -> str:
    """Return what comes before the end of the last `%n`."""
    place, last = 0, 0
    while (place := text.find("%", place)) >= 0:
        place, conversion, _ = _one(text, place + 1, 0)
        if conversion is not None and conversion[1] == "count":
            last = place
    return text[:last]


Conversion = tuple[int, str, str, tuple[int | str, ...]]


def _conversions(text: str) -> list[Conversion]:
    """Read the conversions: the argument of each, its kind, its length, and what of its field matters."""
    found: list[Conversion] = []
    place, argument, numbered = 0, 0, set()
    while (place := text.find("%", place)) >= 0:
        place, conversion, by_number = _one(text, place + 1, argument)
        if conversion is not None:
            found.append(conversion)
            argument = max(argument, conversion[0])
            numbered.add(by_number)
    if len(numbered) > 1:
        raise _UnknownError("some arguments are numbered, and some are not")
    return found


def _one(text: str, place: int, argument: int) -> tuple[int, Conversion | None, bool]:
    """Read one conversion behind its percent sign: where it ends, None for `%%`, and whether it is numbered."""
    if text[place : place + 1] == "%":
        return place + 1, None, False
    end, digits = _digits(text, place)
    by_number = bool(digits) and text[end : end + 1] == "$"
    if by_number:
        place, argument = end + 1, int(digits) - 1
    while text[place : place + 1] and text[place] in "-+ #0'":
        place += 1
    stars = 0
    place, width = _digits(text, place)
    if not width and text[place : place + 1] == "*":
        place, stars = place + 1, 1  # the width is an argument of its own
    precision = ""
    if text[place : place + 1] == ".":
        place, digits = _digits(text, place + 1)
        precision = "." + digits
    length = next((length for length in LENGTHS if text.startswith(length, place)), "")
    place += len(length)
    kind = KINDS.get(text[place : place + 1])
    if kind is None:
        raise _UnknownError(f"no conversion {text[place : place + 1]!r} that the oracle knows")
    if stars and by_number:
        raise _UnknownError("a numbered argument whose width is an argument")
    field: list[int | str] = ["*"] * stars
    if width and int(width[:9]) >= WIDE:
        field.append(int(width[:9]))
    if kind == "string" or len(precision) > 3:
        field.append(precision)
    return place + 1, (argument + stars + 1, kind, length, tuple(field)), by_number


def _digits(text: str, place: int) -> tuple[int, str]:
    end = place
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return end, text[place:end]
