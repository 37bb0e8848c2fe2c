"""Whoever scores a bundle of two students, an event has the scores, and the tier, that it has here."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa

from overproof.bundle.tiers import TieredScorer
from overproof.bundle.tiers import open as open_student
from overproof.events.schema import event_table
from overproof.inference.engines.local import in_process
from overproof.inference.engines.processes import worker_processes

TEXTS = ["".join("ABCDEFGHIJ "[(i * k) % 11] for k in range(3 + i % 17)) for i in range(120)]


def batches() -> list[pa.RecordBatch]:
    return event_table({"text": [*TEXTS, *TEXTS[::-1]]}).to_batches(max_chunksize=50)


def test_processes_and_this_process_say_which_student_decided(tiered_bundle: Path) -> None:
    scorer = open_student(tiered_bundle)
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
