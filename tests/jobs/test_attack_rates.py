"""What carries over from one model to another is counted over what was looked for in one model alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overproof.bundle.model_names import DISTILLED, QUANTIZED
from overproof.jobs.attack_rates import transfer
from overproof.redteam.base import Edited, Proof
from overproof.redteam.campaign import Attempt, Success, Target
from overproof.redteam.referee import Ruling
from overproof.redteam.victim import Reaction, Victim


def fooled_by(*words: str) -> Victim:
    def react(texts: Sequence[str]) -> Reaction:
        attack = np.array([not any(word in text for word in words) for text in texts])
        return Reaction(np.where(attack, 1.0, -1.0), attack, np.ones(len(texts), bool), np.zeros(len(texts)))

    return react


def fell(text: str) -> Attempt:
    ruling = Ruling(None, 0.9, Proof("proved", "for a test"))
    return Attempt(Target(0, "attack", "sqli", "sql", covered=True), 3, Success(Edited(text), ruling))


def test_artefacts_of_the_grid_are_not_asked_to_carry_over() -> None:
    victims = {QUANTIZED: fooled_by("both", "grid"), DISTILLED: fooled_by("both")}
    attempts = {
        ("evasion", "bandit", QUANTIZED): [fell("both, one"), fell("both, two")],
        ("grid", "bandit", QUANTIZED): [fell("grid, one"), fell("grid, two")],
        ("evasion", "bandit", DISTILLED): [fell("both, three")],
        ("false-alarm", "bandit", QUANTIZED): [fell("both, of a benign event")],
    }
    found = transfer(victims, attempts)
    assert {model: {name: (rate.value, rate.n) for name, rate in rates.items()} for model, rates in found.items()} == {
        QUANTIZED: {DISTILLED: (1.0, 2)},
        DISTILLED: {QUANTIZED: (1.0, 1)},
    }
