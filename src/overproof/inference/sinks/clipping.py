"""Cut out of an event what fits into a line, around the span that carried its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from overproof.folding import cells
from overproof.progress import one_line

Place = tuple[int, int]
MORE = "…"
LONGEST = 4  # characters that are looked at for each cell: combining ones take none


@dataclass(frozen=True)
class Part:
    """Part of a clipping.

    Attributes
    ----------
    text
        Printable, without line breaks.
    marked
        Whether it is of a span.
    """

    text: str
    marked: bool = False


@dataclass(frozen=True)
class _Shown:
    text: str
    cells: int
    marked: bool


def clipping(text: str, places: Sequence[Place], room: int, brackets: tuple[str, str] = ("", "")) -> list[Part]:
    """Cut what fits out of a text.

    Parameters
    ----------
    text
        May be anything: what could steer a terminal is spelled out.
    places
        Start and end of the spans, which do not overlap, the one first that matters most: it is shown from its start,
        and whole if it fits.
    room
        Cells that there are.
    brackets
        What stands before and behind each span.
    """
    if room < 4:
        return []
    places = [(start, end) for start, end in places if start < min(end, len(text))]
    shown, end = _cut(text, 0, places, room, brackets)
    if places and places[0][1] > end:
        shown, _ = _cut(text, _begin(text, places[0], room), places, room, brackets)
    return _joined(shown)


def _begin(text: str, place: Place, room: int) -> int:
    """Return where to begin so that a span is seen with something before it."""
    begin, left = place[0], room // 4
    for before in range(place[0] - 1, max(-1, place[0] - LONGEST * room), -1):
        left -= _spelled(text[before])[1]
        if left < 0:
            break
        begin = before
    return begin


def _cut(
    text: str, begin: int, places: Sequence[Place], room: int, brackets: tuple[str, str]
) -> tuple[list[_Shown], int]:
    """Return what is shown from a character on, and the first character that is not."""
    shown = [_Shown(MORE, 1, False)] if begin else []
    used, end = len(shown), begin
    for one in _characters(text, begin, places, brackets, begin + LONGEST * room):
        if used + one.cells > room:
            break
        shown.append(one)
        used += one.cells
        end += 1
    if end == len(text):
        return shown, end
    tail = _tail(shown, brackets)
    while shown and used + tail.cells > room:
        used -= shown.pop().cells
        end -= 1
        tail = _tail(shown, brackets)
    return [*shown, tail], end


def _tail(shown: Sequence[_Shown], brackets: tuple[str, str]) -> _Shown:
    inside = bool(shown) and shown[-1].marked and not (brackets[1] and shown[-1].text.endswith(brackets[1]))
    return _Shown(MORE + brackets[1], 1 + cells(brackets[1]), True) if inside else _Shown(MORE, 1, False)


def _characters(
    text: str, begin: int, places: Sequence[Place], brackets: tuple[str, str], limit: int
) -> Iterator[_Shown]:
    starts, ends = {max(start, begin) for start, _ in places}, {end - 1 for _, end in places}
    for at in range(begin, min(len(text), limit)):
        marked = any(start <= at < end for start, end in places)
        spelled, width = _spelled(text[at])
        for bracket, there in ((brackets[0], at in starts), (brackets[1], at in ends)):
            if marked and there and bracket:
                spelled = bracket + spelled if bracket is brackets[0] else spelled + bracket
                width += cells(bracket)
        yield _Shown(spelled, width, marked)


@lru_cache(1 << 12)
def _spelled(character: str) -> tuple[str, int]:
    """Return how a character is shown, and its cells; one that changes the width of that before it is spelled out."""
    shown = rf"\u{ord(character):x}" if "\ufe00" <= character <= "\ufe0f" else one_line(character)
    return shown, cells(shown)


def _joined(shown: Sequence[_Shown]) -> list[Part]:
    parts: list[Part] = []
    for one in shown:
        if parts and parts[-1].marked == one.marked:
            parts[-1] = Part(parts[-1].text + one.text, one.marked)
        else:
            parts.append(Part(one.text, one.marked))
    return parts
