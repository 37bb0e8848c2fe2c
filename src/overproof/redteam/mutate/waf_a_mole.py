"""Edit SQL as WAF-A-MoLE does, to compare with: its eight mutation operators, written anew from the paper.

Demetrio, Valenza, Costa, Lagorio: "WAF-A-MoLE: Evading Web Application Firewalls through Adversarial Machine
Learning", SAC 2020, with the table of operators. Like ours they leave strings alone, so that the sets differ in what
they edit and not in how many of their edits are void.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from random import Random

from overproof.redteam.base import Mutator
from overproof.redteam.mutate.sql_lexer import KEYWORDS, Fragment, read
from overproof.redteam.mutate.sql_logic import comparisons, exchangeable
from overproof.redteam.mutate.sql_padding import mysql
from overproof.redteam.mutate.sql_terms import numbers

_INVARIANTS = ("0<1", "2<>3", "1=1", "'a'='a'", "true")
_EQUALS = {"!=": "<>", "<>": "!="}
_MYSQL_EQUALS = {"or": "||", "and": "&&", "&&": "and"}


def _letters(random: Random) -> str:
    return "".join(random.choices(string.ascii_letters, k=random.randint(1, 5)))


def _spaces(fragment: Fragment) -> list[int]:
    return [at for at, t in enumerate(fragment.tokens) if t.kind == "space" and 0 < at < len(fragment.tokens) - 1]


def _case_swapping(text: str, random: Random) -> str | None:
    """Draw the case of every letter of the keywords: `oR`."""
    tokens = read(text).tokens
    if not any(token.low in KEYWORDS for token in tokens):
        return None
    swapped = (
        "".join(random.choice((c.upper(), c.lower())) for c in t.text) if t.low in KEYWORDS else t.text for t in tokens
    )
    return "".join(swapped)


def _whitespace_substitution(text: str, random: Random) -> str | None:
    """Put other white space in the place of a space."""
    fragment = read(text)
    places = _spaces(fragment)
    return fragment.spelled(random.choice(places), random.choice(("\t", "\n", "\r\n", "\t\r\n"))) if places else None


def _comment_injection(text: str, random: Random) -> str | None:
    """Put an empty comment in the place of a space."""
    fragment = read(text)
    places = _spaces(fragment)
    return fragment.spelled(random.choice(places), "/**/") if places else None


def _comment_rewriting(text: str, random: Random) -> str | None:
    """Write random letters into a comment or behind the last."""
    fragment = read(text)
    places = [at for at, token in enumerate(fragment.tokens) if token.kind in ("comment", "tail")]
    if not places:
        return None
    at = random.choice(places)
    token = fragment.tokens[at]
    inline = token.kind == "comment" and token.text.startswith("/*")
    return fragment.spelled(at, f"/*{_letters(random)}*/" if inline else _with_letters(token.text, random))


def _with_letters(comment: str, random: Random) -> str:
    """Extend a comment to the line's end; MySQL wants a space behind `--`."""
    line = comment.removesuffix("\n")
    return f"{line}{' ' if line == '--' else ''}{_letters(random)}{comment[len(line) :]}"


def _integer_encoding(text: str, random: Random) -> str | None:
    """Write a number in hexadecimal, or as a query: `0x1`, `(select 1)`."""
    fragment = read(text)
    ranks = numbers(fragment)
    if not ranks:
        return None
    rank = random.choice(ranks)
    return fragment.replaced(
        rank, rank, random.choice((hex(int(fragment.low(rank))), f"(select {fragment.low(rank)})"))
    )


def _operator_swapping(text: str, random: Random) -> str | None:
    """Write an operator as an equal one: `like` for `=`, `||` for `or`."""
    fragment = read(text)
    equals = _EQUALS | (_MYSQL_EQUALS if mysql(text) and "||" not in text else {})
    edits = [
        (rank, equals[fragment.low(rank)])
        for rank in range(len(fragment.solid))
        if exchangeable(fragment, rank, equals)
    ]
    swaps = {"=": " like ", "like": "="}
    edits += [
        (one.rank + 1, swaps[one.sign])
        for one in comparisons(fragment)
        if one.sign in swaps and one.right.kind != "open"
    ]
    if not edits:
        return None
    rank, sign = random.choice(edits)
    return fragment.replaced(rank, rank, f" {sign} " if sign == "and" else sign)


def _logical_invariant(text: str, random: Random) -> str | None:
    """Demand besides what always holds: `1=1 and 0<1`."""
    fragment = read(text)
    found = [one for one in comparisons(fragment) if one.right.kind != "open"]
    if not found:
        return None
    rank = random.choice(found).rank + 2
    return fragment.replaced(
        rank, rank, f"{fragment.tokens[fragment.solid[rank]].text} and {random.choice(_INVARIANTS)}"
    )


def _number_shuffling(text: str, random: Random) -> str | None:
    """Compare another number with itself: `2=2`."""
    fragment = read(text)
    found = [one for one in comparisons(fragment) if one.equal and one.left.kind == "number"]
    if not found:
        return None
    one, number = random.choice(found), random.randint(1, 9999)
    return fragment.replaced(one.rank, one.rank + 2, f"{number} {one.sign} {number}")


WAF_A_MOLE: Mapping[str, Mutator] = {
    "case swapping": _case_swapping,
    "whitespace substitution": _whitespace_substitution,
    "comment injection": _comment_injection,
    "comment rewriting": _comment_rewriting,
    "integer encoding": _integer_encoding,
    "operator swapping": _operator_swapping,
    "logical invariant": _logical_invariant,
    "number shuffling": _number_shuffling,
}
