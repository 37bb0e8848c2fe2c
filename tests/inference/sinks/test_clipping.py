"""What of an event is shown on a line: the span that carried its verdict, and nothing that steers a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.folding import cells
from overproof.inference.sinks.clipping import Part, clipping

BRACKETS = ("⟦", "⟧")


def shown(text: str, places: list[tuple[int, int]], room: int, brackets: tuple[str, str] = BRACKETS) -> str:
    """A clipping as one text."""
    return "".join(part.text for part in clipping(text, places, room, brackets))


@pytest.mark.parametrize(
    ("text", "places", "room", "expected"),
    [
        pytest.param("GET /a", [], 20, "GET /a", id="short"),
        pytest.param("GET /abcdefghijklm", [], 10, "GET /abcd…", id="too-long"),
        pytest.param("id=1 or 1=1", [(5, 11)], 20, "id=1 ⟦or 1=1⟧", id="marked"),
        pytest.param("a" * 50 + "or 1=1" + "b" * 50, [(50, 56)], 20, "…aaaaa⟦or 1=1⟧bbbbb…", id="in-the-middle"),
        pytest.param("a" * 50 + "or 1=1", [(50, 56)], 20, "…aaaaa⟦or 1=1⟧", id="at-the-end"),
        pytest.param("select " + "x" * 90, [(0, 97)], 12, "⟦select xx…⟧", id="a-span-that-is-too-long"),
        pytest.param("a<b>c", [(1, 2), (3, 4)], 20, "a⟦<⟧b⟦>⟧c", id="two-spans"),
        pytest.param("漢字漢字漢字", [], 8, "漢字漢…", id="wide"),
        pytest.param("a\nb\tc", [], 20, "a\\nb\\tc", id="lines"),
        pytest.param("\x1b[2J\x9b\u202e\u200b", [], 40, "\\x1b[2J\\x9b\\u202e\\u200b", id="steering"),
        pytest.param("❤\ufe0f", [], 20, "❤\\ufe0f", id="variation-selector"),
        pytest.param("abc", [], 3, "", id="no-room"),
    ],
)
def test_a_clipping_is_what_fits_around_the_first_span(
    text: str, places: list[tuple[int, int]], room: int, expected: str
) -> None:
    assert shown(text, places, room) == expected


def test_what_is_of_a_span_is_marked() -> None:
    assert clipping("a<b>c", [(1, 2), (3, 5)], 20) == [Part("a"), Part("<", True), Part("b"), Part(">c", True)]


@given(st.text(max_size=60), st.integers(0, 60), st.integers(1, 20), st.integers(4, 40))
def test_a_clipping_fits_and_can_steer_nothing(text: str, start: int, length: int, room: int) -> None:
    places = [(start, min(len(text), start + length))] if start < len(text) else []
    for brackets in (BRACKETS, ("", "")):
        found = shown(text, places, room, brackets)
        assert cells(found) <= room
        assert found.isprintable()
        if places and room > 20:
            assert any(part.marked for part in clipping(text, places, room, brackets))


def test_an_endless_text_without_width_is_looked_at_as_far_as_a_line_goes() -> None:
    assert len(shown("a" + "\u0301" * 10_000_000, [], 40)) < 200
