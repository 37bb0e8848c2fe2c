"""Each observer is at least as good as min-max in what it optimizes, and agrees with what was published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overproof.quantization.affine import (
    OBSERVERS,
    Grid,
    Scheme,
    cost,
    dequantize,
    entropy,
    fit,
    grid_of,
    minmax,
    mse,
    percentile,
)
from overproof.quantization.affine import quantize as to_integers

U8, S8 = Scheme(), Scheme(symmetric=True, signed=True)
FEW = (U8, S8, Scheme(4), Scheme(2, symmetric=True), Scheme(8, True, True, True))
SCHEMES = pytest.mark.parametrize("scheme", FEW, ids=str)
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=st.floats(-1e4, 1e4, width=32))


def noise(x: np.ndarray, grid: Grid) -> np.ndarray:
    """Mean squared error of each row."""
    return np.square(dequantize(to_integers(x, grid), grid).astype(float) - x).mean(axis=-1)


@pytest.fixture(scope="module")
def heavy() -> np.ndarray:
    """A Laplace sample: what weights and activations are said to look like; shape (1, n)."""
    return np.random.default_rng(0).laplace(size=(1, 200_000)).astype(np.float32)


@pytest.mark.parametrize("observer", OBSERVERS)
@given(rows=ROWS, scheme=st.sampled_from(FEW))
@settings(max_examples=25)
def test_every_range_holds_zero_and_none_is_wider_than_minmax(observer: str, rows: np.ndarray, scheme: Scheme) -> None:
    low, high = OBSERVERS[observer](rows, scheme)
    widest = minmax(rows, scheme)
    assert low.shape == high.shape == (len(rows),)
    assert (np.minimum(low, 0) >= np.minimum(widest[0], 0)).all()
    assert (np.maximum(high, 0) <= np.maximum(widest[1], 0)).all()
    grid = grid_of(low, high, scheme, axis=0)
    assert (grid.low <= 0).all() and (grid.high >= 0).all()


@settings(max_examples=50)
@given(rows=ROWS, scheme=st.sampled_from(FEW))
def test_mse_never_has_a_greater_squared_error_than_minmax(rows: np.ndarray, scheme: Scheme) -> None:
    whole, narrow = (grid_of(*observer(rows, scheme), scheme, axis=0) for observer in (minmax, mse))
    assert (noise(rows, narrow) <= noise(rows, whole)).all()


@SCHEMES
def test_mse_gains_where_the_tails_are_long(heavy: np.ndarray, scheme: Scheme) -> None:
    worst = fit(heavy, scheme)
    assert cost(heavy, fit(heavy, scheme, observer=mse)).sqnr_db >= cost(heavy, worst).sqnr_db
    if scheme.bits <= 4:
        assert cost(heavy, fit(heavy, scheme, observer=mse)).sqnr_db > cost(heavy, worst).sqnr_db + 3


@pytest.mark.parametrize(("bits", "step", "error"), [(2, 1.2240, 0.1902), (3, 0.6508, 0.04686)])
def test_mse_finds_the_optimal_uniform_quantizer_of_a_gaussian(bits: int, step: float, error: float) -> None:
    """Max 1960, "Quantizing for minimum distortion", table II, with 3 and 7 levels."""
    x = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    grid = fit(x, Scheme(bits, symmetric=True, signed=True), observer=mse)
    assert float(grid.scale) == pytest.approx(step, rel=0.02)
    assert float(noise(x, grid)) == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize(("bits", "clip", "within"), [(2, 2.83, 0.12), (3, 3.89, 0.05), (4, 5.03, 0.05)])
def test_mse_clips_a_laplace_distribution_where_banner_et_al_do(
    heavy: np.ndarray, bits: int, clip: float, within: float
) -> None:
    """Banner et al. 2019, section 3.1, in units of b.

    They take 2^bits equal cells between the clipping values and the error in a cell as uniform, which is coarse
    for few bits; the symmetric grid has one level less, and its outermost cells end half a step outside.
    """
    assert 3 * 4**bits * np.exp(-clip) == pytest.approx(clip, rel=0.02), "their equation for the threshold"
    grid = fit(heavy, Scheme(bits, symmetric=True, signed=True), observer=mse)
    assert float(grid.high + grid.scale / 2) == pytest.approx(clip, rel=within)


@pytest.mark.parametrize("percent", [50.0, 90.0, 99.0, 99.99, 100.0])
def test_percentile_leaves_out_what_it_says_half_at_each_end(heavy: np.ndarray, percent: float) -> None:
    low, high = percentile(heavy, U8, percent)
    for outside in (heavy < low, heavy > high):
        assert outside.mean() == pytest.approx((1 - percent / 100) / 2, abs=1 / heavy.size)


def test_percentile_rounds_what_it_keeps_finer_than_minmax(heavy: np.ndarray) -> None:
    whole, narrow = (grid_of(*observer(heavy, U8), U8, axis=0) for observer in (minmax, percentile))
    kept = heavy[(heavy >= narrow.low) & (heavy <= narrow.high)].reshape(1, -1)
    assert noise(kept, narrow) < noise(kept, whole)


def divergence(counts: list[float], end: int, levels: int) -> float:
    """KL(P || Q), written with loops from Migacz' slides; apart from the code under test on purpose."""
    kept = [float(c) for c in counts[:end]]
    reference = [*kept[:-1], kept[-1] + sum(counts[end:])]
    spread = [0.0] * end
    for level in range(levels):
        members = [i for i in range(end) if i * levels // end == level]
        filled = [i for i in members if kept[i]]
        for i in filled:
            spread[i] = sum(kept[j] for j in members) / len(filled)
    p, q = (np.array(side) / max(sum(side), 1e-300) for side in (reference, spread))
    return float(sum(a * np.log(a / max(b, 1e-12)) for a, b in zip(p, q, strict=True) if a))


def test_entropy_finds_the_least_divergence_of_a_small_histogram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.quantization.affine.observers.BINS", 256)
    scheme = Scheme(4, symmetric=True, signed=True)
    for seed in range(5):
        x = np.random.default_rng(seed).standard_t(2, size=(1, 3000)).astype(np.float32)
        low, high = entropy(x, scheme)
        counts, edges = np.histogram(np.abs(x).astype(float), 256, (0, float(np.abs(x).max())))
        ends = range(7, 257)
        best = min(ends, key=lambda end: divergence(list(counts), end, 7))
        assert float(max(-low[0], high[0])) == pytest.approx(edges[best], rel=1e-6)


def test_entropy_clips_an_outlier_and_keeps_a_whole_uniform_range() -> None:
    random = np.random.default_rng(0)
    calm = random.uniform(-1, 1, size=(1, 100_000)).astype(np.float32)
    low, high = entropy(calm, S8)
    assert (low, high) == (pytest.approx([calm.min()]), pytest.approx([calm.max()]))
    low, high = entropy(np.append(calm, [[50.0]], axis=1).astype(np.float32), S8)
    assert high < 10


def test_each_row_is_observed_alone() -> None:
    rows = np.random.default_rng(0).standard_t(3, size=(4, 500)).astype(np.float32) * np.float32(
        [[1], [10], [0.1], [0]]
    )
    for observer in OBSERVERS.values():
        together = observer(rows, U8)
        alone = [observer(row[None], U8) for row in rows]
        np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
