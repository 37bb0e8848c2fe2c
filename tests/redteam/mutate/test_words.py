"""Test the words that innocent padding is made of."""

from __future__ import annotations

from overproof.redteam.mutate.words import WORDS


def test_words_are_many_different_and_can_stand_in_any_grammar() -> None:
    assert len(WORDS) >= 150
    assert len(set(WORDS)) == len(WORDS)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)


def test_no_word_is_a_keyword_or_command() -> None:
    loaded = "select union from where drop table insert update delete script alert exec sleep cat curl id whoami eval"
    assert not set(loaded.split()) & set(WORDS)
