"""Benign text stays benign under its edits, and the oracle sees what does not."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.base import Edited, mutated
from overproof.redteam.mutate.plain import MUTATORS
from overproof.redteam.oracle.plain import judge

TEXTS = (
    "la pera",
    "alcalde lopez rancao, 194, 3-e",
    "red shoes",
    "ana@example.com",
    "/blog/post-7",
    "it's 5 o'clock",
    "x",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(8))
def test_chains_of_edits_stay_plain(text: str, seed: int) -> None:
    random, edited = Random(seed), Edited(text)
    for _ in range(6):
        edited = mutated(edited, MUTATORS, random) or edited
    [proof] = judge([(text, edited.text)])
    assert proof.meaning == "proved", (edited.text, proof)


@pytest.mark.parametrize(
    ("original", "edited", "meaning"),
    [
        ("red shoes", "red shoes garden", "proved"),
        ("red shoes", "RED, summer shoes", "proved"),
        ("red shoes", "red shoe", "changed"),
        ("red shoes", "shoes red", "changed"),
        ("red shoes", "red shoes' or 1=1--", "unproved"),
        ("red shoes", "red shoes <b>", "unproved"),
        ("red shoes", "red shoes; id", "unproved"),
        ("  ", "  garden", "unproved"),
    ],
)
def test_what_is_said_of_an_edit(original: str, edited: str, meaning: str) -> None:
    assert judge([(original, edited)])[0].meaning == meaning


@given(st.text(), st.sampled_from(sorted(MUTATORS)), st.integers(0, 99))
def test_any_text_can_be_edited_and_alike_each_time(text: str, name: str, seed: int) -> None:
    once, again = (MUTATORS[name](text, Random(seed)) for _ in range(2))
    assert once == again
