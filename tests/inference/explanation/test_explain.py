"""An explanation names what the model goes by, whatever the model is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Scores
from overproof.inference.explanation import Span, explain
from overproof.inference.explanation.explain import MOST_SPANS, attack_log_odds, without
from overproof.inference.explanation.pieces import CHUNK, PIECES, SEARCHED, chunks_of, pieces_of, runs_of


class ByWords:
    """Takes each of some words for five log-odds of an attack, and their lack for three of none."""

    classes = ("benign", "attack")

    def __init__(self, words: str = "evil", logits: Sequence[float] = (3, 5)) -> None:
        self._words, self._logits = re.compile(words), logits
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked += texts
        benign, each = self._logits
        logits = np.array([[benign, each * len(self._words.findall(text))] for text in texts], dtype=np.float32)
        n = len(texts)
        return Scores(
            logits.reshape(n, 2),
            self.classes,
            np.ones(n, dtype=np.int32),
            np.zeros(n, dtype=bool),
            benign=np.array([True, False]),
        )


def named(text: str, scorer: ByWords | None = None) -> list[str]:
    return [text[span.start : span.end] for span in explain(scorer or ByWords(), [text])[0]]


def rest(text: str, spans: Sequence[Span]) -> str:
    return without(text, [span.place for span in spans])


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("GET /shop?item=evil&page=2 HTTP/1.1", ["evil"]),
        ("evil", ["evil"]),
        ("evil at the start", ["evil"]),
        ("at the end evil", ["evil"]),
        ("as evil as " + "a" * 40 + " this evil is, and " + "b" * 40 + " the third evil too", ["evil", "evil", "evil"]),
        ("q=%65%76&x=evil%0a", ["evil"]),
        ("ünïcödé — evil 🎉 text", ["evil"]),
    ],
    ids=["a request", "all of it", "start", "end", "three times", "encoded", "beyond ASCII"],
)
def test_it_names_what_the_model_goes_by(text: str, spans: list[str]) -> None:
    assert named(text) == spans


def test_a_part_is_named_and_not_all_of_it() -> None:
    text = "evil one, evil two, evil three, evil four"
    spans = explain(ByWords(), [text])[0]
    assert all(span.end - span.start <= len(text) / 2 for span in spans)
    assert sum(span.weight for span in spans) == 20


class Weighed(ByWords):
    """Takes each word of x for an attack by the square of its letters."""

    def score(self, texts: Sequence[str]) -> Scores:
        scores = super().score(texts)
        scores.logits[:, 1] = [sum(len(word) ** 2 for word in re.findall("x+", text)) for text in texts]
        return scores


@pytest.mark.parametrize(
    "text",
    ["xxx-xxxxxx-xxx-x-x-x-x-x-x-xxxxxx-x-x-xx", "xx-xxxx-xxxxxx-xxxx-xxx-x-x-xx-xx-x-x"],
    ids=["14 words", "11"],
)
def test_a_span_lies_where_no_other_of_its_length_carries_more(text: str) -> None:
    scorer = Weighed()
    (span, *_) = explain(scorer, [text])[0]
    bounds, length = pieces_of(text), span.end - span.start
    others = [(start, end) for start in bounds for end in bounds if 0 < end - start <= length]
    left = attack_log_odds(scorer.score([without(text, [run]) for run in [span.place, *others]]))
    assert left[0] == left.min()


def test_a_word_in_a_long_word_is_found_near_enough() -> None:
    text = "QUJD" * 30 + "evil" + "REVG" * 30
    ((span,),) = explain(ByWords(), [text])
    assert span.start < text.index("evil") + 4
    assert span.end > text.index("evil")
    assert span.end - span.start < len(text) / 8


def test_what_a_span_weighs_is_what_the_model_loses_without_it() -> None:
    text = "two evil words, and many others between them, are more evil than one"
    scorer = ByWords()
    spans = explain(scorer, [text])[0]
    odds = [attack_log_odds(scorer.score([rest(text, spans[:n])]))[0] for n in range(len(spans) + 1)]
    assert [span.weight for span in spans] == pytest.approx(-np.diff(odds), abs=1e-3) == [5, 5]
    assert odds[-1] <= 0


def test_a_long_event_is_explained_where_it_looks_most_like_an_attack() -> None:
    text = "calm words " * 2_000 + "evil" + " and calm again" * 300
    assert len(text) > 40 * CHUNK
    assert named(text) == ["evil"]
    beyond = "calm words " * (SEARCHED // 10) + "evil"
    assert named(beyond) == []


def test_the_cost_is_bounded() -> None:
    scorer = ByWords("e", (3, 1))
    text = "e! " * CHUNK
    explain(scorer, [text])
    assert 100 < len(scorer.asked) <= len(chunks_of(text)) + 320 * MOST_SPANS
    assert max(map(len, scorer.asked)) <= CHUNK


def test_an_event_is_explained_alike_in_any_batch() -> None:
    texts = ["some evil", "", "evil and more evil", "calm", "x" * 70_000 + " evil", "evil"]
    assert explain(ByWords(), texts) == [explain(ByWords(), [text])[0] for text in texts]


def test_nothing_is_named_where_nothing_carries() -> None:
    assert explain(ByWords(logits=(3, 0)), ["calm", "", "a b c"]) == [(), (), ()]
    assert explain(ByWords(logits=(np.nan, np.nan)), ["evil words"]) == [()]
    assert explain(ByWords(), []) == []


@pytest.mark.parametrize("benign", [None, [True, True], [False, False]], ids=["unknown", "all", "none"])
def test_without_both_kinds_of_classes_there_are_no_odds(benign: list[bool] | None) -> None:
    known = None if benign is None else np.array(benign)
    logits, n = np.eye(2, dtype=np.float32), np.ones(2, dtype=np.int32)
    assert attack_log_odds(Scores(logits, ("a", "b"), n, n > 1, benign=known)).tolist() == [0, 0]


@given(st.text(max_size=700))
def test_pieces_cover_a_text_and_are_few(text: str) -> None:
    bounds = pieces_of(text)
    assert bounds[0] == 0
    assert bounds[-1] == len(text)
    assert all(begin < end for begin, end in pairwise(bounds))
    assert len(bounds) - 1 <= PIECES


@given(st.text("ab &é\n", max_size=60), st.sets(st.integers(0, 60), max_size=6).map(sorted))
def test_runs_lie_beside_what_is_taken(text: str, ends: list[int]) -> None:
    bounds = [end for end in ends if end <= len(text)]
    taken = list(zip(bounds[::2], bounds[1::2], strict=False))
    runs = runs_of(text, taken)
    assert len(runs) == len(set(runs))
    assert all(0 <= start < end <= len(text) for start, end in runs)
    assert all(end <= first or start >= last for start, end in runs for first, last in taken)
    covered = {place for start, end in runs for place in range(start, end)}
    free = set(range(len(text))) - {place for first, last in taken for place in range(first, last)}
    assert {place for place in free if not text[place].isspace()} <= covered <= free
    assert not any(text[start:end].isspace() for start, end in runs)


@given(st.lists(st.sampled_from(["evil", "calm", " ", "&", "%41", "\n", "é"]), max_size=40).map("".join))
def test_spans_lie_in_the_text_and_apart(text: str) -> None:
    (spans,) = explain(ByWords(), [text])
    places = sorted((span.start, span.end) for span in spans)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))
    assert all(span.weight > 0 for span in spans)


def test_a_bundle_explains_itself(student: OnnxScorer) -> None:
    texts = ["id=1' or 1=1--", "GET /index.html", "<script>alert(1)</script>"]
    spans = explain(student, texts)
    before, after = (
        attack_log_odds(student.score(each))
        for each in (
            texts,
            [rest(text, found) for text, found in zip(texts, spans, strict=True)],
        )
    )
    weights = [sum(span.weight for span in found) for found in spans]
    assert weights == pytest.approx(before - after, abs=2e-3)
    assert any(isinstance(span, Span) for found in spans for span in found)
