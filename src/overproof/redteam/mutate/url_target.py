"""Edit request targets, `/help/show.php?page=…`: a server finds the same page and the same parameters.

A server removes `.` and `..` from a target by its text alone, before it looks for a file, and decodes it once.
"""

from __future__ import annotations

import re
from random import Random
from urllib.parse import unquote

from overproof.redteam.base import Mutators
from overproof.redteam.mutate.words import WORDS

_TARGET = re.compile(r"(/(?![/\\]|https?:|%(?:0|2f|5c))[^?#]*)\?([^#]*)", re.I | re.S)
_ESCAPE = re.compile("(%[0-9a-f]{2})", re.I)
_PARAMETER = re.compile(r"[^=?#]+=", re.S)
_PLACEHOLDER = re.compile("XX[a-z]+XX|[{]", re.I)  # stands for a value: there is nothing in it to encode


def ordinary_parameter(text: str, random: Random) -> str | None:
    """`?a=1` -> `?garden=summer&a=1`: parameters that nobody asks for."""
    read = _target(text)
    if read is None:
        return None
    path, pieces = read
    word, value = random.choice(WORDS), random.choice(WORDS)
    if word in unquote(text):
        return None
    places = [i for i, piece in enumerate(pieces) if _PARAMETER.match(piece)]
    place = random.choice([*places, len(pieces)])
    return _written(path, [*pieces[:place], f"{word}={value}", *pieces[place:]])


def other_order(text: str, random: Random) -> str | None:
    """`?a=1&b=2` -> `?b=2&a=1`: parameters of different names have no order."""
    read = _target(text)
    if read is None:
        return None
    path, pieces = read
    names = [_base_name(piece) for piece in pieces]
    places = [i for i in range(len(pieces) - 1) if names[i] and names[i + 1] and names[i] != names[i + 1]]
    if not places:
        return None
    place = random.choice(places)
    pieces[place : place + 2] = reversed(pieces[place : place + 2])
    return _written(path, pieces)


def _base_name(piece: str) -> str | None:
    """Name the variable that a parameter fills: `a[x]` and `a[y]` fill one; None where a piece is no parameter."""
    if not _PARAMETER.match(piece) or "%" in piece.partition("=")[0]:
        return None
    return re.split(r"[\[.]", piece.partition("=")[0])[0]


def encode_parameter_name(text: str, random: Random) -> str | None:
    """`?page=` -> `?%70age=`."""
    read = _target(text)
    places = [] if read is None else [i for i, piece in enumerate(read[1]) if _PARAMETER.match(piece)]
    if read is None or not places:
        return None
    path, pieces = read
    place = random.choice(places)
    name, equals, value = pieces[place].partition("=")
    pieces[place] = _one_encoded(name, r"[\w\[\]]", random) + equals + value
    return _written(path, pieces)


def encode_value(text: str, random: Random) -> str | None:
    """`=http://a` -> `=http%3A//a`."""
    read = _target(text)
    if read is None:
        return None
    path, pieces = read
    places = [i for i, piece in enumerate(pieces) if _PARAMETER.match(piece) and not _PLACEHOLDER.search(piece)]
    if not places:
        return None
    place = random.choice(places)
    name, equals, value = pieces[place].partition("=")
    pieces[place] = name + equals + _one_encoded(value, r"[\w:/.]", random)
    return _written(path, pieces)


def encode_path(text: str, random: Random) -> str | None:
    """`/index.php` -> `/%69ndex.php`."""
    read = _target(text)
    return None if read is None else _written(_one_encoded(read[0], r"[\w-]", random), read[1])


def hex_case(text: str, random: Random) -> str | None:
    """`%2f` -> `%2F`."""
    places = [found for found in _ESCAPE.finditer(text) if found[0].swapcase() != found[0]]
    if _target(text) is None or not places:
        return None
    found = random.choice(places)
    return text[: found.start()] + found[0].swapcase() + text[found.end() :]


def double_slash(text: str, random: Random) -> str | None:
    """`/a/b` -> `/a//b`, behind the first slash only, which two of would begin a host."""
    return _behind_slash(text, "/", random, is_first_kept=True)


def dot_segment(text: str, random: Random) -> str | None:
    """`/a/b` -> `/a/./b`."""
    return _behind_slash(text, "./" * random.randint(1, 3), random)


def detour(text: str, random: Random) -> str | None:
    """`/a/b` -> `/a/garden/../b`."""
    words = random.choices(WORDS, k=random.randint(1, 3))
    return _behind_slash(text, "/".join([*words, *[".."] * len(words), ""]), random)


def _behind_slash(text: str, inserted: str, random: Random, *, is_first_kept: bool = False) -> str | None:
    read = _target(text)
    places = [] if read is None else [i + 1 for i, c in enumerate(read[0]) if c == "/" and i >= is_first_kept]
    if read is None or not places:
        return None
    place = random.choice(places)
    return _written(read[0][:place] + inserted + read[0][place:], read[1])


def _target(text: str) -> tuple[str, list[str]] | None:
    """Read a path and the pieces of a query; None where a text is no target with parameters."""
    found = _TARGET.fullmatch(text)
    return (found[1], found[2].split("&")) if found and _PARAMETER.match(found[2]) else None


def _written(path: str, pieces: list[str]) -> str:
    return f"{path}?{'&'.join(pieces)}"


def _one_encoded(text: str, allowed: str, random: Random) -> str:
    """Percent-encode one character that is not part of an escape."""
    pieces = _ESCAPE.split(text)
    places = [(i, found.start()) for i in range(0, len(pieces), 2) for found in re.finditer(allowed, pieces[i], re.A)]
    if not places:
        return text
    piece, place = random.choice(places)
    whole = pieces[piece]
    pieces[piece] = f"{whole[:place]}%{ord(whole[place]):02{random.choice('xX')}}{whole[place + 1 :]}"
    return "".join(pieces)


MUTATORS: Mutators = {
    "ordinary parameter in a target": ordinary_parameter,
    "parameters of a target in another order": other_order,
    "percent-encode in a parameter's name": encode_parameter_name,
    "percent-encode in a parameter's value": encode_value,
    "percent-encode in a target's path": encode_path,
    "hex digits of a target in another case": hex_case,
    "slash doubled in a target": double_slash,
    "dot segment in a target": dot_segment,
    "detour by ordinary words in a target": detour,
}
