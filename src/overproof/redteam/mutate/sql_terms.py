"""Edit values and names: numbers in equal spellings, parentheses, aliases and defaults spelled out."""

from __future__ import annotations

from random import Random

from overproof.redteam.mutate.sql_lexer import EXPRESSIONS, KEYWORDS, TYPES, Fragment, read
from overproof.redteam.mutate.sql_logic import known
from overproof.redteam.mutate.words import WORDS

_SIGNS = frozenset("( , = < > + <> != <= >= || - * /".split())
_BEFORE = _SIGNS | {"and", "or", "where", "when", "then", "else", "select", "not", "having", "like", "case"}
_AFTER = (_SIGNS - {"("}) | {
    *("", ")", ";", "::", "and", "or", "union", "order", "group", "limit", "having", "when", "then", "else", "end"),
    *("from", "where", "like", "is", "in", "between", "as"),
}


def _expressions(fragment: Fragment) -> list[tuple[int, int]]:
    """Find literals and calls that stand as a value of their own: their first and last solid token."""
    found = []
    for rank in range(1, len(fragment.solid)):
        last = _expression_end(fragment, rank)
        if last is not None and fragment.low(rank - 1) in _BEFORE and fragment.low(last + 1) in _AFTER:
            found.append((rank, last))
    return found


def _expression_end(fragment: Fragment, rank: int) -> int | None:
    """Find where the literal or the call that begins here ends; None where neither begins."""
    token = fragment.at(rank)
    if token is None or token.clause not in EXPRESSIONS:
        return None
    if token.kind in ("number", "string") or token.low == "null":
        return None if token.low == "null" and fragment.low(rank - 1) in ("is", "not") else rank
    if token.kind != "word" or token.low in KEYWORDS | TYPES | {"row"} or fragment.low(rank + 1) != "(":
        return None
    closing = (at for at in range(rank + 2, len(fragment.solid)) if fragment.low(at) == ")")
    return next((at for at in closing if fragment.tokens[fragment.solid[at]].depth == token.depth), None)


def parentheses_more(text: str, random: Random) -> str | None:
    """Put a value in parentheses: `sleep((5))`."""
    fragment = read(text)
    found = _expressions(fragment)
    if not found:
        return None
    first, last = random.choice(found)
    inside = "".join(token.text for token in fragment.tokens[fragment.solid[first] : fragment.solid[last] + 1])
    return fragment.replaced(first, last, f"({inside})")


def numbers(fragment: Fragment) -> list[int]:
    """Find whole numbers whose spelling is free: neither a position to order by, nor a length, nor a seed."""
    ranks = [first for first, last in _expressions(fragment) if first == last]
    tokens = [(rank, fragment.tokens[fragment.solid[rank]]) for rank in ranks]
    return [rank for rank, token in tokens if _plain(token.text) and token.kind == "number" and token.owner != "rand"]


def _plain(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) < 9 and (digits == "0" or digits[0] != "0")


def number_spelled_otherwise(text: str, random: Random) -> str | None:
    """Write a number as a sum, or as the first of two that is not null."""
    fragment = read(text)
    ranks = numbers(fragment)
    if not ranks:
        return None
    rank = random.choice(ranks)
    number, other = int(fragment.low(rank)), random.randint(1, 999)
    forms = [f"({number})", f"({number}+0)", f"({number + other}-{other})", f"coalesce({number},{other})"]
    forms += [f"({number - number // 2}+{number // 2})", f"nullif({number},{number + other})"]
    return fragment.replaced(rank, rank, random.choice(forms))


def number_behind_a_dead_branch(text: str, random: Random) -> str | None:
    """Choose a number by what always holds: `case when 'garden'='garden' then 5 else 12 end`."""
    fragment = read(text)
    ranks = numbers(fragment)
    if not ranks:
        return None
    rank = random.choice(ranks)
    number, other, truth = fragment.low(rank), random.randint(0, 9999), random.random() < 0.5
    yes, no = (number, other) if truth else (other, number)
    condition = known(random, fragment.quote(), truth)
    return fragment.replaced(rank, rank, f"(case when {condition} then {yes} else {no} end)")


