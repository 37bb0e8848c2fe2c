"""Check that nothing that is written into a picture can become a part of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.report.markup import Html
from overproof.report.svg import Axis, document, frame, group, loud, mark, steps, svg, text, upright

EVIL = "</text></svg><script>alert(1)</script>\"'&\x1b[2J\n\ud800"
WRITTEN: dict[str, Callable[[str], str]] = {
    "text": lambda words: text(1, 2, words, style=words),
    "loud": lambda words: text(1, 2, "a", loud(words)),
    "upright": lambda words: upright(1, 2, words),
    "mark": lambda words: mark(1, 2, words),
    "group": lambda words: group(words, [text(1, 2, words)]),
    "document": lambda words: document(words, words, "", (9, 9), []),
    "svg": lambda words: svg(words, words, [], height=9),
    "frame": lambda words: frame(
        Axis(0, 1, 0, 9), Axis(0, 1, 9, 0), (words, lambda _: words), (words, lambda _: words)
    ),
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
@given(words=st.text(st.characters(exclude_categories=[])) | st.just(EVIL))
def test_words_stay_words(write: Callable[[str], str], words: str) -> None:
    plain, written = ElementTree.fromstring(write("a")), ElementTree.fromstring(write(words))
    assert [part.tag for part in written.iter()] == [part.tag for part in plain.iter()]
    assert "\x1b" not in write(words)


def test_markup_stands_as_it_is_and_its_like_does_not() -> None:
    assert text(1, 2, Html("<tspan>a</tspan>")) == '<text x="1" y="2"><tspan>a</tspan></text>'
    assert text(1, 2, "<tspan>a</tspan>") == '<text x="1" y="2">&lt;tspan&gt;a&lt;/tspan&gt;</text>'


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 9))
def test_ticks_are_round_and_lie_on_the_axis(low: float, width: float, most: int) -> None:
    found = steps(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)


@pytest.mark.parametrize("log", [False, True])
def test_what_lies_beyond_an_axis_is_drawn_at_its_end(log: bool) -> None:
    axis = Axis(1, 100, 10, 30, log=log)
    assert (axis.at(0), axis.at(-5), axis.at(1e9)) == (10, 10, 30)
    assert axis.at(10) == pytest.approx(20 if log else 10 + 20 * 9 / 99)
    assert all(math.isfinite(axis.at(tick)) for tick in axis.ticks())
