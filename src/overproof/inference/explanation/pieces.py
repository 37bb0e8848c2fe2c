"""Cut a text into the parts that an explanation asks about."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence, Set
from itertools import chain
from typing import TypeAlias

CHUNK = 512  # characters that are explained of an event
SEARCHED = 32_768  # characters of an event in which they are sought
PIECES = 64  # of a chunk at most: where there are more, neighbours are put together

Place: TypeAlias = tuple[int, int]  # where something begins in a text, and what is behind it

_PIECE = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\w+|\s+|([^\w\s])\1*", re.DOTALL)


def chunks_of(text: str) -> list[tuple[int, int]]:
    """Return where a text's chunks begin and end: one if it is no longer than that, else overlapping by a quarter."""
    last = max(0, min(len(text), SEARCHED) - CHUNK)
    return [(begin, min(begin + CHUNK, len(text))) for begin in [*range(0, last, CHUNK * 3 // 4), last]]


def pieces_of(chunk: str) -> list[int]:
    """Return where a chunk's pieces begin, and where the last one ends.

    Pieces are words, white space, percent-encoded bytes and runs of one sign. A word that is much longer than others
    (base64) is cut evenly.
    """
    size = max(4, len(chunk) // PIECES * 2)
    bounds = [0]
    for match in _PIECE.finditer(chunk):
        begin, end = match.span()
        parts = max(1, (end - begin) // size) if end - begin > 2 * size else 1
        bounds += [begin + (end - begin) * part // parts for part in range(1, parts + 1)]
    step = max(1.0, (len(bounds) - 1) / PIECES)
    places = [round(step * i) for i in range(round((len(bounds) - 1) / step) + 1)]
    return [bounds[place] for place in places]


def places_within(chunk: str, taken: Sequence[Place], longest: int) -> list[Place]:
    """Return for each piece the longest run of pieces that begins with it and is no longer than that, if there is one.

    None of them holds anything of the places that are taken, or white space alone.
    """
    found: list[Place] = []
    for part in _between(_bounds(chunk, taken), {start for start, _ in taken}):
        for first, start in enumerate(part[:-1]):
            end = part[max(first, bisect_right(part, start + longest) - 1)]
            if end > start and not chunk[start:end].isspace():
                found.append((start, end))
    return found


def runs_of(chunk: str, taken: Sequence[Place]) -> list[Place]:
    """Return where runs of neighbouring pieces lie, of one, two, four, … of them at every half of that length.

    None of them holds anything of the places that are taken, or white space alone, without which words run together.
    """
    bounds = _bounds(chunk, taken)
    found: dict[Place, None] = {}
    for part in _between(bounds, {start for start, _ in taken}):
        count, width = len(part) - 1, 1
        while width < count:
            for first in [*range(0, count - width, max(1, width // 2)), count - width]:
                found[part[first], part[first + width]] = None
            width *= 2
        found[part[0], part[-1]] = None
    return [(start, end) for start, end in found if not chunk[start:end].isspace()]


def _bounds(chunk: str, taken: Sequence[Place]) -> list[int]:
    """Return the bounds of a chunk's pieces and of the places that are taken, inside of which there is none."""
    bounds = pieces_of(chunk)
    for start, end in taken:
        bounds = [bound for bound in bounds if not start < bound < end]
    return sorted({*bounds, *chain.from_iterable(taken)})


def _between(bounds: Sequence[int], taken: Set[int]) -> Iterator[list[int]]:
    """Yield the bounds of pieces that follow each other, at least one piece; at those in `taken` begins none."""
    part: list[int] = []
    for bound in bounds:
        part.append(bound)
        if bound in taken or bound == bounds[-1]:
            if len(part) > 1:
                yield part
            part = []
