"""Thresholds from validation: they hold on the events they were set on, or are unmeasured."""

from __future__ import annotations

import numpy as np

from overproof.distillation.export import parity
from overproof.jobs.evaluate import thresholds


def test_a_threshold_lets_through_at_most_its_rate() -> None:
    attack = np.random.default_rng(0).random(5000).astype(np.float32)
    benign = [i % 2 == 0 for i in range(5000)]
    found = thresholds(attack, benign)
    benign = attack[::2]
    for rate in (1e-2, 1e-3):
        limit = found[f"{rate:g}"]
        assert limit is not None
        assert (benign > limit).mean() <= rate
        assert (benign > limit - 1e-2).mean() > rate, "not needlessly strict"
    assert found["0.0001"] is None, "2,500 benign events cannot show one in 10,000"


def test_no_benign_events_means_unmeasured() -> None:
    assert set(thresholds(np.ones(3, np.float32), [False] * 3).values()) == {None}


def test_parity_counts_flips() -> None:
    before = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]], dtype=np.float32)
    after = np.array([[1.0, 0.5], [0.5, 0.4], [2.0, 1.0]], dtype=np.float32)
    step = parity("a → b", before, after)
    assert (step.events, step.flips) == (3, 1)
    assert step.max_difference == np.float32(0.6)
    assert "1 of 3 verdicts flip (33.33%)" in str(step)
    assert "unmeasured" in str(parity("a → b", before[:0], after[:0]))
