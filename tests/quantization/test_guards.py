"""Guards, and the search: what is held, broken or unmeasured, and which step is taken before that."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from overproof.checks.stats import Units, lower_bound, upper_bound
from overproof.cli.options import guards_of
from overproof.errors import InputError
from overproof.quantization.guards import Guards, needed
from overproof.quantization.precision_search import least_exceeding, search_path
from overproof.results.divergence import Changes, Detected, Divergence
from overproof.results.precision_search import BROKEN, HELD, UNMEASURED, Finding


def cost(flips: int = 0, kl: float = 0.0, events: int = 10_000, **families: tuple[int, int, int, int]) -> Divergence:
    return Divergence(events, kl, flips, 0.0, 0.5, {name: Detected(*counts) for name, counts in families.items()})


def each(events: int, flips: int = 0, kl: Sequence[float] = (), lost: int = 0, gained: int = 0) -> Changes:
    """Events of one family, the first of which change; `kl` is of the first of them, 0 of the others."""
    row = np.arange(events)
    return Changes(
        kl=np.pad(np.array(kl, dtype=np.float64), (0, events - len(kl))),
        flipped=row < flips,
        before=row < events - gained,
        after=row >= lost,
        families=np.full(events, "sqli"),
    )


def statuses(guards: Guards, found: Changes, units: Units | None = None) -> list[str]:
    return [finding.status for finding in guards.findings(found, units or Units(len(found.kl)))]


def one(guards: Guards, found: Changes, units: Units | None = None) -> Finding:
    (finding,) = guards.findings(found, units or Units(len(found.kl)))
    return finding


def test_two_of_299_do_not_show_one_percent() -> None:
    """The case of the review: the bound is 2.1 %."""
    finding = one(Guards(max_flips=0.01), each(299, flips=2))
    assert finding.status == UNMEASURED and finding.high == pytest.approx(upper_bound(2, 299))
    assert finding.needed is not None and 1000 < finding.needed < 5000
    assert str(finding) == (
        "flips 2 of 299 (0.67%), at most 2.1% with 95% confidence, limit 1%: unmeasured: "
        f"needs {finding.needed:,} independent events"
    )
    assert upper_bound(2 / 299 * finding.needed, finding.needed) <= 0.01


@pytest.mark.parametrize("limit", [0.002, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", [1, 30, 299, 300, 1000, 4000])
def test_held_and_broken_are_the_exact_bounds(limit: float, n: int) -> None:
    for k in {0, 1, 2, 5, n // 100, n // 20, n // 3, n}:
        if k <= n:
            high, low = upper_bound(k, n), lower_bound(k, n)
            expected = HELD if high <= limit else BROKEN if low > limit else UNMEASURED
            assert statuses(Guards(max_flips=limit), each(n, flips=k)) == [expected]


@pytest.mark.parametrize("n", [1, 59, 299, 473, 628, 1000, 3000])
def test_one_and_a_half_percent_is_held_under_one_percent_in_at_most_one_case_of_twenty(n: int) -> None:
    """By enumeration: what was observed held it in 17 %."""
    guards = Guards(max_flips=0.01, max_recall_loss={"sqli": 0.01})
    chance = np.zeros(2)
    for k, probability in enumerate(stats.binom.pmf(np.arange(n + 1), n, 0.015)):
        if probability > 1e-9:
            found = statuses(guards, each(n, flips=k, lost=k))
            chance += probability * np.array([status == HELD for status in found])
    assert (chance <= 0.05).all()


def test_the_observed_figure_would_hold_it_in_one_case_of_six() -> None:
    """What the search goes by is no proof: this is why it decides nothing."""
    guards = Guards(max_flips=0.01)
    probability = stats.binom.pmf(np.arange(300), 299, 0.015)
    within = [not guards.observed(cost(flips=k, events=299))[0].exceeded for k in range(300)]
    assert 0.16 < float(probability[within].sum()) < 0.18


@pytest.mark.parametrize(("n", "least"), [(299, 0.74), (800, 0.95), (1500, 0.99)])
def test_a_healthy_quantization_holds_with_that_many_events(n: int, least: float) -> None:
    """One label of a thousand flips, and one of a hundred may."""
    probability = stats.binom.pmf(np.arange(n + 1), n, 0.001)
    held = [p for k, p in enumerate(probability) if p > 1e-9 and statuses(Guards(max_flips=0.01), each(n, k)) == [HELD]]
    assert sum(held) >= least


def test_copies_show_no_more_than_what_they_are_copies_of() -> None:
    guards = Guards(max_flips=0.05, max_kl=0.001, max_recall_loss={"sqli": 0.05})
    found = each(1200)
    assert statuses(guards, found) == [HELD] * 3
    finding = guards.findings(found, Units.of(1200, [i // 60 for i in range(1200)]))[0]
    assert (finding.status, finding.events, finding.units, finding.needed) == (UNMEASURED, 1200, 20, 59)
    assert str(finding) == (
        "flips 0 of 1,200 (0.00%) (20 independent), at most 14% with 95% confidence, limit 5%: "
        "unmeasured: needs 59 independent events"
    )
    assert statuses(guards, found, Units.of(1200, [i // 60 for i in range(1200)])) == [UNMEASURED] * 3


def test_copies_break_nothing_by_their_number() -> None:
    units = Units.of(1000, [0] * 60 + list(range(1, 941)))
    assert statuses(Guards(max_flips=0.03), each(1000, flips=60)) == [BROKEN]
    assert statuses(Guards(max_flips=0.03), each(1000, flips=60), units) == [UNMEASURED]


def test_what_a_family_gains_hides_nothing_that_it_loses() -> None:
    finding = one(Guards(max_recall_loss={"sqli": 0.05}), each(300, lost=40, gained=40))
    assert finding.status == BROKEN and finding.measured == 40 / 300
    assert str(finding) == (
        "recall lost in sqli 40 of 300 (13.33%), at least 10.2% with 95% confidence, limit 5%: broken"
    )


def test_a_family_has_its_own_events_and_units() -> None:
    found = replace(each(400, lost=1), families=np.array(["sqli"] * 100 + ["xss"] * 300))
    guards = Guards(max_recall_loss={"sqli": 0.05, "xss": 0.01})
    sqli, xss = guards.findings(found, Units(400))
    assert (sqli.events, sqli.units, sqli.measured) == (100, 100, 0.01)
    assert (xss.status, xss.events, xss.measured) == (HELD, 300, 0.0)


def test_nothing_shows_that_nothing_is_lost() -> None:
    guards = Guards(max_flips=0.0, max_kl=0.0, max_recall_loss={"sqli": 0.0})
    for finding in guards.findings(each(100_000), Units(100_000)):
        assert finding.status == UNMEASURED and finding.needed is None
        assert str(finding).endswith("unmeasured: no number of events shows that nothing is lost")
    assert statuses(guards, each(100_000, flips=1, kl=[1e-9], lost=1)) == [BROKEN] * 3
    partly = Units.of(100_000, [i // 1000 for i in range(100_000)])
    assert statuses(guards, each(100_000, flips=1, kl=[1e-9], lost=1), partly) == [BROKEN] * 3


def test_the_limit_one_is_held_by_any_event_and_by_none_not() -> None:
    guards = Guards(max_flips=1.0)
    assert statuses(guards, each(1, flips=1)) == [HELD]
    finding = one(guards, each(0))
    assert (finding.status, finding.events, finding.needed) == (UNMEASURED, 0, 1)


@pytest.mark.parametrize(("limit", "count"), [(0.0005, 5990), (0.01, 299), (0.05, 59), (0.3, 9), (0.99, 1)])
def test_how_many_events_show_a_share(limit: float, count: int) -> None:
    """So many that with a share of `limit` no loss at all would be seen in less than one case of twenty."""
    assert needed(limit) == count
    assert (1 - limit) ** count <= 0.05 * (1 + 1e-9)
    assert count == 1 or (1 - limit) ** (count - 1) > 0.05
    if count > 1:
        assert statuses(Guards(max_flips=limit), each(count)) == [HELD]
        assert one(Guards(max_flips=limit), each(count - 1)).needed == count


def test_few_events_without_a_loss_are_not_at_the_limit() -> None:
    finding = one(Guards(max_flips=0.001), each(3))
    assert finding.needed == 2995 and "needs 2,995 independent events" in str(finding)


@pytest.mark.parametrize(
    ("flips", "reason"),
    [
        (10, "the estimate sits at the limit: more events will hardly decide"),
        (12, "the estimate lies above the limit, on too few events to call it broken"),
    ],
)
def test_where_more_events_would_not_hold_it_no_number_is_given(flips: int, reason: str) -> None:
    finding = one(Guards(max_flips=0.01), each(1000, flips=flips))
    assert (finding.status, finding.needed) == (UNMEASURED, None)
    assert str(finding).endswith(f"unmeasured: {reason}")


@pytest.mark.parametrize("mean_size", [1, 2, 5, 20])
def test_campaigns_do_not_hold_what_their_number_would(mean_size: int) -> None:
    """Campaigns of geometric sizes are lost as a whole, 1.5 % of them; divergences likewise."""
    random, guards = np.random.default_rng(mean_size), Guards(max_flips=0.01, max_kl=1.0)
    held = np.zeros(2)
    for _ in range(500):
        sizes = random.geometric(1 / mean_size, 320)
        lost = random.random(320) < 0.015
        hit = np.repeat(lost, sizes)
        found = replace(each(len(hit)), flipped=hit, kl=100.0 * hit)
        units = Units.of(len(hit), np.repeat(np.arange(320), sizes).tolist())
        held += [status == HELD for status in statuses(guards, found, units)]
    assert (held / 500 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)).all()


def test_a_family_that_no_event_is_of_is_unmeasured() -> None:
    finding = one(Guards(max_recall_loss={"xpath": 0.1}), each(40))
    assert (finding.status, finding.events, finding.units, finding.high, finding.needed) == (UNMEASURED, 0, 0, None, 29)
    assert "recall lost in xpath 0 of 0" in str(finding) and "needs 29" in str(finding)


@given(st.floats(1e-6, 20))
def test_one_event_never_holds_a_divergence(limit: float) -> None:
    assert statuses(Guards(max_kl=limit), each(1)) == [UNMEASURED]
    assert statuses(Guards(max_kl=limit), each(298)) == [UNMEASURED]
    assert statuses(Guards(max_kl=limit), each(299)) == [HELD]


def test_an_event_counts_no_more_than_the_cap_in_the_bound_and_in_full_in_the_figure() -> None:
    guards = Guards(max_kl=0.001)
    mild = one(guards, each(1000, kl=[0.02] * 5))
    assert (mild.status, mild.cap) == (HELD, pytest.approx(0.1))
    assert mild.high is not None and mild.measured == pytest.approx(1e-4) and 1e-4 < mild.high <= 1e-3
    assert re.fullmatch(
        r"kl 0\.0001 nats, at most 0\.000\d+ with 95% confidence, no event counting more than 0\.1, limit 0\.001: held",
        str(mild),
    )
    wild = one(guards, each(1000, kl=[5.0]))
    assert (wild.status, wild.measured) == (UNMEASURED, pytest.approx(0.005))
    assert str(wild).endswith("unmeasured: 1 of 1,000 events, beyond 0.1 nats, put the mean of all above the limit")
    assert statuses(guards, each(1000, kl=[0.1] * 50)) == [BROKEN]
    assert statuses(guards, each(1000, kl=[math.nan])) != [HELD]
    assert statuses(guards, each(1000, kl=[math.inf] * 50)) == [BROKEN]


def nearly_flipped(random: np.random.Generator, n: int) -> NDArray[np.float64]:
    """What rounding does: next to nothing in most events, and much in the few that nearly flip."""
    return np.where(random.random(n) < 0.002, random.uniform(0, 0.1, n), 2e-5 * random.random(n))


def test_the_divergence_of_a_healthy_quantization_is_held_with_a_thousand_events() -> None:
    """Its mean is a tenth of the limit."""
    random, guards = np.random.default_rng(0), Guards(max_kl=0.001)
    held = [statuses(guards, each(1000, kl=nearly_flipped(random, 1000).tolist())) == [HELD] for _ in range(300)]
    assert np.mean(held) > 0.95


@pytest.mark.parametrize("n", [50, 299, 1000])
def test_a_divergence_above_its_limit_is_held_in_at_most_one_case_of_twenty(n: int) -> None:
    """The mean is 1.05 limits, and no event counts more than the cap."""
    random, guards = np.random.default_rng(n), Guards(max_kl=1.0)
    for share, kl in ((0.0105, 100.0), (0.02, 52.5), (0.5, 2.1)):
        found = [each(n, kl=[kl] * int(k)) for k in random.binomial(n, share, 400)]
        held = np.mean([statuses(guards, changes) == [HELD] for changes in found])
        assert held <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@given(st.integers(1, 100), st.integers(1, 1000))
def test_a_share_of_exactly_the_limit_is_not_above_it(percent: int, hundreds: int) -> None:
    (figure,) = Guards(max_flips=percent / 100).observed(cost(percent * hundreds, events=100 * hundreds))
    assert not figure.exceeded and figure.excess == 0
    (figure,) = Guards(max_flips=percent / 100).observed(cost(percent * hundreds + 1, events=100 * hundreds))
    assert figure.exceeded and figure.excess > 0


def test_the_search_goes_by_what_it_observes() -> None:
    guards = Guards(max_flips=0.01, max_kl=0.5, max_recall_loss={"sqli": 0.05})
    within = guards.observed(cost(100, 0.5, sqli=(100, 100, 95, 5)))
    assert [figure.exceeded for figure in within] == [False] * 3
    above = guards.observed(cost(101, 0.5000001, sqli=(100, 94, 94, 6)))
    assert [figure.exceeded for figure in above] == [True] * 3
    assert [str(figure) for figure in above] == [
        "flips 101 of 10,000 (1.01%), limit 1%",
        "kl 0.5 nats, limit 0.5",
        "recall lost in sqli 6 of 100 (6.00%), limit 5%",
    ]
    assert guards.observed(cost(0, math.nan, sqli=(100, 90, 100, 0)))[1].exceeded
    assert not guards.observed(cost())[2].exceeded, "no event of the family was seen to be lost"


def test_unknown_families_are_refused_with_those_there_are() -> None:
    guards = Guards(max_recall_loss={"sqli": 0.1, "xxe": 0.1})
    with pytest.raises(InputError, match=r"--max-recall-loss xxe: .* families are rce, sqli"):
        guards.require_families(["sqli", "rce"])
    with pytest.raises(InputError, match="no labels, or no class is benign"):
        guards.require_families([])


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan, math.inf])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises(InputError, match=r"max-flips is .*expected a share"):
        Guards(max_flips=share)
    with pytest.raises(InputError, match=r"max-recall-loss sqli is .*expected a share"):
        Guards(max_recall_loss={"sqli": share})


@pytest.mark.parametrize("kl", [-1.0, math.nan])
def test_what_is_no_divergence(kl: float) -> None:
    with pytest.raises(InputError, match="max-kl"):
        Guards(max_kl=kl)


def test_options_become_guards() -> None:
    assert guards_of("0.05%", 0.1, ["sqli=1%", "a=b=0.5"]) == Guards(0.0005, 0.1, {"sqli": 0.01, "a=b": 0.5})
    assert not guards_of(None, None, None)
    assert Guards(max_flips=0.0)


@pytest.mark.parametrize(
    ("flips", "losses", "message"),
    [
        ("many", None, "--max-flips many: expected a share"),
        ("1%%", None, "--max-flips 1%%"),
        ("", None, "--max-flips"),
        ("5", None, "expected a share from 0 to 1"),
        (None, ["sqli"], "expected FAMILY=SHARE"),
        (None, ["=0.1"], "expected FAMILY=SHARE"),
        (None, ["sqli="], "--max-recall-loss"),
        (None, ["sqli=-1%"], "expected a share"),
    ],
)
def test_options_that_are_none(flips: str | None, losses: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        guards_of(flips, None, losses)


class Graph:
    """Layers that each cost something; a layer kept in float costs nothing."""

    def __init__(self, **costs: int) -> None:
        self.costs, self.asked = costs, 0

    def order(self) -> list[str]:
        self.asked += 1
        return sorted(self.costs, key=lambda name: -self.costs[name])

    def judge(self, kept: frozenset[str]) -> Divergence:
        return cost(flips=sum(flips for name, flips in self.costs.items() if name not in kept))

    def search_path(self, guards: Guards) -> list[tuple[str, ...]]:
        self.path = search_path(list(self.costs), self.order, self.judge, guards)
        return [step.kept for step in self.path]


def test_worst_layers_stay_in_float_until_the_guard_holds() -> None:
    graph = Graph(a=5, fragile=900, b=3, bad=200)
    assert graph.search_path(Guards(max_flips=0.002)) == [(), ("fragile",), ("bad", "fragile")]
    assert [not step.exceeded for step in graph.path] == [False, False, True]
    assert least_exceeding(graph.path) is graph.path[-1]
    assert [step.found.flips for step in graph.path] == [1108, 208, 8]


def test_nothing_is_measured_where_no_limit_is_exceeded() -> None:
    graph = Graph(a=5, b=3)
    assert graph.search_path(Guards()) == graph.search_path(Guards(max_flips=0.01)) == [()]
    assert graph.asked == 0


def test_the_search_ends_before_nothing_is_quantized_and_keeps_the_best() -> None:
    graph = Graph(a=100, b=100)
    assert graph.search_path(Guards(max_flips=0.0)) == [(), ("a",)]
    assert least_exceeding(graph.path).kept == ("a",)
    assert least_exceeding(graph.path).exceeded
    assert Graph(only=3).search_path(Guards(max_flips=0.0)) == [()]


def test_more_in_float_is_not_taken_where_it_helps_nothing() -> None:
    path = search_path(["a", "b", "c"], lambda: ["a", "b", "c"], lambda kept: cost(flips=100), Guards(max_flips=0.001))
    assert len(path) == 3
    assert least_exceeding(path).kept == ()


def test_too_few_events_are_no_reason_to_search() -> None:
    guards = Guards(max_recall_loss={"xpath": 0.05})
    path = search_path(["a", "b"], lambda: ["a", "b"], lambda kept: cost(xpath=(21, 21, 21, 0)), guards)
    assert len(path) == 1


def test_best_weighs_guards_by_their_own_limits() -> None:
    guards = Guards(max_flips=0.01, max_kl=0.1)
    costs: Mapping[int, Divergence] = {0: cost(200, 0.1), 1: cost(100, 0.3), 2: cost(120, 0.11)}
    path = search_path(list("abc"), lambda: list("abc"), lambda kept: costs[len(kept)], guards)
    assert [round(step.excess, 6) for step in path] == [1.0, 2.0, 0.3]
    assert len(least_exceeding(path).kept) == 2


def test_a_rare_family_is_honoured_where_nothing_else_moves() -> None:
    """Five events of ten thousand: a twentieth of a percent of the verdicts, and all of the family."""

    def judged(kept: frozenset[str]) -> Divergence:
        return cost(flips=5, kl=1e-4, ldap=(5, 5, *((5, 0) if "fragile" in kept else (0, 5))))

    layers = ["sound", "fragile"]
    loose = Guards(max_flips=0.001, max_kl=0.01)
    assert search_path(layers, lambda: ["fragile", "sound"], judged, loose)[-1].kept == ()
    guarded = Guards(max_flips=0.001, max_kl=0.01, max_recall_loss={"ldap": 0.0})
    path = search_path(layers, lambda: ["fragile", "sound"], judged, guarded)
    assert [bool(step.exceeded) for step in path] == [True, False]
    assert path[-1].kept == ("fragile",)


def test_the_best_of_twenty_steps_is_no_proof_on_the_events_that_chose_it() -> None:
    """Each flips 1.5 %: the same events hold one in a fifth of the cases, others in less than one of twenty."""
    random, guards = np.random.default_rng(0), Guards(max_flips=0.01)
    flips = random.binomial(299, 0.015, (2, 400, 20))
    chosen = flips[0].argmin(axis=1)
    same, other = (
        np.mean([statuses(guards, each(299, flips=int(k))) == [HELD] for k in part[np.arange(400), chosen]])
        for part in flips
    )
    assert same > 0.15
    assert other <= 0.05
