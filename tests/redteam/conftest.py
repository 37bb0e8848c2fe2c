"""A model, mutators and an oracle that are easily understood: words against a bad one."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from overproof.bundle.scores import Floats, Scores
from overproof.redteam.base import Mutators, Proof

INNOCENT = ("garden", "summer", "shoes", "report")


class WordCounter:
    """Odds of an attack: `evil` for each bad word, less `calm` for each innocent one. Knows `attack` and `benign`."""

    classes = ("attack", "benign")

    def __init__(self, evil: float = 4.0, calm: float = 1.0) -> None:
        self.evil, self.calm, self.asked = evil, calm, 0

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked += len(texts)
        odds = [self.evil * t.lower().count("evil") - self.calm * sum(t.count(w) for w in INNOCENT) - 1 for t in texts]
        logits = np.stack([np.array(odds, dtype=np.float32), np.zeros(len(texts), dtype=np.float32)], axis=1)
        n = len(texts)
        return Scores(
            logits.reshape(n, 2), self.classes, np.ones(n, np.int32), np.zeros(n, bool), benign=np.array([False, True])
        )

    def attack(self, texts: Sequence[str]) -> Floats:
        """The probability of an attack, as a referee asks for it."""
        logits = self.score(texts).logits
        return np.asarray(1 / (1 + np.exp(logits[:, 1] - logits[:, 0])), dtype=np.float32)


def append_word(text: str, random: Random) -> str:
    return f"{text} {random.choice(INNOCENT)}"


def swap_case(text: str, random: Random) -> str:
    return text.swapcase()


def drop_evil(text: str, random: Random) -> str | None:
    """An edit that does not keep the meaning: the oracle has to see it."""
    return text.replace("evil", "", 1) if "evil" in text else None


MUTATORS: Mutators = {"a word more": append_word, "case": swap_case}
WRONG: Mutators = {**MUTATORS, "disarmed": drop_evil}


def oracle(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """As many bad words as before prove the same meaning; an event without any is not covered."""

    def judged(original: str, edited: str) -> Proof:
        if "evil" not in original.lower():
            return Proof("unproved", "no bad word")
        same = original.lower().count("evil") == edited.lower().count("evil")
        return Proof("proved", "the same bad words") if same else Proof("changed", "other bad words")

    return [judged(*pair) for pair in pairs]


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """All of it."""
    return SimpleNamespace(WordCounter=WordCounter, MUTATORS=MUTATORS, WRONG=WRONG, oracle=oracle)
