"""Report work in progress: in a notebook below its cell, on stderr for the command line, nowhere in other programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

from overproof.folding import folded

Advance = Callable[[int], None]
REDRAWN = 0.25  # seconds between two pictures of a bar in a notebook


@dataclass(frozen=True)
class Console:
    """Plain callables that long work reports to.

    Attributes
    ----------
    say
        Shows one finished line.
    progress
        `with progress(description, total) as advance:` shows a bar with its ETA; `advance(k)` means k more of
        the total are done.
    aside
        `with aside():` takes the bar away while something else is written to the same terminal.
    """

    say: Callable[[str], None]
    progress: Callable[[str, int], AbstractContextManager[Advance]]
    aside: Callable[[], AbstractContextManager[None]] = nullcontext


def printable(text: str) -> str:
    """Spell out whatever in a text could steer a terminal: what is judged here was written by attackers."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def printable_json(text: str) -> str:
    """Spell out in JSON whatever could steer a terminal, in the escapes of JSON: it stays equal when it is parsed."""
    if text.isascii() and "\x7f" not in text:  # of the others JSON itself has escaped those that steer
        return text
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text)


def ascii_json(text: str) -> str:
    """Spell JSON in ASCII."""
    return text if text.isascii() else "".join(c if c.isascii() else _json_escape(c) for c in text)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def one_line(text: str) -> str:
    """Put a name on one line, without what steers a terminal: anyone may have written the file it is from."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def why(error: BaseException, longest: int = 200) -> str:
    """Say on one line, and shortened, what an error of a library says; some quote what they read at length."""
    text = one_line(str(error).strip()) or type(error).__name__
    return text if len(text) <= longest else f"{text[:longest]}…"


def _ignore(message: object) -> None:
    """Report to no one."""


@contextmanager
def _no_bar(description: str, total: int) -> Iterator[Advance]:
    yield _ignore


def _say_plainly(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


SILENT = Console(say=_ignore, progress=_no_bar)


def _display() -> Any:
    """Return what shows things in the notebook that this runs in; None outside of one."""
    ipython = sys.modules.get("IPython")  # which a notebook has loaded
    shell = None if ipython is None else ipython.get_ipython()
    return import_module("IPython.display").display if getattr(shell, "kernel", None) is not None else None


def _say_in_notebook(text: str) -> None:
    if _display() is not None:
        print(printable(text), file=sys.stderr)


@contextmanager
def _notebook_bar(description: str, total: int) -> Iterator[Advance]:
    display = _display()
    if display is None:
        yield _ignore
        return
    done, shown = 0, time.monotonic()
    begun = shown
    handle = display(_mime_bundle(description, done, total, 0.0), raw=True, display_id=True)

    def advance(more: int) -> None:
        nonlocal done, shown
        done += more
        if time.monotonic() - shown >= REDRAWN:
            shown = time.monotonic()
            handle.update(_mime_bundle(description, done, total, shown - begun), raw=True)

    try:
        yield advance
    finally:
        handle.update(_mime_bundle(description, done, total, time.monotonic() - begun), raw=True)


def _mime_bundle(description: str, done: int, total: int, seconds: float) -> dict[str, str]:
    """Draw a bar as notebooks take it, by MIME type: as HTML, and as text for one that shows none."""
    name, of_all = printable(description), f" of {total:,}" if total else ""
    done = min(done, total or done)  # a total may be what is expected
    left = f", {seconds * (total - done) / done:,.0f} s left" if 0 < done < total else ""
    said = f"{done:,}{of_all}, {seconds:,.0f} s{left}"
    bar = f'<progress max="{total}" value="{done}"></progress> ' if total else ""
    return {"text/plain": f"{name}: {said}", "text/html": f"<div>{escape(name)} {bar}{said}</div>"}


NOTEBOOK = Console(say=_say_in_notebook, progress=_notebook_bar)


def terminal() -> Console:
    """Make a console on stderr; its bars show only where stderr is a terminal, its lines always."""
    if sys.stderr is None or not sys.stderr.isatty():
        return Console(say=_say_plainly, progress=_no_bar)  # rich takes a tenth of a cold start to import
    from rich.console import Console as Screen
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = Screen(stderr=True)
    running: list[Progress] = []

    def say(text: str) -> None:
        screen.print(folded(printable(text), screen.width), markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def bar(description: str, total: int) -> Iterator[Advance]:
        if not screen.is_interactive:  # a terminal that takes no escapes
            yield _ignore
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn() if total else TextColumn("{task.completed:,.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=screen, transient=True) as shown:
            task = shown.add_task(printable(description), total=total or None)
            running.append(shown)
            try:
                yield lambda done: shown.advance(task, done)
            finally:
                running.remove(shown)

    @contextmanager
    def aside() -> Iterator[None]:
        stopped = list(running)
        for shown in stopped:
            shown.stop()
        try:
            yield
        finally:
            for shown in stopped:
                shown.start()

    return Console(say=say, progress=bar, aside=aside)
