"""Guards, and the search: what is held, broken or unmeasured, and which step is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.cli.options import guards_of
from overproof.errors import InputError
from overproof.quantization.guards import Guards, needed, violation
from overproof.quantization.precision_search import least_broken, search_path
from overproof.results.divergence import Detected, Divergence
from overproof.results.precision_search import BROKEN, HELD, UNMEASURED


def cost(flips: int = 0, kl: float = 0.0, events: int = 10_000, **families: tuple[int, int, int]) -> Divergence:
    return Divergence(events, kl, flips, 0.0, 0.5, {name: Detected(*counts) for name, counts in families.items()})


def statuses(guards: Guards, found: Divergence) -> list[str]:
    return [finding.status for finding in guards.findings(found)]


def test_held_and_broken_up_to_the_last_event() -> None:
    guards = Guards(max_flips=0.01, max_kl=0.5, max_recall_loss={"sqli": 0.05})
    assert statuses(guards, cost(100, 0.5, sqli=(100, 100, 95))) == [HELD, HELD, HELD]
    assert statuses(guards, cost(101, 0.5000001, sqli=(100, 100, 94))) == [BROKEN, BROKEN, BROKEN]
    assert statuses(guards, cost(0, math.nan, sqli=(100, 90, 100))) == [HELD, BROKEN, HELD], "a gain is no loss"


@given(st.integers(1, 100), st.integers(1, 1000))
def test_a_share_of_exactly_the_limit_is_not_above_it(percent: int, hundreds: int) -> None:
    guards = Guards(max_flips=percent / 100)
    assert BROKEN not in statuses(guards, cost(percent * hundreds, events=100 * hundreds))
    if percent < 100:
        assert statuses(guards, cost(percent * hundreds + 1, events=100 * hundreds)) == [BROKEN]


def test_too_few_events_measure_nothing() -> None:
    guards = Guards(max_recall_loss={"xpath": 0.05})
    (finding,) = guards.findings(cost(xpath=(21, 20, 20)))
    assert (finding.status, finding.events, finding.needed) == (UNMEASURED, 21, 59)
    assert "unmeasured: 21 samples, needs 59" in str(finding)
    assert statuses(guards, cost(xpath=(59, 50, 50))) == [HELD]
    assert statuses(guards, cost(xpath=(21, 20, 18))) == [BROKEN], "what is seen to be lost needs no more events"


@pytest.mark.parametrize("limit", [0.0005, 0.01, 0.05, 0.3, 0.99])
def test_how_many_events_show_a_share(limit: float) -> None:
    """So many that with a share of `limit` no loss at all would be seen in less than one case of twenty."""
    assert (1 - limit) ** needed(limit) <= 0.05 * (1 + 1e-9)
    assert (1 - limit) ** (needed(limit) - 1) > 0.05


def test_a_limit_of_none_at_all_is_about_the_events_at_hand() -> None:
    guards = Guards(max_recall_loss={"xpath": 0.0})
    assert statuses(guards, cost(xpath=(2, 2, 2))) == [HELD]
    assert statuses(guards, cost(xpath=(2, 2, 1))) == [BROKEN]


def test_a_family_that_a_sample_lacks_is_unmeasured_there() -> None:
    (finding,) = Guards(max_recall_loss={"xpath": 0.1}).findings(cost())
    assert (finding.status, finding.events) == (UNMEASURED, 0)


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
    assert [step.passed for step in graph.path] == [False, False, True]
    assert least_broken(graph.path) is graph.path[-1]
    assert [step.found.flips for step in graph.path] == [1108, 208, 8]


def test_nothing_is_measured_where_no_guard_is_broken() -> None:
    graph = Graph(a=5, b=3)
    assert graph.search_path(Guards()) == graph.search_path(Guards(max_flips=0.01)) == [()]
    assert graph.asked == 0


def test_the_search_ends_before_nothing_is_quantized_and_keeps_the_best() -> None:
    graph = Graph(a=100, b=100)
    assert graph.search_path(Guards(max_flips=0.0)) == [(), ("a",)]
    assert least_broken(graph.path).kept == ("a",)
    assert not least_broken(graph.path).passed
    assert Graph(only=3).search_path(Guards(max_flips=0.0)) == [()]


def test_more_in_float_is_not_taken_where_it_helps_nothing() -> None:
    path = search_path(["a", "b", "c"], lambda: ["a", "b", "c"], lambda kept: cost(flips=100), Guards(max_flips=0.001))
    assert len(path) == 3
    assert least_broken(path).kept == ()


def test_unmeasured_is_no_reason_to_search_and_never_passes() -> None:
    guards = Guards(max_recall_loss={"xpath": 0.05})
    path = search_path(["a", "b"], lambda: ["a", "b"], lambda kept: cost(xpath=(21, 21, 21)), guards)
    assert len(path) == 1
    assert not path[0].passed


def test_best_weighs_guards_by_their_own_limits() -> None:
    guards = Guards(max_flips=0.01, max_kl=0.1)
    costs: Mapping[int, Divergence] = {0: cost(200, 0.1), 1: cost(100, 0.3), 2: cost(120, 0.11)}
    path = search_path(list("abc"), lambda: list("abc"), lambda kept: costs[len(kept)], guards)
    assert [round(violation(step.findings), 6) for step in path] == [1.0, 2.0, 0.3]
    assert len(least_broken(path).kept) == 2


def test_a_rare_family_is_honoured_where_nothing_else_moves() -> None:
    """Five events of ten thousand: a twentieth of a percent of the verdicts, and all of the family."""

    def judged(kept: frozenset[str]) -> Divergence:
        return cost(flips=5, kl=1e-4, ldap=(5, 5, 5 if "fragile" in kept else 0), sqli=(5000, 4900, 4900))

    layers = ["sound", "fragile"]
    loose = Guards(max_flips=0.001, max_kl=0.01)
    assert search_path(layers, lambda: ["fragile", "sound"], judged, loose)[-1].kept == ()
    guarded = Guards(max_flips=0.001, max_kl=0.01, max_recall_loss={"ldap": 0.0})
    path = search_path(layers, lambda: ["fragile", "sound"], judged, guarded)
    assert [step.passed for step in path] == [False, True]
    assert path[-1].kept == ("fragile",)
