"""Edit benign text so that it stays benign: more of what people write, and nothing that means anything to a program."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.words import WORDS

_ELISIONS = ("o'", "d'", "l'")
_JOINERS = (" ", " ", ", ", " - ", " & ", ". ")


def _words(random: Random) -> str:
    return " ".join(random.choice(WORDS) for _ in range(random.randint(1, 3)))


def words_behind(text: str, random: Random) -> str | None:
    """Write a few ordinary words behind."""
    return f"{text}{random.choice(_JOINERS)}{_words(random)}"


def words_ahead(text: str, random: Random) -> str | None:
    """Write a few ordinary words ahead."""
    return f"{_words(random)}{random.choice(_JOINERS)}{text}"


def word_in_between(text: str, random: Random) -> str | None:
    """Write an ordinary word after a space."""
    places = [place for place, letter in enumerate(text) if letter == " "]
    if not places:
        return None
    place = random.choice(places)
    return f"{text[:place]} {random.choice(WORDS)}{text[place:]}"


def name_with_an_apostrophe(text: str, random: Random) -> str | None:
    """Write a name behind, as in O'Garden: a quote that opens nothing."""
    return f"{text} {random.choice(_ELISIONS)}{random.choice(WORDS)}"


def number_behind(text: str, random: Random) -> str | None:
    """Write a number behind."""
    return f"{text} {random.randint(0, 9999)}"


def words_in_another_case(text: str, random: Random) -> str | None:
    """Write all words in capitals, or with capitals."""
    return random.choice((text.upper, text.title, text.lower))()


MUTATORS: Mutators = {
    "ordinary words behind": words_behind,
    "ordinary words ahead": words_ahead,
    "an ordinary word in between": word_in_between,
    "a name with an apostrophe": name_with_an_apostrophe,
    "a number behind": number_behind,
    "words in another case": words_in_another_case,
}
