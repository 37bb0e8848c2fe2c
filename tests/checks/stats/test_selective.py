"""Selective classification: the closed form with AUROC, MAPIE's risk control, and how often a promise is broken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mapie.risk_control import control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from overproof.checks.stats import Units, augrc, learn_then_test, risk_coverage, upper_bound

EVENTS = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.sampled_from([0.1, 0.5, 0.6, 0.9, 1.0]) | st.floats(0, 1)),
        hnp.arrays(np.bool_, n),
    )
)


def test_risk_and_coverage_by_hand() -> None:
    """Five verdicts; those at 0.8 are accepted together."""
    coverage, risk, generalized = risk_coverage(
        np.array([0.8, 0.9, 0.1, 0.8, 0.5]), np.array([True, False, True, False, False])
    )
    np.testing.assert_allclose(coverage, [1 / 5, 3 / 5, 4 / 5, 1])
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 4, 2 / 5])
    np.testing.assert_allclose(generalized, [0, 1 / 5, 1 / 5, 2 / 5])


@given(EVENTS)
def test_the_curves_are_what_a_threshold_gives(events: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    confidence, wrong = events
    coverage, risk, generalized = risk_coverage(confidence, wrong)
    assert coverage[-1] == 1
    assert risk[-1] == generalized[-1] == pytest.approx(wrong.mean())
    assert (np.diff(coverage) > 0).all() and (np.diff(generalized) >= 0).all()
    for i, threshold in enumerate(np.unique(confidence)[::-1]):
        accepted = confidence >= threshold
        assert coverage[i] == pytest.approx(accepted.mean())
        assert risk[i] == pytest.approx(wrong[accepted].mean())
        assert generalized[i] == pytest.approx((wrong & accepted).mean())


@given(EVENTS)
def test_augrc_is_the_closed_form_of_auroc_and_accuracy(events: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    """Traub et al. 2024; with ties too, as AUROC counts them half."""
    confidence, wrong = events
    accuracy = 1 - wrong.mean()
    auroc = roc_auc_score(~wrong, confidence) if 0 < accuracy < 1 else 0.0
    expected = (1 - auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert augrc(confidence, wrong) == pytest.approx(expected)
    assert 0 <= augrc(confidence, wrong) <= 0.5 + 1e-12


def test_augrc_is_the_mean_over_coverages() -> None:
    random = np.random.default_rng(0)
    confidence, wrong = random.random(2000), random.random(2000) < 0.3
    ordered = wrong[np.argsort(-confidence)]
    accepted_and_wrong = [ordered[:k].sum() / 2000 for k in range(1, 2001)]
    assert augrc(confidence, wrong) == pytest.approx(np.mean(accepted_and_wrong), abs=1 / 2000)


def test_augrc_at_its_ends() -> None:
    confidence = np.linspace(0, 1, 100)
    assert augrc(confidence, np.zeros(100, bool)) == 0
    assert augrc(confidence, np.ones(100, bool)) == pytest.approx(0.5)
    wrong = np.arange(100) < 20
    assert augrc(confidence, wrong) == pytest.approx(0.2**2 / 2), "the mistakes are the least confident: the best order"
    assert augrc(-confidence, wrong) == pytest.approx(0.2 * 0.8 + 0.2**2 / 2), "the worst order"


@pytest.mark.parametrize(("confidence", "wrong"), [([], []), ([0.5], [True, False]), ([np.nan], [True])])
def test_what_is_not_judged_is_refused(confidence: list[float], wrong: list[bool]) -> None:
    for function in (risk_coverage, augrc):
        with pytest.raises(ValueError, match="confidence"):
            function(np.array(confidence), np.array(wrong, dtype=bool))


def nested(random: np.random.Generator, risks: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Losses of candidates that each lose where the safer ones do and more, as thresholds of a cascade."""
    return random.random((n, 1)) < risks


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_it_is_the_fixed_sequence_of_mapie(limit: float, confidence: float) -> None:
    """With MAPIE's own p-values for losses of 0 or 1, and with scipy's binomial ones."""
    random, n = np.random.default_rng(0), 256  # MAPIE rounds n · (k / n) up: exact for powers of 2 alone
    lengths = set()
    for _ in range(60):
        losses = random.random((n, 12)) < np.sort(random.uniform(0, 2 * limit, 12))
        k = losses.sum(axis=0)
        chosen = learn_then_test(losses, Units(len(losses)), limit, confidence)
        ours = 0 if chosen is None else chosen + 1
        for p in (compute_hoeffding_bentkus_p_value(k / n, n, limit, binary=True)[:, 0], stats.binom.cdf(k, n, limit)):
            assert control_fwer(p, 1 - confidence, "fixed_sequence").tolist() == list(range(ours))
        lengths.add(ours)
    assert len(lengths) > 3


@given(
    losses=hnp.arrays(np.bool_, st.tuples(st.integers(1, 120), st.integers(1, 6))),
    limit=st.floats(0.01, 0.99),
    confidence=st.floats(0.5, 0.99),
)
def test_a_candidate_passes_where_its_exact_upper_bound_does(
    losses: NDArray[np.bool_], limit: float, confidence: float
) -> None:
    bounds = [upper_bound(int(k), len(losses), confidence) for k in losses.sum(axis=0)]
    if min(abs(bound - limit) for bound in bounds) > 1e-9:
        failing = [i for i, bound in enumerate(bounds) if bound > limit] or [len(bounds)]
        assert learn_then_test(losses, Units(len(losses)), limit, confidence) == (
            failing[0] - 1 if failing[0] else None
        )


def test_the_first_failure_ends_it() -> None:
    """The third candidate never loses, but the second stands before it."""
    losses = np.zeros((100, 3), bool)
    losses[:50, 1] = True
    assert learn_then_test(losses, Units(len(losses)), 0.05) == 0
    assert learn_then_test(losses[:, 1:], Units(len(losses)), 0.05) is None
    assert learn_then_test(losses[:, [0, 2]], Units(len(losses)), 0.05) == 1
    assert learn_then_test(losses[:58, [0, 2]], Units(58), 0.05) is None, "59 events without a loss are needed"


@pytest.mark.parametrize("step", [0.001, 0.01])
def test_the_promise_is_broken_in_at_most_one_of_twenty(step: float) -> None:
    random, trials, limit = np.random.default_rng(0), 2000, 0.05
    risks = np.arange(0.01, 0.12, step)
    chosen = [learn_then_test(nested(random, risks, 400), Units(400), limit) for _ in range(trials)]
    broken = np.mean([i is not None and risks[i] > limit + 1e-12 for i in chosen])
    assert broken <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert np.mean([i is not None for i in chosen]) > 0.9, "and something is chosen nearly always"


@pytest.mark.parametrize(
    ("losses", "limit", "confidence"),
    [
        (np.zeros((0, 3), bool), 0.1, 0.95),
        (np.zeros((3, 0), bool), 0.1, 0.95),
        (np.zeros(3, bool), 0.1, 0.95),
        (np.zeros((3, 3), bool), 0.0, 0.95),
        (np.zeros((3, 3), bool), 0.1, 1.0),
    ],
)
def test_what_cannot_be_tested_is_refused(losses: NDArray[np.bool_], limit: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        learn_then_test(losses, Units(len(losses)), limit, confidence)
