"""An edit can be repeated, and one that does nothing is none."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.base import Edited, Mutators, mutated, one_step, replay
from overproof.results.attack_cases import Step


def widen(text: str, random: Random) -> str | None:
    places = [place for place, letter in enumerate(text) if letter == " "]
    if not places:
        return None
    place = random.choice(places)
    return f"{text[:place]} {text[place:]}"


def upper(text: str, random: Random) -> str | None:
    return text.upper()


MUTATORS: Mutators = {"spaces": widen, "case": upper}


@given(st.text("ab ", max_size=12), st.integers(0, 2**32), st.integers(0, 6))
def test_what_was_reached_is_reached_again(text: str, seed: int, count: int) -> None:
    random, edited = Random(seed), Edited(text)
    for _ in range(count):
        edited = mutated(edited, MUTATORS, random) or edited
    assert replay(text, edited.steps, MUTATORS) == edited


def test_an_edit_that_changes_nothing_is_none() -> None:
    assert one_step(Edited("AB"), Step("case", 1), MUTATORS) is None
    assert one_step(Edited("ab"), Step("spaces", 1), MUTATORS) is None
    assert mutated(Edited("AB"), MUTATORS, Random(0)) is None


def test_an_edit_that_no_longer_applies_is_left_out() -> None:
    steps = [Step("case", 1), Step("spaces", 2), Step("case", 3)]
    assert replay("ab", steps, MUTATORS) == Edited("AB", (steps[0],))
