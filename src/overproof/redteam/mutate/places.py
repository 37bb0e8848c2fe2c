"""Edit one place of a text that a pattern finds; and the innocent words that padding is made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from overproof.redteam.base import Mutator
from overproof.redteam.mutate.words import WORDS

Make = Callable[["re.Match[str]", Random], "str | None"]
"""Says what a match becomes; None where it cannot be edited."""

LONGEST = 20_000  # characters; a longer text is left alone, for an edit must be cheap


def phrase(random: Random, most: int = 4) -> str:
    """Draw some ordinary words."""
    return " ".join(random.choice(WORDS) for _ in range(random.randint(1, most)))


def gap(random: Random) -> str:
    """Draw white space that parsers skip, on one line."""
    return "".join(random.choice("  \t") for _ in range(random.randint(1, 3)))


def at_one(pattern: str, make: Make, where: Callable[[str], bool] = bool) -> Mutator:
    """
    Edit one match of a pattern, drawn by the generator.

    Parameters
    ----------
    pattern
        Where it has a group `at`, only matches in which that group took part are places: the other alternatives skip
        what must not be edited (strings, comments).
    make
        What the whole match becomes.
    where
        The texts to which the edit applies.
    """
    compiled = re.compile(pattern, re.DOTALL)
    named = "at" in compiled.groupindex

    def edit(text: str, random: Random) -> str | None:
        if len(text) > LONGEST or not where(text):
            return None
        places = [found for found in compiled.finditer(text) if not named or found["at"] is not None]
        if not places:
            return None
        found = random.choice(places)
        made = make(found, random)
        return None if made is None else text[: found.start()] + made + text[found.end() :]

    return edit
