"""Harmless edits keep what the server reads, and change the text."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from overproof.checks.boundary.edits import variants_of
from overproof.events.edits import CASE, EDITS, ENCODING, PADDING, SPACES, padded

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXTS)
def test_one_decoding_gives_the_event_back(text: str) -> None:
    (encoded,) = EDITS[ENCODING](text)
    assert unquote(encoded) == text
    assert encoded.isascii() and not set(encoded) & set(" '\"<>&;()/=")


@given(st.text("aZ'<>=/ 1%é", max_size=40))
def test_case_changes_letters_alone(text: str) -> None:
    for edited in EDITS[CASE](text):
        assert edited.lower() == text.lower()


@given(TEXTS)
def test_white_space_changes_spaces_alone(text: str) -> None:
    for edited in EDITS[SPACES](text):
        assert edited.replace(" ", "") == text.replace(" ", "")
        assert len(edited) > len(text) or " " not in text


@given(TEXTS, st.integers(1, 300), st.text(min_size=1, max_size=20))
def test_padding_passes_the_window_and_keeps_the_event_whole(text: str, window: int, filler: str) -> None:
    before, behind = padded(text, window, filler)
    assert before.endswith(text) and behind.startswith(text)
    assert len(before) > window and len(behind) > window
    assert list(padded(text, window, "")) == []


def test_only_what_changes_is_a_variant() -> None:
    found = variants_of(["abc", "123", "A b"], [1, 2], window_characters=20, filler="ok ")
    assert {variant.row for variant in found} == {1, 2}
    assert [variant.kind for variant in found if variant.row == 1] == [SPACES, PADDING, PADDING]
    assert {variant.text for variant in found if variant.kind == CASE} == {"A B", "a b"}
    assert {variant.text for variant in found if variant.kind == ENCODING} == {"A%20b"}
    assert all(variant.text not in ("abc", "123", "A b") for variant in found)
