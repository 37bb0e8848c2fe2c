"""Scripts that are spelled otherwise have one tree, and scripts that do something else never have the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.oracle import ORACLES
from overproof.redteam.oracle.javascript_tree import script_tree

SAME = [
    ("a.b(1)", "a['b'](1)"),
    ("a.b(1)", "a . b /* garden */ ( 0x1 );"),
    ("a.b(1)", "\\u0061['\\x62'](1e0)"),
    ("a.b(1)", "'garden';a.b(1)"),
    ("a.b(1)", "void'garden';;`summer`;['x','y'];!'z';0&&c(d);if(0)e.f();a.b(1)"),
    ("a('bc')", 'a(("b"+"c"))'),
    ("a('bc')", "a(`bc`)"),
    ("if (!0) a()", "if (true) a()"),
    ("a();b(", "a() ; /* garden */ b("),
]
OTHER = [
    ("a.b(1)", "a.c(1)"),
    ("a.b(1)", "a[b](1)"),
    ("a.b(1)", "a.b(2)"),
    ("a.b(1)", "a.b('1')"),
    ("a.b(1)", "//a.b(1)"),
    ("a('bc')", "a('b'-'c')"),
    ("a('bc')", "a(`b${c}`)"),
    ("a*(b+c)", "a*b+c"),
    ("a()", "0&&a()"),
    ("a()", "if(0)a()"),
    ("a()", "if(0)b();else a()"),
    ("a()", "'use strict';a()"),
    ("a();b(", "a(b,"),
    ("a=b", "a==b"),
    ("!0", "!1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_another_spelling_is_the_same(one: str, other: str) -> None:
    assert script_tree(one) == script_tree(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_script_is_another(one: str, other: str) -> None:
    assert script_tree(one) != script_tree(other)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.integers(0, 7),
    st.sampled_from([" ", "/*a*/", "\n", "'a';"]),
)
def test_calls_are_the_same_but_for_what_is_put_between_them(numbers: list[int], place: int, between: str) -> None:
    calls = [f"a({number});" for number in numbers]
    tree = script_tree("".join(calls))
    assert script_tree(between + between.join(calls)) == tree
    other = [*calls]
    other[place % len(calls)] = f"a({numbers[place % len(calls)] + 1});"
    assert script_tree("".join(other)) != tree


PIECES = [
    ("';sleep(5000);", "';/* garden */sleep(5e3);", "proved"),
    ("';sleep(5000);", "';sleep(50);", "unproved"),
    ("';sleep(5000);", "';//sleep(5000);", "unproved"),
    ("';sleep(5000);", "\\';sleep(5000);", "unproved"),
    (
        "';it=new%20Date();do{pt=new%20Date();}while(pt-it<50);",
        "';it=new%20Date();do{pt=it;}while(pt-it<50);",
        "unproved",
    ),
    ("garden'", "garden '", "unproved"),
]


@pytest.mark.parametrize(("original", "edited", "meaning"), PIECES)
def test_a_piece_of_a_query_is_compared_whatever_follows(original: str, edited: str, meaning: str) -> None:
    assert ORACLES["nosql"]([(original, edited)])[0].meaning == meaning
