"""Edit what no database reads: white space, comments, tails and the case of words."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.mutate.sql_lexer import AFTER_VALUE, KEYWORDS, Fragment, Token, read
from overproof.redteam.mutate.words import WORDS

_SPACES = ("\t", "\n", "  ", "\r\n", " \t", "\n\n", "   ", " \n ", " " * 8, "\t" * 4, "\n" * 6)
_ORDINARY = frozenset("(),;=<>+") | {"<>", "!=", "<=", ">=", "||"}
_SIGNS = ("/", "*", "-")
_MYSQL = re.compile(
    r"(?<![\w.])(?:sleep|benchmark|elt|updatexml|make_set|load_file)\s*\(|\brlike\b|procedure\s+analyse|#\s*$",
    re.IGNORECASE,
)
"""What only MySQL and its kin understand, so that an edit may use what they understand too."""


def mysql(text: str) -> bool:
    """Say whether a text works in MySQL and its kin only."""
    return _MYSQL.search(text) is not None


def phrase(random: Random, most: int = 32) -> str:
    """Draw some ordinary words; few as a rule, since what is padded should stay readable."""
    return " ".join(random.choices(WORDS, k=min(most, random.choice((1, 2, 4, 8, 16, 32)))))


def comment(random: Random) -> str:
    """Draw a comment: empty, or with ordinary words."""
    return "/**/" if random.random() < 0.2 else f"/*{phrase(random)}*/"


def _spaces(fragment: Fragment) -> list[int]:
    """Find white space between tokens; never at the ends, where it belongs to the statement around."""
    return [at for at, token in enumerate(fragment.tokens) if token.kind == "space" and at < len(fragment.tokens) - 1]


def _may_part(left: Token | None, right: Token) -> bool:
    """Say whether white space may stand between two neighbours, of which the left is None at the start."""
    if right.kind in ("space", "comment", "other", "executed") or right.text in (".", ":", ":=", "::"):
        return False
    if left is None:
        return right.kind in ("word", "symbol", "number", "string")
    if left.kind in ("space", "comment", "tail", "open", "other", "executed"):
        return False
    if right.kind in ("string", "open") and left.kind != "symbol":
        return left.low in KEYWORDS  # what lies before a quote may be a string itself
    if right.text == "(":
        return left.kind == "symbol" or left.low in KEYWORDS  # a MySQL function's name touches its parenthesis
    symbols = left.kind == right.kind == "symbol"
    return not symbols or (
        left.text in _ORDINARY and right.text in _ORDINARY and (left.text in "()," or right.text in "(),")
    )


def _gaps(fragment: Fragment) -> list[int]:
    """Find the places between touching tokens where white space means nothing."""
    lefts: tuple[Token | None, ...] = (None, *fragment.tokens)
    if len(fragment.solid) < 2:
        return []
    return [at for at, token in enumerate(fragment.tokens) if _may_part(lefts[at], token)]


def space_in_another_form(text: str, random: Random) -> str | None:
    """Make a space a tab, a new line or several."""
    fragment = read(text)
    places = _spaces(fragment)
    return fragment.spelled(random.choice(places), random.choice(_SPACES)) if places else None


def comment_for_a_space(text: str, random: Random) -> str | None:
    """Put a comment in the place of a space: `or/*garden*/1=1`."""
    fragment = read(text)
    places = [at for at in _spaces(fragment) if not _touches_slash(fragment, at)]
    return fragment.spelled(random.choice(places), comment(random)) if places else None


def _touches_slash(fragment: Fragment, at: int) -> bool:
    left, right = fragment.tokens[max(at - 1, 0)], fragment.tokens[at + 1]
    return left.text in _SIGNS or right.text in _SIGNS or (left.kind == "symbol" and left.text not in "(),;")


def comment_between_tokens(text: str, random: Random) -> str | None:
    """Insert a comment where two tokens touch: `1'/*summer*/or`."""
    fragment = read(text)
    places = _gaps(fragment)
    if not places:
        return None
    at = random.choice(places)
    apart = (
        " " if at and fragment.tokens[at - 1].kind == "symbol" and fragment.tokens[at - 1].text not in "(),;" else ""
    )
    return fragment.spelled(at, apart + comment(random) + fragment.tokens[at].text)


def comment_beside_a_space(text: str, random: Random) -> str | None:
    """Insert a comment and a space behind a space: `or /*summer report*/ 1=1`."""
    fragment = read(text)
    places = _spaces(fragment)
    if not places:
        return None
    at = random.choice(places)
    return fragment.spelled(at, f"{fragment.tokens[at].text}{comment(random)} ")


def space_between_tokens(text: str, random: Random) -> str | None:
    """Insert white space where two tokens touch: `1 = 1`."""
    fragment = read(text)
    places = _gaps(fragment)
    if not places:
        return None
    at = random.choice(places)
    return fragment.spelled(at, random.choice((" ", " ", *_SPACES)) + fragment.tokens[at].text)


def space_left_out(text: str, random: Random) -> str | None:
    """Leave out white space that parts nothing: `or(1)`, `1'or`."""
    fragment = read(text)
    tokens = fragment.tokens
    places = [at for at in _spaces(fragment) if at > 0 and _may_join(tokens[at - 1], tokens[at + 1])]
    return fragment.spelled(random.choice(places), "") if places else None


def _may_join(left: Token, right: Token) -> bool:
    """Say whether two tokens that touch stay two tokens."""
    if left.text in (")", "(", ",", ";") and right.kind in ("word", "string", "number", "open", "symbol"):
        return True
    if right.text in (")", ",", ";", "("):
        return (
            left.kind in ("number", "string", "held")
            or left.low in KEYWORDS
            or (left.kind, right.text) == ("word", ")")
        )
    if left.kind == "held":
        return right.low in AFTER_VALUE
    if left.kind == "string":
        return right.kind == "word"
    if left.kind == "symbol":
        return right.kind in ("word", "number", "string")
    return right.kind == "symbol" and left.kind in ("word", "number")


def words_in_a_comment(text: str, random: Random) -> str | None:
    """Write other words into a comment."""
    fragment = read(text)
    places = [at for at, t in enumerate(fragment.tokens) if t.kind == "comment" and t.text.startswith("/*")]
    return fragment.spelled(random.choice(places), f"/*{phrase(random)}*/") if places else None


def words_behind_the_tail(text: str, random: Random) -> str | None:
    """Write words behind the comment that cuts the statement off: `-- garden`."""
    fragment = read(text)
    if not fragment.tokens or fragment.tokens[-1].kind != "tail":
        return None
    last = fragment.tokens[-1].text
    return fragment.spelled(len(fragment.tokens) - 1, f"{last.rstrip(' ')} {phrase(random)}")


def another_tail(text: str, random: Random) -> str | None:
    """Cut the statement off by another comment: `#` and `-- ` are one to MySQL."""
    fragment = read(text)
    last = fragment.tokens[-1] if fragment.tokens else None
    if last is None or last.kind != "tail":
        return None
    if last.text.startswith("#") and mysql(text):
        return fragment.spelled(len(fragment.tokens) - 1, f"-- {last.text[1:]}")
    if last.text.rstrip() != "--":
        return None
    return fragment.spelled(len(fragment.tokens) - 1, random.choice(("-- -", "-- ", "--\t", "-- 1", "-- /*")))


def another_case(text: str, random: Random) -> str | None:
    """Write a keyword, or the name of a function, in another case."""
    fragment = read(text)
    places = [rank for rank in range(len(fragment.solid)) if _caseless(fragment, rank)]
    if not places:
        return None
    rank = random.choice(places)
    word = fragment.tokens[fragment.solid[rank]].text
    mixed = "".join(random.choice((letter.upper(), letter.lower())) for letter in word)
    return fragment.replaced(rank, rank, random.choice((word.upper(), word.lower(), word.capitalize(), mixed)))


def _caseless(fragment: Fragment, rank: int) -> bool:
    token = fragment.at(rank)
    if token is None or token.kind != "word" or not token.text.isascii():
        return False
    called = fragment.low(rank + 1) == "(" and token.clause != "names" and "." not in token.text
    return token.low in KEYWORDS or (called and fragment.low(rank - 1) not in ("into", "from", "join", "as", "table"))
