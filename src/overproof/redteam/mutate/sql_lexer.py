"""Read a fragment of SQL that starts, and may end, in the middle of a statement: what may be edited, and what not.

A fragment is the value of one parameter: `1' or 1=1--` starts inside a string of the statement that it is put into,
and `1) and ('a'='a` ends inside one. What lies in a string is never touched by an edit, nor is a quote moved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+)
    |(?P<executed>/\*[!+].*?\*/)
    |(?P<comment>/\*.*?\*/|(?:--|\#)[^\n]*\n)
    |(?P<tail>/\*.*|(?:--|\#).*)
    |(?P<prefixed>[nxbeqNXBEQ]'(?:[^']|'')*+'?)
    |(?P<string>'(?:[^']|'')*+'|"(?:[^"]|"")*+")
    |(?P<open>['"].*)
    |(?P<quoted>`[^`]*`|\[[^\[\]]*\])
    |(?P<hex>0[xX][0-9a-fA-F]+(?!\w))
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<word>[^\W\d][\w$.]*|@[\w@$.]+)
    |(?P<symbol><=>|<>|!=|<=|>=|:=|::|\|\||&&|<<|>>|[(),;=<>+])
    |(?P<other>\d[\w.]*|.)""",
    re.VERBOSE | re.DOTALL,
)
AFTER_VALUE = frozenset("and or union like in is as where order group having limit".split())
"""The words that may follow the quote that closes a value without a space."""

_HELD = re.compile(
    rf"""[\w %.@-]*(['"])(?=$|[\s=<>!|&+*/,;()#^%-]|(?:{"|".join(sorted(AFTER_VALUE))})\b)""", re.IGNORECASE
)
"""A value that closes the string it stands in: what lies before its first quote is no SQL."""

# A backslash may or may not escape a quote, a percent escape may or may not be decoded: too little is known of those.
_UNKNOWN = re.compile(r"""\\['"]|%[0-9a-fA-F]{2}|\$\$|\\x[0-9a-fA-F]{2}|&\w+;""")

KEYWORDS = frozenset(
    """all and any as asc begin between by call case cast collate cross declare default delete desc distinct drop else
    end escape except exec execute exists fetch from full group having in inner insert intersect into is join like
    limit natural not null offset on or order outer procedure regexp rlike select set some table then top union update
    using values waitfor delay when where while with xor""".split()
)
TYPES = frozenset(
    """bigint bit char character date decimal double float int integer nchar numeric nvarchar nvarchar2 real
    signed text unsigned varbinary varchar varchar2""".split()
)
_CLAUSES = frozenset(
    """select from where having on order group limit offset set values into when then else top declare exec execute
    call waitfor procedure create drop alter insert update delete table fetch""".split()
)
_TURNING = _CLAUSES | {";", "union", "intersect", "except", "join", "and", "or"}
_NAMING = frozenset({"into", "table", "create", "alter", "drop", "insert"})
EXPRESSIONS = frozenset({"where", "having", "select", "when", "then", "else", "case", "args", "cast"})


