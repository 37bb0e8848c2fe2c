"""One process: batch by batch, and a text that repeats itself is scored once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Scores
from overproof.inference.engines import in_process, score_batch
from overproof.inference.engines.interface import packed, unpacked

from .conftest import batches_of


class Counting:
    """A scorer whose logits say how long a text is, and that remembers what it was asked."""

    classes = ("benign", "sqli")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked.extend(texts)
        size = np.array([len(text) for text in texts], dtype=np.int32)
        logits = np.stack([size, -size], axis=1).astype(np.float32)
        return Scores(logits, self.classes, size, size > 2)


@given(st.lists(st.text(max_size=4)))
def test_a_text_is_scored_once_and_every_event_gets_its_scores(texts: list[str]) -> None:
    scorer = Counting()
    got = score_batch(scorer, texts)
    assert sorted(scorer.asked) == sorted(set(texts))
    all_of_them = Counting().score(texts)
    for name in ("logits", "windows", "overflow"):
        np.testing.assert_array_equal(getattr(got, name), getattr(all_of_them, name))
        assert getattr(got, name).dtype == getattr(all_of_them, name).dtype


def test_a_model_gives_repeated_texts_the_scores_it_gives_each(scorer: OnnxScorer) -> None:
    texts = [text for batch in batches_of(4) for text in batch.column("text").to_pylist()]
    assert len(set(texts)) < len(texts)
    got, expected = score_batch(scorer, texts), scorer.score(texts)
    np.testing.assert_array_equal(got.logits, expected.logits)
    np.testing.assert_array_equal(got.windows, expected.windows)
    np.testing.assert_array_equal(got.overflow, expected.overflow)
    np.testing.assert_array_equal(got.ood_distance, expected.ood_distance)
    assert got.windows.max() > 1
    assert got.overflow.any()


def test_no_batch_is_read_before_the_one_before_it_came_out() -> None:
    read = []

    def source() -> Iterator[pa.RecordBatch]:
        for place, batch in enumerate(batches_of(3)):
            read.append(place)
            yield batch

    for place, (batch, scores) in enumerate(in_process(Counting())(source())):
        assert read == list(range(place + 1))
        assert len(scores.logits) == batch.num_rows


def test_a_packed_batch_is_the_batch_and_no_more_than_it() -> None:
    batches = batches_of(40)
    marked = batches[7].replace_schema_metadata({"format": "access"})
    assert unpacked(packed(marked)).equals(marked)
    assert unpacked(packed(marked)).schema.metadata == {b"format": b"access"}
    assert 20 * len(packed(marked)) < sum(len(packed(batch)) for batch in batches)
