"""Softmax and entropy against the tutorial's packet D and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from overproof.bundle.scores import entropy_bits, softmax

PACKET_D = np.log(np.array([[0.05, 0.45, 0.50]], dtype=np.float32))


def test_packet_d_spreads_with_temperature() -> None:
    np.testing.assert_allclose(softmax(PACKET_D)[0], [0.05, 0.45, 0.50], atol=1e-6)
    np.testing.assert_allclose(softmax(PACKET_D, 2.0)[0], [0.140, 0.419, 0.442], atol=5e-4)


def test_entropy_of_packet_d_is_1_23_bits() -> None:
    assert entropy_bits(softmax(PACKET_D))[0] == pytest.approx(1.23, abs=0.005)


def test_against_scipy() -> None:
    z = np.random.default_rng(0).normal(0, 8, (50, 7)).astype(np.float32)
    np.testing.assert_allclose(softmax(z, 3.0), special.softmax(z / 3, axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        entropy_bits(softmax(z)), stats.entropy(softmax(z), base=2, axis=1), rtol=1e-4, atol=1e-6
    )


def test_extreme_logits_stay_finite() -> None:
    p = softmax(np.array([[1e4, -1e4, 0]], dtype=np.float32))
    assert p.tolist() == [[1.0, 0.0, 0.0]]
    assert entropy_bits(p)[0] == 0.0


def test_what_is_no_number_gives_no_probability() -> None:
    found = softmax(np.array([[np.nan, 0, 1], [np.inf, 0, 1], [np.inf, np.inf, 0], [3, 0, -np.inf]], dtype=np.float32))
    assert np.isnan(found[:3]).all()
    assert np.isnan(softmax(np.array([[1.0, 2.0]], dtype=np.float32), 1e-310)).all()
    np.testing.assert_allclose(found[3], [0.952574, 0.047426, 0.0], rtol=1e-5)
