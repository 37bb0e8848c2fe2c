"""Whoever scores a bundle of two students, an event has the scores, and the tier, that it has here."""

from __future__ import annotations

import pickle
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.manifest import COMPARISON, FIRST, open_bundle
from overproof.bundle.tiers import TieredScorer, open_student
from overproof.events.schema import event_table
from overproof.inference.engines import ray
from overproof.inference.engines.interface import packed, texts_of
from overproof.inference.engines.local import in_process
from overproof.inference.engines.processes import worker_processes

TEXTS = ["".join("ABCDEFGHIJ "[(i * k) % 11] for k in range(3 + i % 17)) for i in range(120)]


def batches() -> list[pa.RecordBatch]:
    return event_table({"text": [*TEXTS, *TEXTS[::-1]]}).to_batches(max_chunksize=50)


def test_a_cluster_is_given_all_that_both_students_need(tiered_bundle: Path) -> None:
    """What its nodes score with, in this process: no report, and the same scores, tiers and all."""
    bundle = open_bundle(tiered_bundle)
    report = {name: b"{}" for name in (COMPARISON, f"{FIRST}{COMPARISON}")}
    needed = ray._needed(replace(bundle, files={**bundle.files, **report}))
    assert set(needed.files) == set(bundle.files)
    (batch, *_) = batches()
    (table,) = ray._score(ray._row([], None, packed(batch)), needed)
    scores, expected = pickle.loads(table["scores"][0].as_py()), open_student(bundle).score(texts_of(batch))
    np.testing.assert_array_equal(scores.tier, expected.tier)
    np.testing.assert_array_equal(scores.logits, expected.logits)


def test_processes_and_this_process_say_which_student_decided(tiered_bundle: Path) -> None:
    scorer = open_student(open_bundle(tiered_bundle))
    assert isinstance(scorer, TieredScorer)
    for engine in (in_process(scorer), worker_processes(scorer, tiered_bundle, 2)):
        with closing(engine(iter(batches()))) as scored:  # type: ignore[type-var]
            found = list(scored)
        assert len(found) == len(batches())
        for batch, scores in found:
            expected = scorer.score(batch.column("text").to_pylist())
            assert scores.tier is not None and expected.tier is not None
            np.testing.assert_array_equal(scores.tier, expected.tier)
            np.testing.assert_array_equal(scores.logits, expected.logits)
        tiers = np.concatenate([scores.tier for _, scores in found])  # type: ignore[misc]
        assert set(tiers.tolist()) == {1, 2}