def column_alias(text: str, random: Random) -> str | None:
    """Name a column that a query makes of a literal: `select 1 as garden`."""
    fragment = read(text)
    ranks = [rank for rank in range(1, len(fragment.solid)) if _unnamed(fragment, rank)]
    word = _fresh(text, random)
    if not ranks or word is None:
        return None
    rank = random.choice(ranks)
    return fragment.replaced(rank, rank, f"{fragment.tokens[fragment.solid[rank]].text} as {word}")


def _unnamed(fragment: Fragment, rank: int) -> bool:
    token = fragment.at(rank)
    if token is None or token.clause != "select" or not (token.kind in ("number", "string") or token.low == "null"):
        return False
    ends = ("", ",", ")", ";", "from", "where", "union")
    return fragment.low(rank - 1) in ("select", "all", "distinct", ",") and fragment.low(rank + 1) in ends


def _fresh(text: str, random: Random) -> str | None:
    """Draw a word that the text does not hold yet."""
    word = random.choice(WORDS) + random.choice(("", "", "_" + random.choice(WORDS)))
    return None if word in text.lower() else word


def another_alias(text: str, random: Random) -> str | None:
    """Rename what nothing else refers to: `(select 1)garden`."""
    fragment = read(text)
    low = [fragment.low(rank) for rank in range(len(fragment.solid))]
    ranks = [rank for rank in range(1, len(low)) if low.count(low[rank]) == 1 and _alias(fragment, rank)]
    word = _fresh(text, random)
    if not ranks or word is None:
        return None
    rank = random.choice(ranks)
    return fragment.replaced(rank, rank, word)


def _alias(fragment: Fragment, rank: int) -> bool:
    token, before = fragment.at(rank), fragment.low(rank - 1)
    if token is None or token.kind != "word" or token.low in KEYWORDS | TYPES or not token.text.isidentifier():
        return False
    if token.clause not in ("from", "", "select") or fragment.low(rank - 2) in ("table", "function", "procedure"):
        return False
    after = fragment.low(rank + 1)
    ends = ("", ")", ",", ";", "where", "and", "union", "order", "group", "limit")
    return before in (")", "as") and (after in ends or (after == "from" and token.clause == "select"))


def default_spelled_out(text: str, random: Random) -> str | None:
    """Say what holds anyway: `select all`, `order by 1 asc`."""
    fragment = read(text)
    edits = []
    for rank in range(len(fragment.solid)):
        word, after = fragment.low(rank), fragment.low(rank + 1)
        if (
            word == "select"
            and after not in ("", "all", "distinct", "distinctrow", "top", "into")
            and after[0] not in "@,);"
        ):
            edits.append((rank, " all"))
        token = fragment.at(rank)
        directed = token is not None and token.clause == "order" and token.kind == "number"
        if directed and fragment.low(rank - 1) in ("by", ",") and (after in (",", ";") or _cut_off(fragment, rank + 1)):
            edits.append((rank, " asc"))
    if not edits:
        return None
    rank, word = random.choice(edits)
    return fragment.replaced(rank, rank, fragment.tokens[fragment.solid[rank]].text + word)


def _cut_off(fragment: Fragment, rank: int) -> bool:
    return rank < len(fragment.solid) and fragment.tokens[fragment.solid[rank]].kind == "tail"


def hex_in_another_case(text: str, random: Random) -> str | None:
    """Write a hexadecimal number's digits in another case."""
    fragment = read(text)
    ranks = [rank for rank in range(len(fragment.solid)) if (t := fragment.at(rank)) is not None and t.kind == "hex"]
    if not ranks:
        return None
    rank = random.choice(ranks)
    digits = "".join(random.choice((digit.upper(), digit.lower())) for digit in fragment.low(rank)[2:])
    return fragment.replaced(rank, rank, f"0x{digits}")
