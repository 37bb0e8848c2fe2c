"""The bootstrap: exact on a tiny sample, like scipy's, stratified, in whole clusters, and of the right coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from overproof.checks.stats import Resampling, bootstrap

Rows = NDArray[np.intp]


def seen_by(strata: list[object], clusters: list[object] | None = None, draws: int = 50) -> list[Rows]:
    """The rows of every draw, without the first call, which is for all rows."""
    calls: list[Rows] = []

    def note(rows: Rows) -> float:
        calls.append(rows)
        return 0.0

    bootstrap(note, Resampling(strata, clusters, draws))
    assert calls[0].tolist() == list(range(len(strata)))
    return calls[1:]


def test_quantiles_are_those_of_all_27_samples_of_three() -> None:
    x = np.array([0.0, 1.0, 5.0])
    samples = x[np.array(list(np.ndindex(3, 3, 3)))].mean(axis=1)
    interval = bootstrap(lambda rows: float(x[rows].mean()), Resampling([0, 0, 0], draws=20_000), 0.8)
    assert interval.value == 2
    # 0.1 and 0.9 lie inside steps of the exact distribution, so that the quantiles are its values
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(samples, [0.1, 0.9])))


def test_the_interval_is_that_of_scipy() -> None:
    x = np.random.default_rng(1).exponential(size=300)
    ours = bootstrap(lambda rows: float(np.median(x[rows])), Resampling(np.zeros(300), draws=4000))
    theirs = stats.bootstrap(
        (x,), np.median, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_a_seed_gives_one_interval() -> None:
    x = np.random.default_rng(0).normal(size=50)

    def low(seed: int) -> float:
        return bootstrap(lambda rows: float(x[rows].mean()), Resampling(["a"] * 50, draws=100, seed=seed)).low

    assert low(3) == low(3) != low(4)


def test_every_stratum_keeps_its_size_whatever_its_label_is() -> None:
    strata = [None, "sqli", 3, "sqli", None, "sqli", ("a", 1)]
    for rows in seen_by(strata):
        assert Counter(strata[row] for row in rows) == Counter(strata)


def test_every_row_of_a_stratum_is_drawn_equally_often() -> None:
    drawn = np.bincount(np.concatenate(seen_by([0] * 10 + [1] * 30, draws=2000)), minlength=40)
    assert drawn / 2000 == pytest.approx(np.ones(40), abs=0.12)


def test_clusters_are_drawn_whole_and_as_many_as_a_stratum_has() -> None:
    random = np.random.default_rng(0)
    clusters = [f"flow{i}" for i in random.integers(0, 25, 120)]
    strata = [clusters[row] < "flow2" for row in range(120)]
    size, stratum = Counter(clusters), dict(zip(clusters, strata, strict=True))
    kinds = set()
    for rows in seen_by(strata, clusters):
        times = Counter(rows.tolist())
        drawn = {name: {times[row] for row in range(120) if clusters[row] == name} for name in size}
        assert all(len(counts) == 1 for counts in drawn.values()), "each row of a cluster as often as the others"
        for of_stratum in (True, False):
            members = [name for name in size if stratum[name] == of_stratum]
            assert sum(min(drawn[name]) for name in members) == len(members)
        kinds.add(len(rows))
    assert len(kinds) > 1, "clusters differ in size, so draws do"


def test_a_cluster_belongs_to_the_stratum_of_its_first_row() -> None:
    """Row 1 follows row 0; the stratum "b" keeps row 2 alone."""
    for rows in seen_by(["a", "b", "b"], ["x", "x", "y"]):
        assert sorted(rows.tolist()) == [0, 1, 2]
    for rows in seen_by(["a", "b"], ["x", "x"]):
        assert rows.tolist() == [0, 1]


def test_the_width_is_that_of_the_stratified_standard_error() -> None:
    """Davison & Hinkley 1997: only what varies within the strata counts."""
    random = np.random.default_rng(0)
    strata = np.repeat([0, 1], 400)
    x = random.normal(size=800) + 10 * strata
    error = np.sqrt(sum(x[strata == s].var() / 400 for s in (0, 1)) / 4)

    def mean(rows: Rows) -> float:
        return float(x[rows].mean())

    for known, expected in ((strata, error), (np.zeros(800), x.std() / np.sqrt(800))):
        interval = bootstrap(mean, Resampling(known))
        assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(expected, rel=0.08)


def test_a_paired_difference_is_taken_on_the_same_rows() -> None:
    """Two models that agree on nearly all rows: the difference varies as its discordant pairs, not as two rates."""
    first = np.random.default_rng(0).random(2000) < 0.5
    second = first.copy()
    second[:20] = ~second[:20]
    gap = first.astype(float) - second
    interval = bootstrap(lambda rows: float(first[rows].mean() - second[rows].mean()), Resampling(np.zeros(2000)))
    assert interval.value == pytest.approx(gap.mean())
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(gap.std() / np.sqrt(2000), rel=0.1)


def test_draws_without_a_value_are_left_out() -> None:
    """A ratio over a class that some draws miss."""
    rare = np.array([True, *[False] * 9])

    def share(rows: Rows) -> float:
        return 1.0 if rare[rows].any() else float("nan")

    interval = bootstrap(share, Resampling([0] * 10, draws=500))
    assert (interval.value, interval.low, interval.high) == (1, 1, 1)


def test_too_many_draws_without_a_value_are_refused() -> None:
    first = np.arange(10)
    with pytest.raises(ValueError, match="NaN for"):
        bootstrap(lambda rows: 1.0 if np.array_equal(rows, first) else float("nan"), Resampling([0] * 10, draws=20))
    with pytest.raises(ValueError, match="nan for all rows"):
        bootstrap(lambda rows: float("nan") if np.array_equal(rows, first) else 1.0, Resampling([0] * 10, draws=20))


@pytest.mark.parametrize(
    ("resampling", "confidence"),
    [
        (Resampling([]), 0.95),
        (Resampling([1, 2], clusters=[1]), 0.95),
        (Resampling([1, 2], draws=0), 0.95),
        (Resampling([1, 2]), 1.0),
    ],
)
def test_nonsense_is_refused(resampling: Resampling, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"rows|strata"):
        bootstrap(lambda rows: 0.0, resampling, confidence)


def test_only_whole_clusters_cover_the_truth_as_often_as_promised() -> None:
    """60 sessions of 5 events that are nearly alike: taken one by one the events promise far too much."""
    random, groups, trials = np.random.default_rng(0), 60, 120
    clusters = np.repeat(np.arange(groups), 5)
    covered = {True: 0, False: 0}
    for trial in range(trials):
        x = np.repeat(random.normal(size=groups), 5) + 0.3 * random.normal(size=groups * 5)
        mean: Callable[[Rows], float] = lambda rows, x=x: float(x[rows].mean())  # noqa: E731
        for whole in covered:
            interval = bootstrap(mean, Resampling(np.zeros(len(x)), clusters if whole else None, draws=200, seed=trial))
            covered[whole] += interval.low <= 0 <= interval.high
    assert covered[True] / trials > 0.88
    assert covered[False] / trials < 0.75
