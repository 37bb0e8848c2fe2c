"""The map of the embedding: what is drawn, the axes against scikit-learn, and who lies nearer to whom, by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from overproof.checks.base import FULL, QUANTIZED, CheckContext
from overproof.checks.embedded import NOT_EMBEDDED, Embedded
from overproof.checks.embedding_map import DRAWN, KINDS, MISSES, EmbeddingMap, MapLayer, drawn, embedding_map
from overproof.checks.reasons import NO_ATTACKS, NO_BENIGN
from overproof.jobs.check_embedding import NO_EMBEDDING, embed_events
from overproof.jobs.model_outputs import ModelQueries
from overproof.results.typed_json import NotMeasured, from_json, to_json

Make = Callable[..., CheckContext]
LOST = {QUANTIZED: {"ssti": 0.6}}


def placed(context: CheckContext, where: Callable[[CheckContext, np.ndarray], np.ndarray]) -> CheckContext:
    """The context with its drawn events embedded."""
    rows = drawn(context)
    assert not isinstance(rows, NotMeasured)
    vectors = where(context, rows).astype(np.float32)
    return replace(context, embedded=Embedded(rows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))


def by_verdict(context: CheckContext, rows: np.ndarray) -> np.ndarray:
    """What the student flags lies in one place, the rest in another."""
    noise = np.random.default_rng(3).normal(0, 0.05, (len(rows), 6))
    return noise + np.where(context.detected(QUANTIZED)[rows][:, None], np.eye(6)[0], np.eye(6)[1])


def by_truth(context: CheckContext, rows: np.ndarray) -> np.ndarray:
    """Attacks lie in one place, whatever the student says."""
    noise = np.random.default_rng(3).normal(0, 0.05, (len(rows), 6))
    return noise + np.where(context.attacks[rows][:, None], np.eye(6)[0], np.eye(6)[1])


def mapped(context: CheckContext) -> EmbeddingMap:
    found = embedding_map(context)
    assert isinstance(found, EmbeddingMap)
    return found


def test_so_many_are_drawn_and_all_that_is_missed(make: Make) -> None:
    context = make(LOST)
    rows = drawn(context)
    assert not isinstance(rows, NotMeasured)
    missed = np.flatnonzero(context.attacks & ~context.detected(QUANTIZED))
    assert 0 < len(missed) <= MISSES and set(missed) <= set(rows.tolist())
    assert int(context.benign_events[rows].sum()) == DRAWN
    assert DRAWN <= int(context.attacks[rows].sum()) <= DRAWN + MISSES
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_the_seed_decides_what_is_drawn_and_nothing_else_does(make: Make) -> None:
    context = make(LOST)
    again, other = drawn(make(LOST)), drawn(replace(context, seed=5))
    assert np.array_equal(np.asarray(drawn(context)), np.asarray(again))
    assert not np.array_equal(np.asarray(again), np.asarray(other))
    assert embedding_map(placed(context, by_truth)) == embedding_map(placed(context, by_truth))


def test_the_axes_are_the_principal_components(make: Make) -> None:
    context = placed(make(LOST), by_truth)
    found = mapped(context)
    assert isinstance(context.embedded, Embedded)
    reference = PCA(2).fit(context.embedded.vectors.astype(np.float64))
    assert found.variance == pytest.approx(reference.explained_variance_ratio_, abs=2e-4)
    expected = reference.transform(context.embedded.vectors.astype(np.float64))
    for axis, name in enumerate(("x", "y")):
        values = sorted(v for layer in found.layers for v in getattr(layer, name))
        either = [sorted(sign * expected[:, axis]) for sign in (1, -1)]
        assert min(np.abs(np.array(values) - other).max() for other in either) < 2e-3


@pytest.mark.parametrize(
    ("where", "missed"), [(by_verdict, 1.0), (by_truth, 0.0)], ids=["as the student judges", "as they are"]
)
def test_a_miss_lies_nearer_to_what_is_like_it(make: Make, where: Any, missed: float) -> None:
    found = mapped(placed(make(LOST), where))
    assert found.missed.n > 40 and found.missed.share is not None and found.missed.share.value == missed
    assert found.detected.k == 0 and found.detected.n > 300
    assert {layer.kind: len(layer.x) for layer in found.layers}["missed"] == found.missed.n


def test_what_both_miss_is_told_from_what_the_student_alone_misses(make: Make) -> None:
    found = mapped(placed(make({FULL: {"ssti": 0.3}, QUANTIZED: {"ssti": 0.6}}), by_truth))
    counts = {layer.kind: len(layer.x) for layer in found.layers}
    assert counts["missed by both"] > 10 and counts["missed"] > 10
    without = mapped(placed(make(LOST, without=(FULL,)), by_truth))
    assert {layer.kind: len(layer.x) for layer in without.layers}["missed by both"] == 0


def test_equally_many_of_either_kind_decide_what_is_nearer(make: Make) -> None:
    """Attacks and benign events that lie in the same cloud: half of either are nearer to benign ones."""

    def anywhere(context: CheckContext, rows: np.ndarray) -> np.ndarray:
        return np.random.default_rng(1).normal(0, 1, (len(rows), 6))

    found = mapped(placed(make(LOST, counts={"benign": 2000, "sqli": 120, "ssti": 30}), anywhere))
    assert found.reference == 150
    assert found.detected.share is not None and 0.3 < found.detected.share.value < 0.7


def test_events_without_a_number_are_left_out_and_counted(make: Make) -> None:
    context = placed(make(LOST), by_truth)
    assert isinstance(context.embedded, Embedded)
    context.embedded.vectors[:7] = np.nan
    found = mapped(context)
    assert found.unplaced == 7
    assert sum(len(layer.x) for layer in found.layers) == len(context.embedded.rows) - 7
    context.embedded.vectors[:] = np.nan
    assert embedding_map(context) == NotMeasured(
        "it takes 2 benign events and 2 attacks of which the embedding holds numbers"
    )


def test_why_there_is_no_map_is_said(make: Make) -> None:
    context = make(LOST)
    assert embedding_map(context) == NOT_EMBEDDED
    assert drawn(make(counts={"benign": 40})) == NotMeasured(NO_ATTACKS)
    assert drawn(make(counts={"sqli": 40})) == NotMeasured(NO_BENIGN)
    same = placed(context, lambda context, rows: np.ones((len(rows), 3)))
    assert embedding_map(same) == NotMeasured("the student's embedding is the same for all events")


def test_a_file_without_embedding_says_so_and_one_with_is_asked_for_what_was_drawn(make: Make) -> None:
    context = make(LOST)
    asked: list[str] = []

    def embed(texts: Any) -> np.ndarray:
        asked.extend(texts)
        return np.ones((len(texts), 3), dtype=np.float32)

    queries = ModelQueries({}, lambda events, what: None)  # type: ignore[arg-type,return-value]
    assert embed_events(context, queries) == NotMeasured(NO_EMBEDDING)
    found = embed_events(context, replace(queries, embed=embed, note="of the second"))
    assert isinstance(found, Embedded) and found.note == "of the second"
    assert asked == [context.sample.texts[row] for row in found.rows]
    bare = replace(context, sample=replace(context.sample, labels=[None] * len(context.sample)))
    assert isinstance(embed_events(bare, replace(queries, embed=embed)), NotMeasured)


def test_it_is_read_back_as_it_was_written_or_refused(make: Make) -> None:
    found = mapped(placed(make(LOST), by_truth))
    stored = to_json(found)
    assert from_json(EmbeddingMap, stored) == found
    assert [layer["kind"] for layer in stored["layers"]] == list(KINDS)
    with pytest.raises(ValueError, match="layers: expected benign, detected"):
        from_json(EmbeddingMap, {**stored, "layers": stored["layers"][:2]})
    with pytest.raises(ValueError, match="expected as many x as y"):
        MapLayer("benign", (1.0,), ())
    empty = tuple({**layer, "x": [], "y": []} for layer in stored["layers"])
    with pytest.raises(ValueError, match="no event is placed"):
        from_json(EmbeddingMap, {**stored, "layers": empty})
