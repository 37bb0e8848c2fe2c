"""Proportions: published tables, scipy, statsmodels, brute-force likelihood, and coverage by exact enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from overproof.checks.stats import (
    Interval,
    clopper_pearson,
    events_needed,
    holm,
    lower_bound,
    mcnemar,
    needed_for_margin,
    non_inferior,
    tango,
    tango_p,
    upper_bound,
    wilson,
)

COUNTS = [(k, n) for n in (1, 2, 7, 20, 148, 2000) for k in {0, 1, n // 3, n // 2, n - 1, n}]
CONFIDENCES = pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int]:
    """Some k of n."""
    n = draw(st.integers(1, 10**6))
    return draw(st.integers(0, n)), n


@st.composite
def paired(draw: st.DrawFn) -> tuple[int, int, int]:
    """Discordant pairs b and c of n."""
    n = draw(st.integers(1, 10**5))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def covers(low: NDArray[np.float64], high: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact probability that the interval of k / n holds each rate; low and high are those of k = 0..n."""
    k, p = np.arange(len(low)), rates[:, None]
    inside = (low <= p) & (p <= high)
    return np.asarray((stats.binom.pmf(k, len(low) - 1, p) * inside).sum(axis=1))


# one proportion


@pytest.mark.parametrize(
    ("k", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_the_intervals_are_those_of_newcombe_1998a(
    k: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, methods 3 and 5."""
    assert ends(wilson(k, n)) == pytest.approx(score, abs=5e-5)
    assert ends(clopper_pearson(k, n)) == pytest.approx(exact, abs=6e-5)


@CONFIDENCES
@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_the_intervals_are_those_of_scipy_and_statsmodels(k: int, n: int, confidence: float) -> None:
    for ours, scipy_name, statsmodels_name in ((wilson, "wilson", "wilson"), (clopper_pearson, "exact", "beta")):
        mine = ends(ours(k, n, confidence))
        assert mine == pytest.approx(stats.binomtest(k, n).proportion_ci(confidence, scipy_name), abs=1e-9)
        assert mine == pytest.approx(proportion_confint(k, n, 1 - confidence, statsmodels_name), abs=1e-9)


@given(counts=counted(), confidence=st.floats(1e-6, 1 - 1e-6))
def test_an_interval_holds_its_value_within_0_and_1_and_is_exact_at_the_edges(
    counts: tuple[int, int], confidence: float
) -> None:
    k, n = counts
    for interval in (wilson(k, n, confidence), clopper_pearson(k, n, confidence)):
        assert 0 <= interval.low <= interval.value == k / n <= interval.high <= 1
        assert k or interval.low == 0
        assert k < n or interval.high == 1


@CONFIDENCES
@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_at_a_bound_what_was_seen_is_as_improbable_as_it_says(k: int, n: int, confidence: float) -> None:
    high, low = upper_bound(k, n, confidence), lower_bound(k, n, confidence)
    assert high == 1 if k == n else stats.binom.cdf(k, n, high) == pytest.approx(1 - confidence)
    assert low == 0 if k == 0 else stats.binom.sf(k - 1, n, low) == pytest.approx(1 - confidence)


@pytest.mark.parametrize("n", [5, 30, 200])
def test_the_exact_interval_covers_every_rate_and_wilsons_covers_the_average_one(n: int) -> None:
    rates = np.linspace(0.0005, 0.9995, 1000)
    exact, score = (np.array([ends(f(k, n)) for k in range(n + 1)]).T for f in (clopper_pearson, wilson))
    assert covers(*exact, rates).min() >= 0.95
    assert covers(*score, rates).mean() == pytest.approx(0.95, abs=0.01)
    assert covers(*score, rates).min() < 0.95, "which is why a claim takes the exact one"


def test_one_sided_bounds_cover_every_rate() -> None:
    rates, n = np.linspace(0.0005, 0.9995, 1000), 59
    bounds = np.array([(lower_bound(k, n), upper_bound(k, n)) for k in range(n + 1)]).T
    assert covers(bounds[0], np.ones(n + 1), rates).min() >= 0.95
    assert covers(np.zeros(n + 1), bounds[1], rates).min() >= 0.95


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_proportion_is_refused(k: int, n: int) -> None:
    for function in (wilson, clopper_pearson, upper_bound, lower_bound):
        with pytest.raises(ValueError, match="no proportion"):
            function(k, n)
        with pytest.raises(ValueError, match="between 0 and 1"):
            function(1, 2, 1.0)


# how many events


def test_events_needed_are_the_sample_sizes_of_wilks() -> None:
    """The 95 % / 95 % sample sizes of the first to fifth order that nuclear safety takes from Wilks 1941."""
    assert [events_needed(0.05, losses=losses) for losses in range(5)] == [59, 93, 124, 153, 181]


@pytest.mark.parametrize("limit", [0.5, 0.05, 0.01, 0.005, 1e-4])
@CONFIDENCES
def test_events_needed_without_losses_have_a_closed_form(limit: float, confidence: float) -> None:
    assert events_needed(limit, confidence) == math.ceil(math.log(1 - confidence) / math.log1p(-limit))


def test_half_a_percent_needs_598_events() -> None:
    assert events_needed(0.005) == 598


@given(limit=st.floats(1e-3, 0.999), confidence=st.floats(0.01, 0.999), losses=st.integers(0, 50))
def test_events_needed_are_the_fewest(limit: float, confidence: float, losses: int) -> None:
    n = events_needed(limit, confidence, losses)
    assert upper_bound(losses, n, confidence) <= limit
    assert n == losses + 1 or upper_bound(losses, n - 1, confidence) > limit


@pytest.mark.parametrize(
    ("limit", "confidence", "losses"), [(0.0, 0.95, 0), (1.0, 0.95, 0), (0.1, 1.0, 0), (0.1, 0.9, -1)]
)
def test_events_needed_refuses_nonsense(limit: float, confidence: float, losses: int) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|losses"):
        events_needed(limit, confidence, losses)


# McNemar and Holm


@pytest.mark.parametrize("b", [0, 1, 5, 12, 40])
@pytest.mark.parametrize("c", [0, 1, 7, 12, 90])
def test_mcnemar_is_that_of_statsmodels_and_scipy(b: int, c: int) -> None:
    table = [[10, b], [c, 10]]
    assert mcnemar(b, c) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue if b + c else 1.0)
    one_sided = stats.binomtest(b, b + c, alternative="greater").pvalue if b + c else 1.0
    assert mcnemar(b, c, "greater") == pytest.approx(one_sided)


def test_mcnemar_of_eight_tosses() -> None:
    """Bentur et al. 2009, the example of Fagerland et al. 2013: 1 and 7 discordant pairs, p = 18 / 256 = 0.070."""
    assert mcnemar(1, 7) == mcnemar(7, 1) == 18 / 256
    assert mcnemar(7, 1, "greater") == 9 / 256


def test_mcnemar_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="discordant"):
        mcnemar(-1, 2)
    with pytest.raises(ValueError, match="alternative"):
        mcnemar(1, 2, "less")


def test_holm_of_the_common_example() -> None:
    """Four tests; at 5 % the first and the last are rejected, as the step-down against 0.05 / 4, 3, 2, 1 says."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_keeps_the_order_and_never_helps(p: list[float]) -> None:
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert ((adjusted >= p) & (adjusted <= 1)).all()
    assert adjusted[int(np.argmin(p))] == min(1.0, min(p) * len(p))


@pytest.mark.parametrize("tests", [1, 5, 40])
def test_holm_is_that_of_statsmodels(tests: int) -> None:
    p = np.round(np.random.default_rng(tests).random(tests) ** 4, 2)  # with ties, zeros and values near 1
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


def test_holm_of_nothing_and_of_nonsense() -> None:
    assert holm([]).shape == (0,)
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="p-values"):
            holm([0.5, bad])


# the paired difference


def score(b: float, c: float, n: float, difference: float) -> float:
    """Tango's statistic by brute force: the restricted likelihood is maximized numerically, no formula of his used."""
    least, most = max(0.0, -difference), (1 - difference) / 2

    def minus_log_likelihood(q: float) -> float:
        rates = q + difference, q, max(1 - 2 * q - difference, 1e-300)
        return -sum(count * math.log(max(rate, 1e-300)) for count, rate in zip((b, c, n - b - c), rates, strict=True))

    q = float(optimize.minimize_scalar(minus_log_likelihood, (least, most), (least, most), options={"xatol": 1e-12}).x)
    return (b - c - n * difference) / math.sqrt(n * (2 * q + difference - difference**2))


def test_tango_reproduces_the_example_of_his_paper() -> None:
    """Tango 1998, section 6.1, soft contact lenses: 43 of 44 pairs agree, the new treatment lost one; margin 0.1.

    He prints Z = 1.709, p = 0.044 and a lower 90 % limit of -0.096.
    """
    assert tango(0, 1, 44, 0.90).low == pytest.approx(-0.096, abs=5e-4)
    p = tango_p(1, 0, 44, 0.1)
    assert p == pytest.approx(0.044, abs=5e-4)
    assert -stats.norm.ppf(p) == pytest.approx(1.709, abs=5e-4)


def test_tango_reproduces_the_example_of_fagerland_et_al() -> None:
    """Fagerland, Lydersen & Laake 2014, table V: 1 and 7 discordant pairs of 21, from -0.517 to -0.026."""
    interval = tango(1, 7, 21)
    assert interval.value == pytest.approx(-0.286, abs=5e-4)
    assert ends(interval) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(
    ("b", "c", "n"), [(12, 2, 50), (2, 12, 50), (1, 0, 30), (0, 9, 40), (25, 25, 50), (3, 40, 44), (30, 28, 3000)]
)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_at_tangos_ends_the_brute_force_statistic_is_z(b: int, c: int, n: int, confidence: float) -> None:
    z, interval = stats.norm.ppf((1 + confidence) / 2), tango(b, c, n, confidence)
    assert score(b, c, n, interval.low) == pytest.approx(z, abs=1e-4)
    assert score(b, c, n, interval.high) == pytest.approx(-z, abs=1e-4)


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (0, 4, 40), (1, 1, 300)])
@pytest.mark.parametrize("margin", [-0.3, -0.01, 0.01, 0.05, 0.4])
def test_tangos_p_is_the_normal_tail_of_the_brute_force_statistic(b: int, c: int, n: int, margin: float) -> None:
    assert tango_p(b, c, n, margin) == pytest.approx(stats.norm.cdf(score(b, c, n, margin)), rel=1e-4, abs=1e-12)


