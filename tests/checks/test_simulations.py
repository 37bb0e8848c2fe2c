"""What the benchmark of the checks themselves finds, in short: seeded simulations of what they promise and refuse."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scipy.stats import binom


@pytest.fixture(scope="module")
def load(root: Path) -> Iterator[Any]:
    """A module of the benchmark by name; none of those asked for reads data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "bench"))
        yield importlib.import_module


@pytest.fixture(scope="module")
def coverage(load: Any) -> ModuleType:
    module: ModuleType = load("interval_coverage")
    return module


def too_many(k: int, n: int, nominal: float) -> bool:
    """Whether so many of n could hardly come of the nominal rate: in one of a thousand cases."""
    return bool(binom.sf(k - 1, n, nominal) < 0.001)


def test_exact_bounds_keep_their_word_at_every_rate(coverage: ModuleType) -> None:
    found = {row["interval"]: row for row in coverage.proportions((1, 2, 5, 13, 59, 120, 200))}
    exact, score = found["Clopper-Pearson, 95 %"], found["Wilson, 95 %"]
    assert exact["above"] <= 0.025 + 1e-6 and exact["below"] <= 0.025 + 1e-6
    assert found["upper bound, one-sided 95 %"]["above"] <= 0.05 + 1e-6
    assert found["lower bound, one-sided 95 %"]["below"] <= 0.05 + 1e-6
    assert score["mean"] == pytest.approx(0.05, abs=0.01)
    assert score["above"] > 0.1, "Wilson's errs at some rates, which is why no promise rests on it"


def test_units_of_which_a_part_is_lost_are_bounded_as_safely(coverage: ModuleType) -> None:
    for n in (1, 2, 3, 7, 20, 60):
        found = coverage.partly_lost(n)
        assert max(found["above"], found["below"]) <= 0.025, n
    for n in (1, 2, 3, 5):
        assert coverage.mean_bounded(n)["above"] <= 0.025, n


def test_gates_at_their_limit_pass_as_rarely_as_ever(coverage: ModuleType) -> None:
    """By enumeration: Tango's interval in 2.94 % of samples at most from 50 pairs on, Wilson's in 2.55 %."""
    assert coverage.passed_by_tango(range(50, 250, 25))["share"] == pytest.approx(0.0294, abs=5e-5)
    wilson = coverage.passed_by_wilson(range(20, 1000))
    assert wilson["n"] == 587 and wilson["share"] == pytest.approx(0.0255, abs=5e-5)


def test_a_net_loss_errs_little_more_than_it_says(coverage: ModuleType) -> None:
    above, below, failed = (part.max() for part in coverage.paired(60))
    assert above < 0.0305 and below < 0.055
    assert failed < 0.04, "and fails less often by chance than Tango's lower end alone"


@pytest.mark.parametrize("together", [1.0, 0.0])
@pytest.mark.parametrize("paired", [False, True])
def test_campaigns_leave_every_interval_its_word(coverage: ModuleType, paired: bool, together: float) -> None:
    runs = 250 if together == 1 else 15
    for mean in (2, 20):
        found = coverage.campaigns(mean, together, paired, runs)
        assert not too_many(max(found["above"], found["below"]), runs, 0.03 if paired else 0.025), mean


def test_what_is_drawn_again_is_not_far_from_its_word(coverage: ModuleType) -> None:
    for row in coverage.redrawn(100, 60):
        assert not too_many(max(row["above"], row["below"]), 60, 0.06), row["figure"]


SHOWS = ["group", "text", "fresh group, same text", "group and text"]


@pytest.mark.parametrize("shows", SHOWS)
@pytest.mark.parametrize("mean", [1, 5])
def test_the_promise_is_kept_however_campaigns_show(load: Any, shows: str, mean: int) -> None:
    """118 campaigns can just show 5 %, and the student is sure of the 5.1 % that it misses: the hardest case."""
    replays, runs = load("replays"), 40
    found = replays.replayed(replays.Setting(mean, True, shows, 118, "sure of them"), range(runs))
    assert not too_many(found.broken, runs, 0.05)
    assert found.promised > 0.9 * runs


@pytest.mark.slow
@pytest.mark.parametrize("scores", ["unsure of them", "as sure as of all else", "sure of them"])
@pytest.mark.parametrize("alike", [True, False])
def test_the_promise_is_kept_whatever_is_missed(load: Any, alike: bool, scores: str) -> None:
    replays = load("replays")
    for mean in (2, 20):
        runs = 150 if alike else 20
        found = replays.replayed(replays.Setting(mean, alike, "fresh group, same text", 118, scores), range(runs))
        assert not too_many(found.broken, runs, 0.05)
        assert found.promised > 0.5 * runs


def test_a_promise_of_campaigns_that_nothing_shows_would_be_broken(load: Any) -> None:
    """So the simulation can tell: it is units that keep the promise, and not a limit that is never reached."""
    replays = load("replays")
    found = replays.replayed(replays.Setting(20, True, "nothing", 118, "sure of them"), range(24))
    assert too_many(found.broken, 24, 0.05)


def test_a_good_student_passes_on_ten_thousand_events(load: Any) -> None:
    retrainings = load("retrainings")
    found = retrainings.checked(retrainings.retrained(retrainings.Student(10_000), 0))
    assert found["decision"] == "deploy alone", found["closed"]


def test_healthy_retrainings_fail_nothing(load: Any) -> None:
    retrainings = load("retrainings")
    student = retrainings.Student(2000, churn=1.0)
    assert [retrainings.failed(retrainings.checked(retrainings.retrained(student, seed))) for seed in range(3)] == [
        []
    ] * 3


@pytest.mark.slow
def test_healthy_retrainings_fail_by_chance_as_rarely_as_stated(load: Any) -> None:
    retrainings, runs = load("retrainings"), 20
    student = retrainings.Student(3000, campaigns=2, churn=1.0)
    found = [retrainings.failed(retrainings.checked(retrainings.retrained(student, seed))) for seed in range(runs)]
    assert not too_many(sum(map(bool, found)), runs, 0.05), found


@pytest.mark.parametrize(
    ("harm", "gate"),
    [("rare_family", "rare/family:xxe"), ("one_slice", "rare/slices"), ("hard_benign", "rare/hard-benign")],
)
def test_sabotage_is_seen(load: Any, harm: str, gate: str) -> None:
    retrainings = load("retrainings")
    student = retrainings.Student(6000)
    found = retrainings.checked(retrainings.retrained(student, 3, getattr(retrainings, harm)))
    assert gate in retrainings.failed(found)
    assert found["decision"] == "do not deploy"
    assert found["lost"] < 0.015, "accuracy hardly moves"


@pytest.mark.parametrize("limit", [0.01, 0.05])
def test_guards_hold_what_is_too_much_as_rarely_as_stated(load: Any, limit: float) -> None:
    guarding = load("guarding")
    for n in (guarding.needed(limit), 2 * guarding.needed(limit), 1000):
        passing = load("interval_coverage").most(lambda k, n=n: guarding._held(limit, k, n), n)
        assert passing >= 0
        assert binom.cdf(passing, n, limit) <= 0.05 and binom.cdf(passing, n, 1.5 * limit) < 0.012
