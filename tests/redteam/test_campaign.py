"""What an attack counts: fooled, decided alone, refused by nobody; shortened to what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overproof.inference.cascade.policy import Policy
from overproof.redteam.base import Edited
from overproof.redteam.campaign import RULINGS, Campaign, Target, _Wave
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.referee import CHANGED, FULL_AGREES, Referee
from overproof.redteam.search import SEARCHES
from overproof.redteam.search.drive import Asked
from overproof.redteam.victim import victim

BENIGN = (False, True)
Make = Callable[..., Campaign]


def target(text: str = "evil", covered: bool = True) -> Target:
    return Target(0, text, "bad", "words", covered)


@pytest.fixture
def stubborn(toy: Any) -> Any:
    """A full model that no innocent word sways."""
    return toy.WordCounter(evil=100.0).attack


@pytest.fixture
def campaign(toy: Any, stubborn: Any) -> Make:
    student = victim(toy.WordCounter(), BENIGN)
    referee = Referee(stubborn, {"words": toy.oracle})

    def made(objective: str = "evasion", **changed: Any) -> Campaign:
        plain = Campaign(
            "evolution", OBJECTIVES[objective], {"words": toy.MUTATORS}, student, student, referee, budget=200, seed=1
        )
        return replace(plain, guide=toy.guide, **changed)

    return made


@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_a_success_fools_the_student_alone_with_as_few_edits_as_it_takes(campaign: Make, search: str) -> None:
    [attempt] = campaign(search=search).run([target()])
    assert attempt.success is not None
    assert attempt.success.ruling.proved and attempt.success.ruling.full is not None
    assert attempt.success.ruling.full > 0.5
    steps = attempt.success.edited.steps
    assert [step.name for step in steps] == ["a word more"] * 3, "4 - 3 - 1 is what makes it benign"


def test_what_the_full_model_falls_for_too_is_no_success(campaign: Make, toy: Any) -> None:
    gullible = Referee(toy.WordCounter().attack, {"words": toy.oracle})
    [attempt] = campaign(referee=gullible).run([target()])
    assert attempt.success is None and attempt.queries == 200
    assert gullible.refusals == {FULL_AGREES: RULINGS}
    asked = [Asked(0, Edited(text)) for text in ("evil", "evil garden shoes summer summer", "garden")]
    answers = _Wave(campaign(referee=gullible), [target()]).answers(asked)
    assert [answer.refused for answer in answers] == [False, True, False], "one claim of an event at a time"


def test_what_no_longer_does_what_it_did_is_no_success(campaign: Make, toy: Any) -> None:
    referee = Referee(None, {"words": toy.oracle})
    only_wrong = {"words": {"disarmed": toy.WRONG["disarmed"]}}
    [attempt] = campaign("bypass", referee=referee, mutators=only_wrong).run([target()])
    assert attempt.success is None and referee.refusals == {CHANGED: 1}


def test_a_success_whose_meaning_cannot_be_proved_is_marked(campaign: Make, stubborn: Any) -> None:
    [attempt] = campaign(referee=Referee(stubborn, {})).run([target(covered=False)])
    assert attempt.success is not None and not attempt.success.ruling.proved
    [attempt] = campaign(referee=Referee(stubborn, {})).run([target(covered=True)])
    assert attempt.success is None, "what an oracle covers has to be proved"


def test_what_is_escalated_is_no_evasion_but_a_blind_spot(campaign: Make, toy: Any) -> None:
    careful = victim(toy.WordCounter(), BENIGN, Policy(confidence=0.99))
    [evasion] = campaign(victim=careful).run([target()])
    [blind_spot] = campaign("blind-spot", victim=careful).run([target()])
    assert evasion.success is not None and blind_spot.success is not None
    assert len(evasion.success.edited.steps) > len(blind_spot.success.edited.steps) == 3
    sure = toy.WordCounter().score([evasion.success.edited.text]).logits[0, 0]
    assert 1 / (1 + np.exp(sure)) >= 0.99


def test_an_artefact_of_the_grid_is_benign_to_one_and_an_attack_to_the_other(campaign: Make, toy: Any) -> None:
    before = victim(toy.WordCounter(innocent=0.8), BENIGN)
    [attempt] = campaign("grid", before=before, referee=Referee(None, {"words": toy.oracle})).run([target()])
    assert attempt.success is not None
    odds = [toy.WordCounter(innocent=c).score([attempt.success.edited.text]).logits[0, 0] for c in (1.0, 0.8)]
    assert odds[0] <= 0 < odds[1]


def test_a_benign_event_becomes_a_false_alarm_or_costs_the_full_models_time(campaign: Make, toy: Any) -> None:
    alarming = {"words": {"an evil word": lambda text, random: f"{text} evil"}}
    quiet = Referee(toy.WordCounter(evil=0.0).attack, {})
    [alarm] = campaign("false-alarm", mutators=alarming, referee=quiet).run([target("garden", covered=False)])
    assert alarm.success is not None and "evil" in alarm.success.edited.text
    unsure = victim(toy.WordCounter(), BENIGN, Policy(confidence=0.95))
    flood = campaign("flood", mutators=alarming, victim=unsure, referee=quiet)
    [found] = flood.run([target("garden garden garden", covered=False)])
    assert found.success is not None and len(found.success.edited.steps) == 1


@pytest.mark.parametrize("objective", ["evasion", "false-alarm"])
def test_a_guide_is_followed_to_where_the_objective_wants_the_odds(campaign: Make, toy: Any, objective: str) -> None:
    both = {"words": {"evil": lambda text, random: f"{text} evil", "word": toy.MUTATORS["a word more"]}}
    text = {"evasion": "evil", "false-alarm": "garden"}[objective]
    found = campaign(objective, search="gradient", mutators=both, referee=Referee(None, {})).run([target(text, False)])
    assert found[0].success is not None and found[0].queries == 1
    assert ("evil" in found[0].success.edited.text.removeprefix("evil")) == (objective == "false-alarm")


def test_the_same_seed_finds_the_same_and_another_something_else(campaign: Make) -> None:
    events = [target("evil"), target("evil evil"), target("so evil")]
    again, other = campaign().run(events), campaign(seed=2).run(events)
    assert campaign().run(events) == again != other


def test_a_search_that_sees_labels_alone_is_answered_no_more(campaign: Make) -> None:
    texts = ["evil", "evil garden", "evil garden shoes summer summer", "so evil"]
    asked = [Asked(0, Edited(text)) for text in texts]
    answered = {
        search: [answer.loss for answer in _Wave(campaign(search=search), [target()]).answers(asked)]
        for search in ("random", "beam")
    }
    assert answered["random"] == [1.0, 1.0, 0.0, 1.0]
    assert len(set(answered["beam"])) == 3
