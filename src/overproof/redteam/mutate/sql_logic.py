"""Edit conditions: insert those whose truth is known, and say comparisons of literals in other words."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from overproof.redteam.mutate.sql_lexer import EXPRESSIONS, Fragment, Token, read
from overproof.redteam.mutate.sql_padding import mysql, phrase
from overproof.redteam.mutate.words import WORDS

_BEFORE = frozenset({"(", ",", "and", "or", "where", "when", "having", "if", "then", "else", "not"})
_AFTER = frozenset(
    {"", ")", ",", ";", "and", "or", "union", "order", "group", "limit", "having", "then", "else", "from"}
)
_LITERALS = ("number", "string")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two literals compared: where the first stands among the solid tokens, and whether they are equal."""

    rank: int
    left: Token
    sign: str
    right: Token
    equal: bool

    def truth(self) -> bool:
        """Say whether it holds."""
        return self.equal is (self.sign in ("=", "like"))


def _equal(left: Token, right: Token) -> bool | None:
    """Say whether two literals are equal; None where databases may differ."""
    if left.kind == right.kind == "number":
        return int(left.text) == int(right.text) if left.text.isdigit() and right.text.isdigit() else None
    if left.kind != "string" or right.kind not in ("string", "open"):
        return None
    ours, theirs = left.text[1:-1], right.text[1:-1] if right.kind == "string" else right.text[1:]
    if not (ours.isalnum() and theirs.isalnum()) or left.text[0] != right.text[0]:
        return None
    return True if ours == theirs else (False if ours.lower() != theirs.lower() else None)


def comparisons(fragment: Fragment) -> list[Comparison]:
    """Find the comparisons of two literals that stand alone as a condition."""
    found = []
    for rank in range(1, len(fragment.solid) - 2):
        left, sign, right = fragment.at(rank), fragment.low(rank + 1), fragment.at(rank + 2)
        if left is None or right is None or left.kind not in _LITERALS or sign not in ("=", "<>", "!=", "like"):
            continue
        if sign == "like" and left.kind == "number":
            continue
        equal = _equal(left, right)
        if equal is not None and left.clause in EXPRESSIONS and _alone(fragment, rank):
            found.append(Comparison(rank, left, sign, right, equal))
    return found


def _alone(fragment: Fragment, rank: int) -> bool:
    """Say whether nothing binds a comparison's sides to their neighbours."""
    before = fragment.low(rank - 1)
    if before == "and" and not _logical(fragment, rank - 1):
        return False
    if before == "when" and fragment.low(rank - 2) != "case" and not _searched(fragment, rank - 1):
        return False
    return before in _BEFORE and fragment.low(rank + 3) in _AFTER


def _searched(fragment: Fragment, rank: int) -> bool:
    """Say whether a `when` is a condition: its `case` is followed by another `when` and not by a value."""
    depth = fragment.tokens[fragment.solid[rank]].depth
    for back in range(rank - 1, 0, -1):
        if fragment.low(back) == "case" and fragment.tokens[fragment.solid[back]].depth == depth:
            return fragment.low(back + 1) == "when"
    return False


def _logical(fragment: Fragment, rank: int) -> bool:
    """Say whether an `and` joins conditions; it does not in `between 2 and 3`."""
    depth = fragment.tokens[fragment.solid[rank]].depth
    for back in range(rank - 1, -1, -1):
        token = fragment.at(back)
        if token is None or token.depth < depth:
            return True
        if token.depth == depth and token.low in ("and", "or", "where", "having", "when", ","):
            return True
        if token.depth == depth and token.low == "between":
            return False
    return True


def _words(random: Random, quote: str) -> str:
    """Draw what a string may hold; between double quotes, where a word alone may be a column, more than one."""
    return phrase(random, 4) if quote == "'" else f"{phrase(random, 3)} {random.choice(WORDS)}"


def known(random: Random, quote: str, truth: bool) -> str:
    """Draw a condition of known truth, of ordinary words where the text has quotes, of numbers where not."""
    if quote:
        a, b, c = (f"{quote}{_words(random, quote)}{quote}" for _ in range(3))
        b, c = (b if b != a else f"{quote}{quote}"), (c if c != a else f"{quote}{quote}")
    else:
        low = random.randint(1, 9000)
        a, b, c = str(low), str(low + random.randint(1, 99)), str(low + random.randint(100, 999))
    true = [f"{a}={a}", f"{a}<>{b}", f"{a} in ({c},{a})", f"{a} not in ({b},{c})", f"{a} is not null", f"not {a}={b}"]
    false = [f"{a}={b}", f"{a}<>{a}", f"{a} in ({b},{c})", f"{a} is null", f"not {a}={a}", f"{a} not in ({a},{b})"]
    true.append(f"{a} like {a}" if quote else f"{b} between {a} and {c}")
    false.append(f"{a} not like {a}" if quote else f"{a} between {b} and {c}")
    return random.choice(true if truth else false)


