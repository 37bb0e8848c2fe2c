"""A model, mutators and an oracle that are easily understood: words against a bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.scores import Floats, Scores
from overproof.redteam.base import Edited, Mutator, Mutators, Proof, mutated
from overproof.redteam.search.interface import Guide

INNOCENT = ("garden", "summer", "shoes", "report")


class WordCounter:
    """Odds of an attack: `evil` for each bad word, less `innocent` for each innocent one."""

    classes = ("attack", "benign")

    def __init__(self, evil: float = 4.0, innocent: float = 1.0) -> None:
        self.evil, self.innocent, self.asked = evil, innocent, 0

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked += len(texts)
        odds = [
            self.evil * t.lower().count("evil") - self.innocent * sum(t.count(w) for w in INNOCENT) - 1 for t in texts
        ]
        logits = np.stack([np.array(odds, dtype=np.float32), np.zeros(len(texts), dtype=np.float32)], axis=1)
        n = len(texts)
        return Scores(
            logits.reshape(n, 2), self.classes, np.ones(n, np.int32), np.zeros(n, bool), benign=np.array([False, True])
        )

    def attack(self, texts: Sequence[str]) -> Floats:
        """The probability of an attack, as a referee asks for it."""
        logits = self.score(texts).logits
        return np.asarray(1 / (1 + np.exp(logits[:, 1] - logits[:, 0])), dtype=np.float32)


def its_odds(texts: Sequence[str]) -> list[float]:
    """What a copy of it says."""
    return WordCounter().score(texts).logits[:, 0].tolist()


GUIDE = Guide(lambda text, edited: its_odds(edited), its_odds)


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
    return SimpleNamespace(WordCounter=WordCounter, MUTATORS=MUTATORS, WRONG=WRONG, oracle=oracle, guide=GUIDE)


Pairs = list[tuple[str, str]]


def edited_by_chains(texts: Sequence[str], mutators: Mutators, longest: int, random: Random) -> Pairs:
    """Edit each text by a chain of up to so many edits; those that no edit fits are left out."""
    pairs = []
    for text in texts:
        edited = Edited(text)
        for _ in range(random.randint(1, longest)):
            edited = mutated(edited, mutators, random) or edited
        if edited.steps:
            pairs.append((text, edited.text))
    return pairs


@pytest.fixture(scope="session")
def chains() -> Callable[[Sequence[str], Mutators, int, Random], Pairs]:
    """Texts, edited by chains of edits."""
    return edited_by_chains


def takes_any_text(edit: Mutator, texts: st.SearchStrategy[str]) -> None:
    """Hold an edit to what all have to be: it takes any text, and edits it alike for the same seed."""

    @given(texts, st.integers(0, 2**32 - 1))
    def holds(text: str, seed: int) -> None:
        once = edit(text, Random(seed))
        assert once == edit(text, Random(seed))
        assert once is None or isinstance(once, str)

    holds()


@pytest.fixture(scope="session")
def total_and_repeatable() -> Callable[[Mutator, st.SearchStrategy[str]], None]:
    """The property of every edit."""
    return takes_any_text
