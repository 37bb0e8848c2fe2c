"""Work in portions: bounded, in order, whole; and no score hangs on where they end."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle import runtime, tokenizer
from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.tokenizer import Windowing
from overproof.portions import portions

PEAK = """
import resource
from overproof.bundle.tokenizer import Windowing, cut, train_bpe
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def texts(count):
    return [chr(97 + i % 26).join(map(str, range(i, i + 2000))) for i in range(count)]
learned = train_bpe(["GET /index.html", "select"] * 4, vocabulary=300)
cut(learned, texts(8), Windowing(limit=4))
before = peak()
held = texts(1600)
held = peak() - before
cut(learned, texts(1600), Windowing(limit=4))
print(sum(map(len, texts(1600))) >> 10, held, peak() - before)
"""


@given(st.lists(st.integers(0, 20)), st.integers(1, 30), st.none() | st.integers(1, 5))
def test_portions_are_as_long_as_can_be(sizes: list[int], most: int, count: int | None) -> None:
    found = [sizes[part] for part in portions(sizes, most, count)]
    assert [size for part in found for size in part] == sizes
    for part, following in zip(found, [*found[1:], None], strict=False):
        assert len(part) == 1 or (sum(part) <= most and len(part) <= (count or len(part)))
        if following is not None:
            assert sum(part) + following[0] > most or len(part) == count


@given(st.text(st.characters(), max_size=300), st.integers(2, 40), st.integers(1, 5))
def test_the_work_of_a_text_is_no_less_than_its_tokens(text: str, size: int, limit: int) -> None:
    windowing = Windowing(size=size, overlap=1, limit=limit)
    learned = tokenizer.train_bpe(["a b c"] * 4, vocabulary=260)
    tokens = sum(map(len, tokenizer.encode(learned, [text.encode("utf-8", "replace").decode()])))
    assert min(tokens, windowing.tokens) < windowing.work(text) <= windowing.tokens + 1


def test_no_score_hangs_on_the_portions(student: OnnxScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [("select " * (i % 9) + "é" * (i % 5) + "<script>" * (i % 3))[: 3 * i] for i in range(60)]
    expected, embedded = student.score_and_embed(texts)
    monkeypatch.setattr(tokenizer, "TOKENIZED_AT_ONCE", 7)
    for at_once in (1, 50, 333):
        monkeypatch.setattr(runtime, "SCORED_AT_ONCE", at_once)
        scores, embeddings = student.score_and_embed(texts)
        assert np.array_equal(scores.logits, expected.logits)
        assert np.array_equal(embeddings, embedded)
        assert np.array_equal(student.score(texts).windows, expected.windows)
    assert len(student.score([]).logits) == 0


def test_the_memory_of_tokens_hangs_on_no_input() -> None:
    found = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    kib, held, added = map(int, found.stdout.split())
    assert kib > 12_000
    assert added < 2 * held + 300_000, f"{added} KiB for {kib} KiB of text"  # all at once took 900 MiB
