"""Edit fragments of XPath 1.0 that break out of a string or a number."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.places import LONGEST, phrase
from overproof.redteam.mutate.words import WORDS

Token = tuple[str, str]  # its kind, and how it is written
SYNTAX = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<string>'[^']*'|"[^"]*")|(?P<open>['"].*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][\w.-]*)|(?P<sign>::|//|\.\.|[!<>]=|.)""",
    re.DOTALL | re.VERBOSE,
)
OPERATORS = {"and", "or", "=", "!=", "<", ">", "<=", ">=", "+", "-", "("}


def _tokens(text: str) -> list[Token]:
    """Split a fragment; one that breaks out of a string begins with that string's rest."""
    if len(text) > LONGEST or not re.search(r"['\"\d)\]]\s*(?:and|or|\||\])|[=(]", text):
        return []
    tokens: list[Token] = []
    place = 0
    first = re.search(r"['\"]", text)
    if first and (
        text.count(first[0]) % 2 or re.match(r"\s*(?:\]|\)|and\b|or\b|\|)", text[first.end() : first.end() + 40])
    ):
        place = first.end()
        tokens.append(("open", text[:place]))
    for found in SYNTAX.finditer(text, place):
        tokens.append((found.lastgroup or "sign", found[0]))
    return tokens


def _written(tokens: list[Token]) -> str:
    return "".join(written for _, written in tokens)


def _operator(tokens: list[Token], place: int) -> bool:
    """Say whether a name is an operator: between two operands."""
    before = [token for token in tokens[:place] if token[0] != "space"]
    return bool(before) and before[-1][1] not in OPERATORS | {",", "[", "/", "//", "::", "@"}


def _space(text: str, random: Random) -> str | None:
    tokens = _tokens(text)
    # Not behind the rest of an open string, and not within a name that a sign belongs to (`a:b`).
    end = len(tokens) - 1 if len(tokens) > 1 and tokens[-1][0] == "open" else len(tokens)
    named = [place < len(tokens) and ":" in (tokens[place][1], tokens[place - 1][1]) for place in range(end + 1)]
    places = [place for place in range(1, end + 1) if not named[place]]
    if not places:
        return None
    place = random.choice(places)
    made = "".join(random.choice(" \t\n") for _ in range(random.randint(1, 3)))
    return _written([*tokens[:place], ("space", made), *tokens[place:]])


def _true(random: Random) -> str:
    """Make a condition of words that always holds."""
    words, one = phrase(random), random.choice(WORDS)
    quote = random.choice("'\"")
    return random.choice(
        [
            f"{quote}{words}{quote}={quote}{words}{quote}",
            f"contains({quote}{words} {one}{quote},{quote}{one}{quote})",
            f"starts-with({quote}{one} {words}{quote}, {quote}{one}{quote})",
            f"string-length({quote}{words}{quote}) = {len(words)}",
        ]
    )


def _condition(kind: str) -> Mutator:
    """Add a condition of words behind an `and` or `or`, which binds as what stands there does."""

    def edit(text: str, random: Random) -> str | None:
        tokens = _tokens(text)
        places = [place for place, token in enumerate(tokens) if _fits(tokens, place, token, kind)]
        if not places:
            return None
        place = random.choice(places)
        made = f" {_true(random)} and " if kind == "true" else f" not({_true(random)}) or "
        return _written([*tokens[: place + 1], ("", made), *tokens[place + 1 :]])

    return edit


def _fits(tokens: list[Token], place: int, token: Token, kind: str) -> bool:
    names = ("and", "or") if kind == "true" else ("or",)
    return token[0] == "name" and token[1] in names and _operator(tokens, place)


def _number(text: str, random: Random) -> str | None:
    """Write a number as another number and the length of words."""
    tokens = _tokens(text)
    places = [place for place, (kind, written) in enumerate(tokens) if kind == "number" and written.isdigit()]
    if not places:
        return None
    place = random.choice(places)
    written = tokens[place][1][:9]
    if written != tokens[place][1]:
        return None
    words = phrase(random)
    rest = int(written) - len(words)
    quote = random.choice("'\"")
    length = f"string-length({quote}{words}{quote})"
    spaced = f"({length} {'+-'[rest < 0]} {abs(rest)})"
    made = random.choice([f"({length}{rest:+d})", spaced, f"0{written}", f"{written}.0"])
    return _written([*tokens[:place], ("", made), *tokens[place + 1 :]])


def _string(text: str, random: Random) -> str | None:
    """Write a string as what comes before or after words."""
    tokens = _tokens(text)
    places = [place for place, (kind, _) in enumerate(tokens) if kind == "string"]
    if not places:
        return None
    place = random.choice(places)
    quote, inside, words = tokens[place][1][0], tokens[place][1][1:-1], phrase(random)
    if (inside + words).index(words) != len(inside):
        return None
    made = random.choice(
        [
            f"substring-before({quote}{inside}{words}{quote},{quote}{words}{quote})",
            f"substring-after({quote}{words}{inside}{quote}, {quote}{words}{quote})",
            f"concat({quote}{quote},{quote}{inside}{quote})",
        ]
    )
    return _written([*tokens[:place], ("", made), *tokens[place + 1 :]])


def _quotes(text: str, random: Random) -> str | None:
    tokens = _tokens(text)
    places = [
        place
        for place, (kind, written) in enumerate(tokens)
        if kind == "string" and {"'": '"', '"': "'"}[written[0]] not in written
    ]
    if not places:
        return None
    place = random.choice(places)
    other = {"'": '"', '"': "'"}[tokens[place][1][0]]
    return _written([*tokens[:place], ("", f"{other}{tokens[place][1][1:-1]}{other}"), *tokens[place + 1 :]])


def _steps(text: str, random: Random) -> str | None:
    """Spell an axis out."""
    tokens = _tokens(text)
    places = [place for place in range(len(tokens)) if _spelled(tokens, place)]
    if not places:
        return None
    place = random.choice(places)
    return _written([*tokens[:place], ("", _spelled(tokens, place) or ""), *tokens[place + 1 :]])


def _spelled(tokens: list[Token], place: int) -> str | None:
    written, later = tokens[place][1], tokens[place + 1][1] if place + 1 < len(tokens) else ""
    if written == "//":
        return "/descendant-or-self::node()/"
    if written == "@":
        return "attribute::"
    if written == ".." and (later[:1] in "/=]) "):
        return "parent::node()"
    if written == "/" and later and (later == "*" or tokens[place + 1][0] == "name"):
        after = next((token[1] for token in tokens[place + 2 :] if token[0] != "space"), "")
        return None if after in ("::", ":") else "/child::"
    return None


MUTATORS: Mutators = {
    "white space": _space,
    "condition of words that holds": _condition("true"),
    "condition of words that does not hold": _condition("false"),
    "number by the length of words": _number,
    "string out of words": _string,
    "other quotes": _quotes,
    "axis spelled out": _steps,
}