def true_condition_more(text: str, random: Random) -> str | None:
    """Demand what always holds besides: `and 'garden'='garden' and 1=1`."""
    fragment = read(text)
    ranks = [rank for rank in range(len(fragment.solid)) if _begins_condition(fragment, rank)]
    if not ranks:
        return None
    rank = random.choice(ranks)
    word = fragment.tokens[fragment.solid[rank]].text
    return fragment.replaced(rank, rank, f"{word} {known(random, fragment.quote(), True)} and")


def _begins_condition(fragment: Fragment, rank: int) -> bool:
    word = fragment.low(rank)
    if word == "when":
        return _searched(fragment, rank)
    if word == "or":
        return fragment.low(rank - 1) != "create"
    return word in ("where", "having") or (word == "and" and _logical(fragment, rank))


def false_condition_more(text: str, random: Random) -> str | None:
    """Allow what never holds as well: `or 'garden'='winter' or 1=1`."""
    fragment = read(text)
    ranks = [r for r in range(len(fragment.solid)) if fragment.low(r) == "or" and fragment.low(r - 1) != "create"]
    if not ranks:
        return None
    rank = random.choice(ranks)
    word = fragment.tokens[fragment.solid[rank]].text
    return fragment.replaced(rank, rank, f"{word} {known(random, fragment.quote(), False)} or")


def comparison_of_equal_truth(text: str, random: Random) -> str | None:
    """Replace a comparison of literals by another that holds as little or as much."""
    fragment = read(text)
    found = [one for one in comparisons(fragment) if one.right.kind != "open"]
    if not found:
        return None
    one = random.choice(found)
    other = known(random, fragment.quote(), one.truth())
    return fragment.replaced(one.rank, one.rank + 2, f"({other})" if fragment.low(one.rank - 1) == "not" else other)


def other_literals_compared(text: str, random: Random) -> str | None:
    """Compare another literal with itself: `'garden'='garden`, which the statement around may close."""
    fragment = read(text)
    found = [one for one in comparisons(fragment) if one.equal]
    if not found:
        return None
    one = random.choice(found)
    quote = one.left.text[0] if one.left.kind == "string" else ""
    word = _words(random, quote) if quote else str(random.randint(1, 9999))
    close = quote if one.right.kind == "string" else ""
    sign = f" {one.sign} " if one.sign == "like" else one.sign
    return fragment.replaced(one.rank, one.rank + 2, f"{quote}{word}{quote}{sign}{quote}{word}{close}")


def comparison_in_other_words(text: str, random: Random) -> str | None:
    """Say a comparison of literals by another operator: `1 in (1)`, `'a' like 'a'`, `3 between 3 and 3`."""
    fragment = read(text)
    found = [one for one in comparisons(fragment) if one.right.kind != "open"]
    if not found:
        return None
    one = random.choice(found)
    left, right, no = one.left.text, one.right.text, "" if one.sign in ("=", "like") else "not "
    forms = [f"{left} {no}in ({right})", f"{left} {no}between {right} and {right}", f"{right} {one.sign} {left}"]
    if one.left.kind == "string":
        forms += [f"{left} {no}like {right}", f"{left}{'<>' if no else '='}{right}"]
    form = random.choice(forms)
    return fragment.replaced(one.rank, one.rank + 2, f"({form})" if fragment.low(one.rank - 1) == "not" else form)


def equal_operator(text: str, random: Random) -> str | None:
    """Write an operator as its equal: `<>` and `!=`, and what only MySQL takes for `and` and `or`."""
    fragment = read(text)
    equals = {"<>": "!=", "!=": "<>"}
    if mysql(text) and "||" not in text:
        equals |= {"and": "&&", "&&": "and", "or": "||"}
    ranks = [rank for rank in range(len(fragment.solid)) if exchangeable(fragment, rank, equals)]
    if not ranks:
        return None
    rank = random.choice(ranks)
    sign = equals[fragment.low(rank)]
    return fragment.replaced(rank, rank, f" {sign} " if sign == "and" else sign)


def exchangeable(fragment: Fragment, rank: int, equals: dict[str, str]) -> bool:
    """Say whether an operator may be written as its equal: an `and` of `between`, and `or replace`, may not."""
    word = fragment.low(rank)
    if word == "or":
        return word in equals and fragment.low(rank - 1) != "create"
    return word in equals and (word != "and" or _logical(fragment, rank))
