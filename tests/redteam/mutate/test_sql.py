"""Edits of injected SQL are total, repeatable, and leave strings and quotes alone."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.sql import MUTATORS
from overproof.redteam.mutate.sql_lexer import read
from overproof.redteam.mutate.words import WORDS

PIECES = st.sampled_from(
    """' " ( ) , ; -- # /* */ /**/ = <> != < or and not between like union select all from where order by limit
    case when then else end null 1 -8999 0x4d sleep char as t1 waitfor delay @@version || && + - * / %27
    %c3 \\'""".split()
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(PIECES, max_size=14).map(" ".join),
    st.lists(PIECES, max_size=14).map("".join),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "L"]), max_size=10),
)


@pytest.mark.parametrize("name", sorted(MUTATORS))
def test_every_edit_is_total_and_repeatable(total_and_repeatable: Any, name: str) -> None:
    total_and_repeatable(MUTATORS[name], TEXTS)


@given(TEXTS)
def test_tokens_are_the_text(text: str) -> None:
    fragment = read(text)
    assert not fragment.tokens or "".join(token.text for token in fragment.tokens) == text


def outcomes(name: str, text: str, seeds: int = 400) -> set[str]:
    """What an edit makes of a text, whatever the seed."""
    made = (MUTATORS[name](text, Random(seed)) for seed in range(seeds))
    return {edited for edited in made if edited is not None}


@pytest.mark.parametrize(
    ("name", "text", "edited"),
    [
        ("a space in another form", "1 or 2", "1\tor 2"),
        ("a comment for a space", "1 or 2", "1/**/or 2"),
        ("a comment between tokens", "1'or 2", "1'/**/or 2"),
        ("a comment beside a space", "1' or", "1' /**/ or"),
        ("a space between tokens", "1' and 1=1", "1' and 1 =1"),
        ("a space left out", "1' or (2)", "1' or(2)"),
        ("another tail comment", "1 or sleep(5)#", "1 or sleep(5)-- "),
        ("another tail comment", "1 or 1--", "1 or 1-- -"),
        ("a word in another case", "1 or 2", "1 OR 2"),
        ("a word in another case", "1;select pg_sleep(5)", "1;select PG_SLEEP(5)"),
        ("a comparison in other words", "1 or 2=2--", "1 or 2 between 2 and 2--"),
        ("a comparison in other words", "1 or 'a'<>'b'--", "1 or 'a' not in ('b')--"),
        ("an equal operator", "1 or 2<>3", "1 or 2!=3"),
        ("an equal operator", "1 and sleep(5)#", "1 && sleep(5)#"),
        ("parentheses more", "1 or sleep(5)", "1 or (sleep(5))"),
        ("a number spelled otherwise", "1 or sleep(5)", "1 or sleep((3+2))"),
        ("a default spelled out", "1 union select 2", "1 union select all 2"),
        ("a default spelled out", "1 order by 1--", "1 order by 1 asc--"),
        ("an escape in another case", "%3d1", "%3D1"),
        ("one escape more", "%20a", "%20%61"),
    ],
)
def test_edits_make_what_their_names_say(name: str, text: str, edited: str) -> None:
    assert edited in outcomes(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("words in a comment", "1/**/or 1=1"),
        ("words behind the tail", "1' or 1=1--"),
        ("a true condition more", "1' and sleep(5)--"),
        ("a false condition more", "1' or sleep(5)--"),
        ("a comparison of equal truth", "1' or 1=1--"),
        ("other literals compared", "1') or ('a'='a"),
        ("a number behind a dead branch", "1' union select 1--"),
        ("a column alias", "1 union select 1"),
        ("another alias", "1) as zvlq where 1=1"),
    ],
)
def test_padding_is_made_of_ordinary_words(name: str, text: str) -> None:
    made = outcomes(name, text)
    assert made
    assert any(word in edited for edited in made for word in WORDS)


@pytest.mark.parametrize(
    ("name", "text", "never"),
    [
        ("a column alias", "1 union select 'a'where 2=2", r"\w+where"),
        ("a comparison of equal truth", "1 or 'a'='a'or 2=2", r"nullor"),
        ("an equal operator", "1;create or replace function sleep(int)", r"\|\|"),
        ("a true condition more", "1 or 5 between 2 and 9", r"between \d and .+ and 9"),
    ],
)
def test_words_stay_apart_and_operators_are_what_they_seem(name: str, text: str, never: str) -> None:
    assert not [edited for edited in outcomes(name, text) if re.search(never, edited)]


def test_a_word_alone_between_double_quotes_could_name_a_column() -> None:
    for edited in outcomes("a true condition more", '1" and sleep(5)--', 60):
        assert all(" " in word for word in re.findall('"([^"]+)"', edited[2:]))


def test_a_hexadecimal_number_keeps_its_digits() -> None:
    assert {edited.lower() for edited in outcomes("hexadecimal in another case", "1 or 0xab")} == {"1 or 0xab"}


@pytest.mark.parametrize("name", sorted(MUTATORS))
@pytest.mark.parametrize("text", ["1' or 'x y, 1=1 or 2 --'", '2" or "select 1 as x (a, b)', "'a or 1=1' and 'b or"])
def test_what_a_string_holds_is_left_alone(name: str, text: str) -> None:
    strings = [token.text for token in read(text).tokens if token.kind in ("held", "string", "open")]
    for edited in outcomes(name, text, 60):
        place = 0
        for string in strings:
            place = edited.index(string, place) + len(string)


@pytest.mark.parametrize("name", sorted(MUTATORS))
@pytest.mark.parametrize("text", ["", "shoes", r"1\' or 1=1", "shoes'", "sleep(1)/*' or sleep(1) or '*/"])
def test_what_cannot_be_read_is_not_edited(name: str, text: str) -> None:
    assert not outcomes(name, text, 60) - {text}


@pytest.mark.parametrize(
    "text", ["1' order by 3--", "1 limit 5", "1;select top 5 x", "1 and x between 2 and 3--", "cast(x as varchar(40))"]
)
def test_a_number_that_is_no_value_keeps_its_spelling(text: str) -> None:
    for name in ("a number spelled otherwise", "a number behind a dead branch"):
        assert not {edited for edited in outcomes(name, text, 60) if "between" not in text}
    assert all("2 and 3" in edited for edited in outcomes("a true condition more", text, 60))
