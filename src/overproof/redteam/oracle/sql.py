"""Prove that an edited fragment of SQL still does what it did: run both wherever the original can be injected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from overproof.redteam.base import Proof
from overproof.redteam.oracle.sql_contexts import CONTEXTS, Context
from overproof.redteam.oracle.sql_reading import DIALECTS, read_as
from overproof.redteam.oracle.sql_sqlite import Database, Ran, verbatim

_WIDTH = 3
_WIDEST = 32
_MEANT = 0.8
_CUT = " --  "
"""Ends a fragment that needs a comment behind it, and came without."""
_OTHER_WIDTH = re.compile(r"same number of result columns|ORDER BY term out of range|values (?:were|for)")
_CLOSED = re.compile(r"""(?![nxbe]')[\w.%-]+(['"])""", re.IGNORECASE)
"""A value and the quote that closes it: such a text was made for that quote only."""

_WORDS = re.compile(r"""-?[\w\s%.'"@]*""")
_VERBS = re.compile(
    r"\b(?:and|or|select|union|order|having|like|drop|delete|insert|update|exec|call|waitfor)\b", re.IGNORECASE
)
"""Mere words may name a column; they attack nothing."""

_MARKS = {
    "mysql": r"#|(?<![\w.])(?:sleep|benchmark|elt|make_set|updatexml|extractvalue|load_file|row|if)\s*\(|rlike"
    r"|procedure\s|boolean\s+mode|&&|0x[0-9a-f]+",
    "tsql": r"waitfor|convert\s*\(|master\.\.|sys(?:users|databases|objects)|@@|xp_|char\(\d+\)\s*\+|;\s*if\s*\(",
    "oracle": r"dbms_|utl_|ctxsys|xmltype|user_lock|all_users|\bchr\s*\(|\bfrom\s+dual",
    "postgres": r"pg_|::|generate_series|chr\s*\(",
}
"""What says which database a fragment is meant for; SQLite itself where nothing does."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A context in which the original runs and is more than data, and what one can tell it does there."""

    context: Context
    width: int
    effect: tuple[object, ...]
    reads: frozenset[str]
    calls: bool


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Judge fragments in SQLite, first as the database reads them that the original is meant for."""
    return [_judged(original, edited) for original, edited in pairs]


def _judged(original: str, edited: str) -> Proof:
    if _WORDS.fullmatch(original) and not _VERBS.search(original):
        return Proof("unproved", "the original is nothing but words")
    installed = find_spec("sqlglot") is not None
    for ending in ("", _CUT):
        for reading in _readings(original):
            if reading == "sqlite" or installed:
                places = _places(original, reading, ending)
                if places:
                    return _compared(places, f"{edited}{ending}", reading)
    if not installed:
        return Proof("unproved", "sqlglot is not installed (pip install 'overproof[attack]')")
    return Proof("unproved", "the original does nothing in any place that is known")


def _readings(text: str) -> list[str]:
    """Order the ways to read a text: what it is meant for first, SQLite's own way first where nothing is said."""
    meant = [dialect for dialect in DIALECTS if re.search(_MARKS[dialect], text, re.IGNORECASE)]
    return [
        *(meant or ["sqlite"]),
        *(dialect for dialect in DIALECTS if dialect not in meant),
        *(["sqlite"] if meant else []),
    ]


@lru_cache(maxsize=2048)
def _places(text: str, reading: str, ending: str) -> tuple[_Place, ...]:
    """Find where a text can be injected: it runs, as other operations than data, and one can tell."""
    database = Database()
    try:
        found = [_place(database, context, text, reading, ending) for context in CONTEXTS]
    finally:
        database.close()
    closed = _CLOSED.match(text)
    ran = [(place, tells, _outside(text, place.context.quote)) for place, tells in filter(None, found)]
    ran = [one for one in ran if closed is None or one[0].context.quote == closed[1]]
    most = max(_outside(text, quote) for quote in ("", "'", '"'))
    meant = [(place, tells) for place, tells, outside in ran if outside >= _MEANT * most]
    return tuple(place for place, _ in meant) if any(tells for _, tells in meant) else ()


def _outside(text: str, quote: str) -> int:
    """Count what a place reads as SQL, and not as a string: where that is little, the text was made for another."""
    count = 0
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            count += 1
    return count


def _place(database: Database, context: Context, text: str, reading: str, ending: str) -> tuple[_Place, bool] | None:
    """Run a text in a context; whether its effect differs from a benign value's, or None where it is data."""
    if context.quote not in text:
        return None
    width, value = _WIDTH, f"{text}{ending}"
    ran = _ran(database, context, value, reading, width)
    if isinstance(ran, str) and _OTHER_WIDTH.search(ran):
        for width in range(1, _WIDEST):
            ran = _ran(database, context, value, reading, width)
            if isinstance(ran, Ran) or not _OTHER_WIDTH.search(ran):
                break
    if isinstance(ran, str):
        return None
    benign = [_ran(database, context, data, reading, width) for data in context.benign(text)]
    known = [one for one in benign if isinstance(one, Ran)]
    if any(one.program == ran.program for one in known):
        return None
    shows = any(one.effect != ran.effect for one in known) if known else context.kind == "whole" and ran.shows
    tells = shows or bool(ran.calls or ran.reads)
    return _Place(context, width, ran.effect, ran.reads, bool(ran.calls)), tells


def _ran(database: Database, context: Context, value: str, reading: str, width: int) -> Ran | str:
    if reading == "mysql" and value.endswith("--"):
        value += " "  # MySQL reads no comment without it, and trimmed values have lost it
    whole = context.around(value, width)
    statements = verbatim(whole) if reading == "sqlite" else read_as(reading, whole)
    return database.run(statements) if statements else "no statement"


def _compared(places: tuple[_Place, ...], edited: str, reading: str) -> Proof:
    """Compare what the edited text does wherever the original does something."""
    by = "SQLite" if reading == "sqlite" else f"SQLite, read as {reading}"
    by += ", what follows hidden by a comment" if edited.endswith(_CUT) else ""
    database = Database()
    try:
        for place in places:
            ran = _ran(database, place.context, edited, reading, place.width)
            where = place.context.around("...", place.width)
            if isinstance(ran, str):
                return Proof("unproved" if "interrupt" in ran else "changed", f"{by}: {ran} in {where}")
            if ran.effect != place.effect or not ran.reads <= place.reads:
                return Proof("changed", f"{by}: another effect in {where}")
    finally:
        database.close()
    what = "the same rows and calls" if any(place.calls for place in places) else "the same rows"
    return Proof("proved", f"{by}: {what} in {len(places)} places")