class Token(NamedTuple):
    """One token, and where it stands.

    Attributes
    ----------
    kind
        The name of its group in the pattern; `held` for what lies in the string that the fragment starts in.
    low
        Its text without regard to case.
    depth
        How many parentheses of the fragment it lies in; below zero where it closes those of the statement.
    clause
        The clause it belongs to: `where`, `select`, `from`, `args` (of a function) ...; empty where unknown.
    owner
        The function whose arguments it belongs to.
    """

    kind: str
    text: str
    low: str
    depth: int
    clause: str
    owner: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """The tokens of a text, in order, and the places of those that are neither space nor comment."""

    tokens: tuple[Token, ...]
    solid: tuple[int, ...]

    def at(self, place: int) -> Token | None:
        """Give the solid token of a rank; None beyond the ends and for a tail comment, where statements end."""
        token = self.tokens[self.solid[place]] if 0 <= place < len(self.solid) else None
        return None if token is None or token.kind == "tail" else token

    def low(self, place: int) -> str:
        """Give the solid token's text without regard to case; empty beyond the ends."""
        token = self.at(place)
        return "" if token is None else token.low

    def replaced(self, first: int, last: int, text: str) -> str:
        """Give the whole text with the solid tokens from one rank to another replaced."""
        before, after = self.solid[first], self.solid[last] + 1
        left = "".join([t.text for t in self.tokens[:before]])
        right = "".join([t.text for t in self.tokens[after:]])
        return f"{left}{_room(left, text)}{text}{_room(text, right)}{right}"

    def spelled(self, place: int, text: str) -> str:
        """Give the whole text with one token, space and comments counted, replaced."""
        return "".join(text if at == place else token.text for at, token in enumerate(self.tokens))

    def quote(self) -> str:
        """Give the quote that the text uses itself, and so may use again; empty where it does without."""
        return next((t.text[-1] if t.kind == "held" else t.text[0] for t in self.tokens if t.kind in _QUOTING), "")


def _room(left: str, right: str) -> str:
    """Give the space that keeps two words apart."""
    return " " if left and right and left[-1] in _WORDLY and right[0] in _WORDLY else ""


_WORDLY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@$")
_QUOTING = ("held", "string", "open")


@lru_cache(maxsize=4096)
def read(text: str) -> Fragment:
    """Read a fragment; one that cannot be read with certainty has no tokens, and so no place to edit."""
    if _UNKNOWN.search(text):
        return Fragment((), ())
    held = _HELD.match(text)
    if held is not None and {word.lower() for word in held[0][:-1].split()} & KEYWORDS:
        held = None
    start = held.end() if held else 0
    raw = [("held", held[0])] if held else []
    raw += [(str(found.lastgroup), found[0]) for found in _TOKEN.finditer(text, start)]
    if any(kind == "comment" and ("'" in text or '"' in text) for kind, text in raw):
        return Fragment((), ())  # made for several places at once: what is a comment in one is SQL in another
    tokens = tuple(_placed(raw))
    return Fragment(
        tokens, tuple(place for place, token in enumerate(tokens) if token.kind not in ("space", "comment"))
    )


def _placed(raw: list[tuple[str, str]]) -> list[Token]:
    """Say of every token how deep and in which clause it stands."""
    frames: list[tuple[str, str]] = [("", "")]
    depth, last, before, tokens = 0, "", "", []
    for kind, text in raw:
        low = text.lower()
        if low in (")", "end") and len(frames) > 1:
            frames.pop()
        depth -= low == ")"
        if low in _TURNING:
            frames[-1] = (_clause(low, frames[-1][0]), frames[-1][1])
        tokens.append(Token(kind, text, low, depth, *frames[-1]))
        if low == "(":
            frames.append(_inside(last, before, frames[-1]))
            depth += 1
        elif low == "case":
            frames.append(("case", ""))
        if kind not in ("space", "comment"):
            last, before = low, last
    return tokens


def _clause(low: str, clause: str) -> str:
    """Say which clause a word begins."""
    if low in _CLAUSES:
        return low
    if low in (";", "union", "intersect", "except"):
        return ""
    if low == "join":
        return "from"
    return "where" if low in ("and", "or") and clause in ("", "on") else clause


def _inside(last: str, before: str, outer: tuple[str, str]) -> tuple[str, str]:
    """Say what stands in a parenthesis, from the word before it and the clause around it."""
    clause, owner = outer
    named = last.isidentifier() or "." in last or last in ("in", "values")
    if not named or (last in KEYWORDS and last not in ("in", "values", "cast")):
        return ("args" if clause == "select" else clause), owner
    if last in TYPES and (before == "as" or owner in ("convert", "cast") or last not in ("char", "nchar", "date")):
        return "type", last
    if clause in _NAMING or clause == "declare":
        return "names", last
    return ("cast" if last in ("cast", "convert", "try_cast", "try_convert") else "args"), last
