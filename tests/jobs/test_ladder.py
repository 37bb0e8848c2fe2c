"""The smallest student that qualifies is taken, by validation events alone; where they show too little, it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Floats
from overproof.checks.operating_points import JudgedEvents, Truth
from overproof.checks.stats import Units
from overproof.errors import InputError
from overproof.jobs.config import CompressConfig, DataConfig, DistillConfig
from overproof.jobs.ladder import Candidate, Yardstick, choose, climb
from overproof.report.not_measured import NotMeasured
from overproof.results.ladder import Ladder, Missed, Rung
from overproof.results.metrics import Share
from overproof.results.operating_points import Counted, PairedDifference

COUNT = Counted(5, 1000, 1000, 0.001, 0.01)


def lost(value: float, high: float) -> PairedDifference:
    more = round(1000 * value)
    return PairedDifference(1000, 1000, max(more, 0), max(-more, 0), value, value - 0.01, high)


def rung(
    name: str, size: int, more: PairedDifference | NotMeasured, *, wrong: int = 0, exceeded: tuple[str, ...] = ()
) -> Rung:
    at = (Missed(0.005, COUNT, COUNT, more),)
    return Rung(name, size, size, 0.1, 5000.0, at, Share(wrong, 100), Share(2, 100), exceeded)


def taken(rungs: Sequence[Rung], *, enough: bool = True) -> tuple[str, dict[str, str]]:
    found = choose(rungs, margin=0.005, guarded=True, events=2000, enough=enough)
    assert [rung.bytes for rung in found.rungs] == sorted(rung.bytes for rung in rungs)
    assert found.render().count("\n") > len(rungs)
    assert Ladder.from_json(found.to_json()) == found
    return found.taken, {rung.preset: rung.why for rung in found.rungs}


def test_the_smallest_whose_interval_ends_within_the_margin_is_taken() -> None:
    large, middle, small = (
        rung("large", 300, lost(-0.001, 0.001)),
        rung("middle", 200, lost(0.002, 0.005)),
        rung("small", 100, lost(0.004, 0.006)),
    )
    name, why = taken([large, small, middle])
    assert name == "middle"
    assert why["small"].startswith("not taken: 0.40 % more of the attacks missed") and "at most 0.60 %" in why["small"]
    assert why["large"].startswith("not taken, since a smaller one will do")
    assert not any("not proven" in words for words in why.values())


def test_one_that_exceeds_a_guard_is_not_taken() -> None:
    name, why = taken([rung("small", 1, lost(0, 0.001), exceeded=("flips",)), rung("large", 2, lost(0, 0.002))])
    assert name == "large" and "exceeds flips" in why["small"]


def test_with_too_few_events_the_estimate_decides_and_the_words_say_that_it_is_not_proven() -> None:
    rungs = [rung("small", 1, lost(0.006, 0.02)), rung("large", 2, lost(0.004, 0.02))]
    name, why = taken(rungs, enough=False)
    assert name == "large" and why["large"].startswith("taken: 0.40 %") and "not proven" in why["large"]
    name, why = taken(rungs, enough=True)
    assert "no student qualifies" in why[name] and "not proven" not in why[name]


def test_one_that_is_shown_is_not_called_unproven_where_others_are() -> None:
    name, why = taken([rung("small", 1, lost(-0.02, 0.0)), rung("large", 2, lost(0.0, 0.02))], enough=False)
    assert name == "small" and "not proven" not in why["small"] and "not proven" in why["large"]


def test_if_none_qualifies_the_one_that_loses_least_is_taken() -> None:
    figures = {"small": (0.03, 0.04), "middle": (0.01, 0.02), "large": (0.02, 0.03)}
    rungs = [rung(name, place, lost(*each)) for place, (name, each) in enumerate(figures.items())]
    name, why = taken(rungs)
    assert name == "middle" and "no student qualifies and it loses least" in why["middle"]
    broken = [rung("small", 1, lost(0.0, 0.04), exceeded=("kl",)), rungs[2]]
    assert taken(broken)[0] == "large", "one that holds the guards before one that does not"


def test_without_a_threshold_the_verdicts_decide() -> None:
    why_not = NotMeasured("80 benign validation events, needs 200")
    name, why = taken([rung("small", 1, why_not, wrong=6), rung("large", 2, why_not, wrong=2)])
    assert name == "large" and "0.00 % more of the verdicts wrong" in why["large"] and "not proven" in why["large"]


def test_where_nothing_is_measured_the_largest_is_taken() -> None:
    none = Rung("small", 1, 1, 0.1, 1.0, (Missed(0.005, *3 * (NotMeasured("none"),)),), Share(0, 0), Share(0, 0), ())
    name, why = taken([none, Rung(**{**none.__dict__, "preset": "large", "bytes": 2})])
    assert name == "large" and "unmeasured" in why["large"]


@dataclass
class Stub:
    """A student that says what it is told."""

    logits: Floats
    bytes: int
    parameters: int = 10

    @property
    def scorer(self) -> Stub:
        return self

    def score(self, texts: Sequence[str]) -> Stub:
        return Stub(self.logits[: len(texts)], 0)


@dataclass
class Search:
    """A search that found a step which exceeds these guards."""

    exceeded: tuple[Any, ...] = ()
    chosen: int = 0

    @property
    def path(self) -> list[Search]:
        return [self]


def scores(n: int, weak: int = 0) -> Floats:
    """Of half benign events and half attacks, of which so many look benign."""
    random = np.random.default_rng(0)
    attack = np.concatenate([random.normal(-4, 1, n // 2), random.normal(4, 0.3, n // 2)])
    attack[n // 2 : n // 2 + weak] = -9
    return np.stack([np.zeros(n), attack], axis=1).astype(np.float32)


def climbed(n: int, **students: tuple[int, int]) -> Ladder:
    benign = np.arange(n) < n // 2
    events = JudgedEvents(~benign, benign, np.where(benign, "benign", "sqli").astype(object), Units(n))
    truth = Truth(np.array([True, False]), benign)
    yardstick = Yardstick([str(k) for k in range(n)], events, truth, scores(n), 0.005, guarded=False)
    models: Any = {name: Stub(scores(n, weak), size) for name, (size, weak) in students.items()}
    search: Any = Search()
    candidates = {name: Candidate(model, search) for name, model in models.items()}
    return climb(candidates, yardstick, seed=0, budget_s=0.05)


def test_students_are_measured_beside_the_full_model() -> None:
    found = climbed(8000, small=(100, 80), large=(200, 0))
    small, large = found.rungs
    assert isinstance(small.lost, PairedDifference) and small.lost.value == pytest.approx(80 / 4000)
    assert isinstance(large.lost, PairedDifference) and large.lost.value == 0
    assert (small.wrong.k - small.full_wrong.k, small.wrong.n) == (80, 8000)
    assert found.taken == "large" and small.events_per_second > 0
    assert [missed.rate for missed in small.at] == [0.001, 0.005, 0.01]
    assert "proven" not in large.why, "so many events show it"
    text = found.render()
    assert "full" in text and "2.00 %" in text and "Test events decided nothing" in text


def test_a_few_events_show_nothing_and_that_is_said() -> None:
    found = climbed(200, small=(100, 0), large=(200, 0))
    assert found.taken == "small" and "not proven" in found.rungs[0].why
    assert "unmeasured at 0.1 %: 100 benign validation events, needs 1,000" in found.render()


def test_auto_is_asked_for_and_a_student_is_made() -> None:
    config = CompressConfig(DataConfig(("events.csv",)), DistillConfig("auto"))
    assert CompressConfig.from_json(config.to_json(), "here") == config
    assert config.taking("small-student").distill.student == "small-student"
    named = CompressConfig(DataConfig(("events.csv",)), DistillConfig("tiny-student"))
    assert named.taking("small-student") == named, "what was named is made"
    with pytest.raises(InputError, match=r"no preset 'automatic': expected one of .*, or auto"):
        DistillConfig("automatic")
    with pytest.raises(InputError, match="--first ngram-student: expected --student PRESET with it"):
        DistillConfig("auto", first="ngram-student")