@given(b=st.integers(0, 1000), c=st.integers(0, 1000), more=st.integers(0, 1000))
def test_without_a_margin_tango_is_mcnemars_normal_statistic(b: int, c: int, more: int) -> None:
    """Tango 1998, section 6.2."""
    z = (b - c) / math.sqrt(b + c) if b + c else 0.0
    assert tango_p(b, c, max(1, b + c + more), 0.0) == pytest.approx(stats.norm.cdf(z), abs=1e-12)


@CONFIDENCES
@pytest.mark.parametrize("n", [1, 10, 59, 10_000])
def test_tango_has_a_closed_form_where_nothing_differs(n: int, confidence: float) -> None:
    z2 = stats.norm.ppf((1 + confidence) / 2) ** 2
    assert ends(tango(0, 0, n, confidence)) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_tango_where_everything_differs(n: int) -> None:
    only_b, only_c = tango(n, 0, n), tango(0, n, n)
    z2 = stats.norm.ppf(0.975) ** 2
    assert (only_b.value, only_b.high, only_c.value, only_c.low) == (1, 1, -1, -1)
    assert only_b.low == -only_c.high == pytest.approx((n - z2) / (n + z2)), "the score interval of n of n, doubled"


@given(pairs=paired(), confidence=st.floats(0.01, 0.9999))
def test_tango_holds_its_value_and_mirrors(pairs: tuple[int, int, int], confidence: float) -> None:
    b, c, n = pairs
    interval, mirrored = tango(b, c, n, confidence), tango(c, b, n, confidence)
    assert -1 <= interval.low <= interval.value == (b - c) / n <= interval.high <= 1
    assert (mirrored.low, mirrored.value, mirrored.high) == (-interval.high, -interval.value, -interval.low)


