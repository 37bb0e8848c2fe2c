"""Turn the pages of the lesson: a step at a time, in parts that fit the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BACK, LEAVE = "b", "q"
SPARE = 3  # rows of the screen for the question below a page
LEAST = 5  # rows of a page, on however small a screen


@dataclass(frozen=True)
class Page:
    """What is shown at once: a step, counted from 0, or part of one, counted from 1."""

    step: int
    part: int
    parts: int
    text: str


@dataclass(frozen=True)
class Turn:
    """Where an answer leads: to a page, or out (None), with what is to be said before."""

    page: int | None
    message: str = ""


def pages(texts: Sequence[str], rows: int) -> tuple[Page, ...]:
    """Divide the text of each step into pages for a screen of so many rows."""
    room = max(LEAST, rows - SPARE)
    found = []
    for step, text in enumerate(texts):
        lines = text.split("\n")
        parts = [lines[at : at + room] for at in range(0, len(lines), room)]
        found += [Page(step, k, len(parts), "\n".join(part)) for k, part in enumerate(parts, 1)]
    return tuple(found)


def first_of(shown: Sequence[Page], step: int) -> int:
    """Return where the first page of a step is."""
    return next(at for at, page in enumerate(shown) if page.step == step)


def question(shown: Sequence[Page], at: int) -> str:
    """Say which step this is, and what can be answered."""
    page, steps = shown[at], shown[-1].step + 1
    part = "" if page.parts == 1 else f", part {page.part} of {page.parts}"
    onward = "Enter ends" if at == len(shown) - 1 else "Enter goes on"
    return f"[step {page.step + 1} of {steps}{part}; {onward}, {BACK} back, 1 to {steps} to a step, {LEAVE} leaves] "


def turned(shown: Sequence[Page], at: int, answer: str) -> Turn:
    """Say where an answer leads from a page."""
    steps, word = shown[-1].step + 1, answer.strip().lower()
    if word == LEAVE:
        return Turn(None)
    if word == "":
        return Turn(at + 1 if at + 1 < len(shown) else None)
    if word == BACK:
        return Turn(max(0, at - 1))
    if word.isascii() and word.isdigit() and 1 <= int(word[:5]) <= steps:
        return Turn(first_of(shown, int(word[:5]) - 1))
    return Turn(at, f"Expected Enter, {BACK}, {LEAVE} or a step from 1 to {steps}.")
