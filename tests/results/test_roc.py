"""Curves against scikit-learn's, ties and all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve as reference

from overproof.results.roc import MOST, RocCurve, roc_curve


@pytest.mark.parametrize(("n", "steps"), [(2, 1), (7, 2), (60, 4), (5000, 9), (400, 10**6), (30_000, 10**9)])
@pytest.mark.parametrize("seed", range(3))
def test_every_point_is_one_of_scikit_learns(n: int, steps: int, seed: int) -> None:
    random = np.random.default_rng([seed, n])
    attacks = random.random(n) < 0.4
    attacks[:2] = True, False
    score = np.round((random.normal(1.5 * attacks) + 5) * steps) / steps
    found = roc_curve(score, attacks)
    flagged, detected, _ = reference(attacks, score, drop_intermediate=False)
    flagged = np.rint(flagged * (~attacks).sum()).astype(int)
    missed = attacks.sum() - np.rint(detected * attacks.sum()).astype(int)
    points = list(zip(found.flagged, found.missed, strict=True))
    assert set(points) <= set(zip(flagged.tolist(), missed.tolist(), strict=True))
    assert points[0] == (0, attacks.sum()) and points[-1] == ((~attacks).sum(), 0)
    assert len(points) <= MOST
    if len(flagged) < MOST:  # then nothing is lost: what was left out lies on straight lines
        assert np.allclose(np.trapezoid(found.missed, found.flagged), np.trapezoid(missed, flagged))


def test_a_thinned_curve_keeps_every_decade() -> None:
    random = np.random.default_rng(0)
    attacks = np.arange(60_000) < 20_000
    found = roc_curve(random.normal(3.0 * attacks), attacks)
    assert 150 < len(found.flagged) <= MOST
    flagged = np.array(found.flagged)
    for low in (1, 10, 100, 1000):
        assert ((flagged >= low) & (flagged < 10 * low)).sum() >= 10


def test_equal_scores_are_one_step() -> None:
    attacks = np.array([True, False, True, False])
    assert roc_curve(np.zeros(4), attacks) == RocCurve(2, 2, (0, 2), (2, 0))


@pytest.mark.parametrize(
    ("flagged", "missed"),
    [((), ()), ((0, 3), (2, 1)), ((1, 3), (2, 0)), ((0, 2, 1, 3), (2, 1, 1, 0)), ((0, 3), (2, 1, 0))],
)
def test_what_is_no_curve(flagged: tuple[int, ...], missed: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no curve"):
        RocCurve(3, 2, flagged, missed)