@given(pairs=paired(), margins=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_a_wider_margin_never_has_a_greater_p(pairs: tuple[int, int, int], margins: tuple[float, float]) -> None:
    narrow, wide = sorted(margins)
    assert 0 <= tango_p(*pairs, wide) <= tango_p(*pairs, narrow) + 1e-12 <= 1 + 1e-12


@given(pairs=paired(), margin=st.floats(-1, 1), confidence=st.floats(0.51, 0.999))
def test_non_inferior_is_the_upper_limit_below_the_margin(
    pairs: tuple[int, int, int], margin: float, confidence: float
) -> None:
    high = tango(*pairs, 2 * confidence - 1).high  # its one side has the confidence wanted
    if abs(high - margin) > 1e-9:
        assert non_inferior(*pairs, margin, confidence) == (high < margin)


def trinomials(n: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]


def test_tangos_coverage_by_enumeration() -> None:
    n = 25
    tables = np.array(trinomials(n))
    low, high = np.array([ends(tango(b, c, n)) for b, c in tables.tolist()]).T
    counts = np.column_stack([tables, n - tables.sum(axis=1)])
    coverage = []
    for p, q in itertools.product(np.arange(0.02, 0.9, 0.08), repeat=2):
        if p + q < 0.9:
            inside = (low <= p - q) & (p - q <= high)
            coverage.append(stats.multinomial.pmf(counts[inside], n, [p, q, 1 - p - q]).sum())
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.01)
    assert min(coverage) > 0.93


