"""Show the lesson a step at a time on a terminal, and keep where it was left."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial

from overproof.cli.output import fitted, show_text
from overproof.files import results
from overproof.lesson.blocks import Section
from overproof.lesson.paging import Page, first_of, pages, question, turned
from overproof.lesson.place import forget, keep, kept, place_file
from overproof.lesson.terminal import step
from overproof.progress import terminal

ROWS = 24  # of a screen that does not say


def on_terminals() -> bool:
    """Tell whether someone reads what is shown, and can answer."""
    return results().isatty() and sys.stdin is not None and sys.stdin.isatty()


def walk_through(sections: Sequence[Section]) -> None:
    """Show the sections, beginning where they were left; Ctrl-C and the end of the input leave as `q` does."""
    shown = pages([fitted(partial(step, k, section)) for k, section in enumerate(sections, 1)], _rows())
    where, keys = place_file(), [section.key for section in sections]
    begun = kept(where, keys)
    at: int | None = first_of(shown, begun)
    if begun:
        terminal().say(f"Going on at step {begun + 1} of {len(sections)}; 1 begins anew.")
    untold, last = "", shown[0]
    while at is not None:
        last = shown[at]
        if where is not None and not untold and (untold := keep(where, keys[last.step])):
            terminal().say(f"Where you are is not kept: {untold}")
        show_text(f"{last.text}\n\n")
        at, ended = _answered(shown, at)
        if ended and where is not None and not untold:
            forget(where)
            return
    if where is not None and not untold:
        terminal().say(f"Left at step {last.step + 1}, which {where} keeps; `overproof lesson` goes on there.")


def _answered(shown: Sequence[Page], at: int) -> tuple[int | None, bool]:
    """Ask until an answer leads somewhere; returns the page, None to leave, and whether the end was reached."""
    while True:
        answer = _asked(question(shown, at))
        if answer is None:
            show_text("\n")
            return None, False
        turn = turned(shown, at, answer)
        if not turn.message:
            return turn.page, turn.page is None and not answer.strip()
        show_text(f"{turn.message}\n")


def _asked(text: str) -> str | None:
    """Return what was answered; None where the input has ended, or Ctrl-C was typed."""
    try:
        show_text(text)
        results().flush()
        return sys.stdin.readline() or None
    except KeyboardInterrupt as interrupted:
        if type(interrupted) is not KeyboardInterrupt:  # of SIGTERM and SIGHUP: nobody is there to be told
            raise
        return None


def _rows() -> int:
    try:
        return os.get_terminal_size(results().fileno()).lines or ROWS
    except (OSError, ValueError):
        return ROWS
