"""Edit C format strings: the same arguments are consumed by the same kinds of conversion."""

from __future__ import annotations

import re
from random import Random

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.places import LONGEST, at_one, phrase

# A conversion of C: position, flags, width, precision, length, kind.
CONVERSION = r"%(\d{1,4}\$)?([-+ #0']{0,6})(\d{0,9})(\.\d{0,9})?(hh|h|ll|l|j|z|t|L|q)?([diouxXeEfFgGaAcsp])"
KNOWN = re.compile(rf"(?:[^%`]|%%|{CONVERSION})+")
TWINS = {"d": "i", "i": "d", "x": "X", "X": "x", "e": "E", "E": "e", "f": "F", "F": "f", "g": "G", "G": "g"}


def _readable(text: str) -> bool:
    """Say whether every percent sign begins a conversion that is known: only then is it clear where one ends."""
    return "%" in text and KNOWN.fullmatch(text) is not None


def _wider(found: re.Match[str], random: Random) -> str | None:
    position, flags, width, precision, length, kind = (part or "" for part in found.groups())
    if width:
        return None
    padding = "-" if kind in "csp" or "-" in flags else random.choice(["0", "-", ""])
    flags = flags.replace("0", "").replace("-", "") + padding
    return f"%{position}{flags}{random.randint(1, 24)}{precision}{length}{kind}"


def _flagged(found: re.Match[str], random: Random) -> str | None:
    position, flags, width, precision, length, kind = (part or "" for part in found.groups())
    fitting = [sign for sign in {"d": "+ ", "i": "+ ", "u": "", "s": "", "p": "", "c": ""}.get(kind, "#")]
    free = [sign for sign in fitting if sign not in flags]
    return f"%{position}{random.choice(free)}{flags}{width}{precision}{length}{kind}" if free else None


def _twin(found: re.Match[str], random: Random) -> str | None:
    twin = TWINS.get(found[6])
    return found[0][:-1] + twin if twin else None


def _words_behind(text: str, random: Random) -> str | None:
    """Add words at the end: nothing that was written before them changes, not even what `%n` counts."""
    ends = re.search(r"(?:^|[^%])(?:%%)*%[^a-zA-Z@%]*$", text)
    if "%" not in text or "`" in text or ends or len(text) > LONGEST:
        return None
    return f"{text}{random.choice([' ', ', ', ': ', ' - '])}{phrase(random)}"


def _words_in_front(text: str, random: Random) -> str | None:
    return f"{phrase(random)}{random.choice([' ', ': ', '='])}{text}" if text[:1] == "%" and _readable(text) else None


def _numbered(text: str, random: Random) -> str | None:
    """Say of every conversion which argument it takes: all of them or none."""
    if not _readable(text) or len(text) > LONGEST or "$" in text:
        return None
    pieces, place = [], 0
    for piece in re.split(rf"(%%|{re.sub(r'[(](?![?])', '(?:', CONVERSION)})", text):
        if piece[:1] == "%" and piece != "%%":
            place += 1
            piece = f"%{place}${piece[1:]}"
        pieces.append(piece)
    return "".join(pieces)


def _between(found: re.Match[str], random: Random) -> str:
    sign = random.choice(["=", ": ", ", ", " ", " 100%% "])
    return f"{found[0]}{sign}{phrase(random)} "


MUTATORS: Mutators = {
    "words after a conversion": at_one(f"%%|(?P<at>{CONVERSION})", _between, _readable),
    "words at the end": _words_behind,
    "words in front": _words_in_front,
    "wider field": at_one(f"%%|{CONVERSION}", lambda found, r: _wider(found, r) if found[6] else None, _readable),
    "another flag": at_one(f"%%|{CONVERSION}", lambda found, r: _flagged(found, r) if found[6] else None, _readable),
    "twin conversion": at_one(f"%%|{CONVERSION}", lambda found, r: _twin(found, r) if found[6] else None, _readable),
    "numbered arguments": _numbered,
}