@pytest.mark.parametrize(("n", "margin"), [(52, 0.05), (60, 0.05), (80, 0.03)])
def test_at_the_margin_non_inferiority_is_claimed_as_rarely_as_promised(n: int, margin: float) -> None:
    """Exact, by enumeration: near 5 % where pairs differ, and at worst 7 % where the second never gains."""
    passing = np.array([(b, c, n - b - c) for b, c in trinomials(n) if non_inferior(b, c, n, margin)])
    rates = np.arange(0, 0.4, 0.02)
    errors = [stats.multinomial.pmf(passing, n, [q + margin, q, 1 - 2 * q - margin]).sum() for q in rates]
    assert max(errors) < 0.07
    assert np.mean(errors[1:]) == pytest.approx(0.05, abs=0.005)


def test_with_nothing_lost_non_inferiority_is_kinder_than_the_exact_bound() -> None:
    """So a check that must be exact asks for `events_needed` as well."""
    least = needed_for_margin(0.05, 10, 0, 0)
    assert least == 52 < events_needed(0.05) == 59
    assert 0.95**least > 0.069, "at 5 % lost this sample is that lucky"


@pytest.mark.parametrize("margin", [0.5, 0.05, 0.01, 0.001])
@CONFIDENCES
def test_pairs_needed_where_nothing_differs_are_the_fewest(margin: float, confidence: float) -> None:
    n = needed_for_margin(margin, 7, 0, 0, confidence)
    z2 = stats.norm.ppf(confidence) ** 2
    assert n == math.floor(z2 * (1 - margin) / margin) + 1
    assert non_inferior(0, 0, n, margin, confidence)
    assert n == 1 or not non_inferior(0, 0, n - 1, margin, confidence)


@pytest.mark.parametrize(("b", "c", "n", "margin"), [(3, 1, 100, 0.05), (10, 12, 400, 0.005), (0, 5, 60, -0.02)])
def test_pairs_needed_at_the_observed_rates_are_the_fewest(b: int, c: int, n: int, margin: float) -> None:
    needed, z = needed_for_margin(margin, n, b, c), stats.norm.ppf(0.95)
    assert needed is not None
    for pairs, enough in ((needed, True), (needed - 1, False)):
        assert (score(b * pairs / n, c * pairs / n, pairs, margin) < -z) == enough


def test_what_is_worse_than_the_margin_needs_no_number() -> None:
    assert needed_for_margin(0.05, 100, 6, 1) is None
    assert needed_for_margin(0.05, 100, 5, 0) is None
    assert needed_for_margin(0.0, 100, 0, 0) is None
    assert needed_for_margin(1.0, 100, 5, 0) == 1


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 0), (-1, 0, 5), (0, -1, 5), (3, 3, 5)])
def test_what_are_no_pairs_is_refused(b: int, c: int, n: int) -> None:
    for function in (tango, lambda *p: tango_p(*p, 0.1), lambda b, c, n: needed_for_margin(0.1, n, b, c)):
        with pytest.raises(ValueError, match="discordant"):
            function(b, c, n)


def test_margins_and_confidences_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        tango_p(1, 1, 5, 1.5)
    with pytest.raises(ValueError, match="margin"):
        needed_for_margin(-1.5, 5, 1, 1)
    for call in (lambda: tango(1, 1, 5, 0.0), lambda: non_inferior(1, 1, 5, 0.1, 1.0)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call()


def test_an_interval_is_plain_json() -> None:
    assert Interval(0.5, 0.25, 0.75).to_json() == {"value": 0.5, "low": 0.25, "high": 0.75}
