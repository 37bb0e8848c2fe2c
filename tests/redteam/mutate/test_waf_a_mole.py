"""The eight operators of WAF-A-MoLE do what the paper's table shows."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st

from overproof.redteam.mutate.waf_a_mole import WAF_A_MOLE

PAYLOAD = "admin' OR 1=1#"


@pytest.mark.parametrize(
    ("name", "text", "edited"),
    [
        ("case swapping", PAYLOAD, "admin' oR 1=1#"),
        ("whitespace substitution", PAYLOAD, "admin' OR\n1=1#"),
        ("comment injection", PAYLOAD, "admin' OR/**/1=1#"),
        ("integer encoding", PAYLOAD, "admin' OR 0x1=1#"),
        ("integer encoding", PAYLOAD, "admin' OR 1=(select 1)#"),
        ("operator swapping", PAYLOAD, "admin' OR 1 like 1#"),
        ("operator swapping", PAYLOAD, "admin' || 1=1#"),
        ("logical invariant", PAYLOAD, "admin' OR 1=1 and 0<1#"),
    ],
)
def test_operators_do_what_the_table_shows(name: str, text: str, edited: str) -> None:
    assert edited in {WAF_A_MOLE[name](text, Random(seed)) for seed in range(300)}


def test_letters_and_numbers_are_drawn() -> None:
    rewritten = {str(WAF_A_MOLE["comment rewriting"](PAYLOAD, Random(seed))) for seed in range(20)}
    assert len(rewritten) > 10
    assert all(text.startswith(PAYLOAD) and text[len(PAYLOAD) :].isalpha() for text in rewritten)
    for seed in range(20):
        left, _, right = str(WAF_A_MOLE["number shuffling"](PAYLOAD, Random(seed)))[len("admin' OR ") : -1].split()
        assert left == right


def test_there_are_eight() -> None:
    assert len(WAF_A_MOLE) == 8


@pytest.mark.parametrize("name", sorted(WAF_A_MOLE))
def test_every_operator_is_total_and_repeatable(total_and_repeatable: Any, name: str) -> None:
    pieces = st.sampled_from(
        "' \" ( ) , ; -- # /* */ = <> or and like union select where 1 0x4d null \ud800 \0".split(" ")
    )
    texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=12).map(" ".join))
    total_and_repeatable(WAF_A_MOLE[name], texts)
