"""Texts to scores: one event's verdict hangs on that event, and its worst window decides."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.readers import TokenReader
from overproof.bundle.runtime import OPTIMIZATIONS, Labels, WindowScorer, session
from overproof.bundle.scores import Floats, softmax
from overproof.bundle.tokenizer import Windowing
from overproof.bundle.windows import TOKENS_PER_RUN, Windows
from overproof.errors import BundleError

if TYPE_CHECKING:
    from ..conftest import Made

WINDOWING = Windowing(size=16, overlap=4, limit=3)
TEXTS = ["select * from users", "<script>", "", "GET /index.html " * 9, "é\x00\ud7ff", "a" * 700, "id=1"] * 5


@pytest.fixture(scope="module")
def scorer(made: Made) -> WindowScorer:
    return WindowScorer(
        made.int8.SerializeToString(),
        TokenReader(made.tokenizer, WINDOWING),
        Labels(("benign", "sqli", "xss"), ("benign",)),
    )


def test_an_event_is_scored_alike_alone_and_in_any_company(scorer: WindowScorer) -> None:
    together = scorer.score(TEXTS).logits
    np.testing.assert_array_equal(together, np.concatenate([scorer.score([t]).logits for t in TEXTS]))
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    np.testing.assert_array_equal(together[order], scorer.score([TEXTS[i] for i in order]).logits)


def test_the_worst_window_decides(scorer: WindowScorer) -> None:
    text = "GET /index.html select * from users <script>alert(1)</script> id=1"
    windows = scorer.windows([text])
    assert len(windows.ids) > 1
    each = softmax(scorer.window_logits(windows))
    scores = scorer.score([text])
    assert scorer.attack(scores.probabilities)[0] == pytest.approx(scorer.attack(each).max())
    assert scores.windows[0] == len(windows.ids)


def test_overflow_is_the_events_own(scorer: WindowScorer) -> None:
    assert scorer.score(["short", "x y " * 500]).overflow.tolist() == [False, True]


def test_no_events(scorer: WindowScorer) -> None:
    assert scorer.score([]).logits.shape == (0, 3)
    assert scorer.judge([]) == []


def test_verdicts_carry_label_attack_and_origin(scorer: WindowScorer) -> None:
    (verdict,) = scorer.judge(["id=1"], origins=["access.csv:17"])
    assert verdict.origin == "access.csv:17"
    assert verdict.label == max(verdict.probabilities, key=lambda name: verdict.probabilities[name])
    assert verdict.attack == pytest.approx(1 - verdict.probabilities["benign"], abs=1e-6)
    assert scorer.judge(["a", "b"])[1].origin == "event:2"


def test_an_embedding_has_length_one_and_does_not_depend_on_the_company(scorer: WindowScorer) -> None:
    together = scorer.embed(TEXTS)
    assert together.shape == (len(TEXTS), 32) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(together, np.concatenate([scorer.embed([t]) for t in TEXTS]))
    assert len(np.unique(together, axis=0)) == len(set(TEXTS))
    assert scorer.embed([]).shape == (0, 32)


def test_the_deciding_windows_embedding_is_the_events(scorer: WindowScorer, made: Made) -> None:
    text = "GET /index.html select * from users <script>alert(1)</script> id=1"
    windows = scorer.windows([text])
    file = session(made.int8.SerializeToString())
    found = [file.run(["logits", "embedding"], {"input_ids": np.array([ids])}) for ids in windows.ids]
    logits, embedding = (np.concatenate(parts) for parts in zip(*found, strict=True))
    worst = int(scorer.attack(softmax(logits)).argmax())
    expected = embedding[worst] / np.linalg.norm(embedding[worst])
    assert len(found) > 1
    np.testing.assert_allclose(scorer.embed([text])[0], expected, atol=1e-7)


def test_scores_are_the_same_with_and_without_embeddings(scorer: WindowScorer) -> None:
    scores, embeddings = scorer.score_and_embed(TEXTS)
    alone = scorer.score(TEXTS)
    for part in ("logits", "windows", "overflow"):
        np.testing.assert_array_equal(getattr(scores, part), getattr(alone, part))
    np.testing.assert_array_equal(embeddings, scorer.embed(TEXTS))


def test_a_model_from_before_judges_but_does_not_embed(made: Made) -> None:
    old = type(made.int8)()
    old.CopyFrom(made.int8)
    del old.graph.output[1:]
    scorer = WindowScorer(
        old.SerializeToString(), TokenReader(made.tokenizer, WINDOWING), Labels(("benign", "sqli", "xss"), ("benign",)),
    )  # fmt: skip
    assert scorer.hidden is None
    assert len(scorer.judge(["id=1"])) == 1
    with pytest.raises(BundleError, match="compress it again"):
        scorer.embed(["id=1"])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80))
def test_every_window_is_in_one_batch_of_its_own_length(lengths: list[int]) -> None:
    ids = [list(range(1, n + 1)) for n in lengths]
    windows = Windows(np.arange(len(ids), dtype=np.int32), np.zeros(len(ids), dtype=bool), ids)
    batches = [(rows, onnx_input["input_ids"]) for rows, onnx_input in windows.batches()]
    seen = {int(row): values.tolist() for rows, batch in batches for row, values in zip(rows, batch, strict=True)}
    assert seen == dict(enumerate(ids))
    assert all(batch.size <= max(TOKENS_PER_RUN, batch.shape[1]) for _, batch in batches)


def test_a_session_optimizes_all_it_can_unless_told_otherwise(made: Made) -> None:
    file = made.int8.SerializeToString()
    for name, level in OPTIMIZATIONS.items():
        assert session(file, optimization=name).get_session_options().graph_optimization_level == level
    assert session(file).get_session_options().graph_optimization_level == OPTIMIZATIONS["all"]


def test_the_attack_probability_of_many_harmless_classes_does_not_depend_on_the_company(made: Made) -> None:
    classes = tuple(f"c{i}" for i in range(20))
    scorer = WindowScorer(
        made.int8.SerializeToString(), TokenReader(made.tokenizer, WINDOWING), Labels(classes, classes[:15])
    )
    rows = softmax(np.random.default_rng(0).normal(size=(500, 20)).astype(np.float32))
    alone = np.concatenate([scorer.attack(rows[i : i + 1]) for i in range(len(rows))])
    np.testing.assert_array_equal(scorer.attack(rows), alone)


class Broken(WindowScorer):
    """A model whose last output is no number for one text, in the last of its windows."""

    value = float("nan")

    def _run(self, windows: Windows, widths: Mapping[str, int]) -> list[Floats]:
        found = super()._run(windows, widths)
        found[-1][-1, -1] = self.value
        return found


@pytest.fixture(params=[np.nan, np.inf])
def broken(made: Made, request: pytest.FixtureRequest) -> Broken:
    """That model, which says NaN, or infinity."""
    labels = Labels(("benign", "sqli", "xss"), ("benign",))
    found = Broken(made.int8.SerializeToString(), TokenReader(made.tokenizer, WINDOWING), labels)
    found.value = request.param
    return found


def test_a_window_that_is_no_number_is_not_passed_over(broken: Broken, scorer: WindowScorer) -> None:
    texts = ["id=1", "GET /index.html select * from users <script>alert(1)</script> id=1"]
    scores = broken.score(texts)
    assert scores.windows[1] > 1
    assert not np.isfinite(scores.logits[1]).all()
    np.testing.assert_array_equal(scores.logits[0], scorer.score(texts).logits[0])


def test_an_embedding_that_is_no_number_is_not_made_one(broken: Broken, scorer: WindowScorer) -> None:
    for value in (broken.value, 1e30):  # whose square float32 does not hold
        broken.value = value
        found = broken.embed(["id=1", "<script>"])
        assert np.isnan(found[1]).all()
        np.testing.assert_array_equal(found[0], scorer.embed(["id=1"])[0])


def test_no_verdict_is_given_on_scores_that_are_no_numbers(broken: Broken) -> None:
    with pytest.raises(BundleError, match=r"^the model's scores of access\.csv:2 are no numbers"):
        broken.judge(["id=1", "<script>"], origins=["access.csv:1", "access.csv:2"])


def test_a_model_that_cannot_be_opened_prints_nothing_where_verdicts_go(
    made: Made, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnicodeDecodeError):
        session(made.fp32.SerializeToString().replace(b"MatMul", b"Mat\xadul"))  # its error quotes that
    assert capfd.readouterr().out == ""
