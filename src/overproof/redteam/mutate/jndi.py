"""Edit Log4j look-ups: spell a letter of the JNDI look-up by another look-up that evaluates to it."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate.places import LONGEST, phrase
from overproof.redteam.mutate.words import WORDS

NESTED = 4  # look-ups within look-ups; a letter is not wrapped more often
OPAQUE = set("${}:-")  # letters that the look-ups themselves are written with


def _letters(text: str) -> list[tuple[int, bool]]:
    """
    Find the letters that are a value of the outermost look-up: not those of a nested look-up's own name.

    Returns
    -------
        The place of each, and whether the JNDI look-up's name (of which Log4j ignores the case) holds it.
    """
    found: list[tuple[int, bool]] = []
    opened: list[bool] = []  # for each open look-up, whether what follows is a value
    naming = False
    place = 0
    while place < len(text):
        if text.startswith("${", place):
            naming = not opened or naming
            opened.append(not opened or text.startswith(("lower:", "upper:"), place + 2))
            place += 2
            if len(opened) > 1 and opened[-1]:
                place += len("lower:")
            continue
        letter = text[place]
        if letter == "}" and opened:
            opened.pop()
        elif len(opened) > 1 and text.startswith(":-", place) and not opened[-1]:
            opened[-1] = True
            place += 1
        elif len(opened) == 1 and letter == ":":
            naming = False
        elif opened and all(opened) and letter not in OPAQUE and len(opened) <= NESTED:
            found.append((place, naming))
        place += 1
    return found


def _attacks(text: str) -> bool:
    return "${" in text and len(text) <= LONGEST


def _wrapped(kind: str) -> Mutator:
    def edit(text: str, random: Random) -> str | None:
        letters = _letters(text) if _attacks(text) else []
        if kind == "lower":
            letters = [at for at in letters if _ascii(text[at[0]]) and text[at[0]].lower() == text[at[0]]]
        elif kind == "upper":
            letters = [at for at in letters if _ascii(text[at[0]]) and (at[1] or text[at[0]].upper() == text[at[0]])]
        if not letters:
            return None
        place, _naming = random.choice(letters)
        letter = text[place]
        if kind == "lower":
            made = f"${{lower:{random.choice([letter, letter.upper()])}}}"
        elif kind == "upper":
            made = f"${{upper:{random.choice([letter, letter.lower()])}}}"
        else:
            made = f"${{{_unknown(kind, random)}:-{letter}}}"
        return text[:place] + made + text[place + 1 :]

    return edit


def _ascii(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()


def _unknown(kind: str, random: Random) -> str:
    """Name a look-up that finds nothing."""
    words = [random.choice(WORDS) for _ in range(random.randint(1, 3))]
    if kind == "env":
        return "env:" + "_".join(words).upper()
    if kind == "sys":
        return "sys:" + ".".join(["app", *words])
    if kind == "unknown":
        return f"{words[0]}:{'.'.join(words)}"
    return random.choice([":", "::", "::::"])


def _words_in_front(text: str, random: Random) -> str | None:
    return f"{phrase(random)}{random.choice([' ', '=', ': '])}{text}" if _attacks(text) else None


def _words_behind(text: str, random: Random) -> str | None:
    return f"{text}{random.choice([' ', '; ', ' / '])}{phrase(random)}" if _attacks(text) else None


MUTATORS: Mutators = {
    "letter by lower": _wrapped("lower"),
    "letter by upper": _wrapped("upper"),
    "letter as a default": _wrapped("empty"),
    "letter as the default of an unknown variable": _wrapped("env"),
    "letter as the default of an unknown property": _wrapped("sys"),
    "letter as the default of an unknown look-up": _wrapped("unknown"),
    "words in front": _words_in_front,
    "words behind": _words_behind,
}
