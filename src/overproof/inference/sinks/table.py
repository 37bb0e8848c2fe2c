"""Write verdicts as a table for people: a row each, fitted to the terminal, the span that carried an alert marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from overproof.folding import cells
from overproof.inference.sinks import severity
from overproof.inference.sinks.clipping import clipping
from overproof.inference.sinks.fields import EPOCH, label, milliseconds, shared
from overproof.inference.sinks.interface import About, Sink, Verdict
from overproof.inference.sinks.lines import LinesWriter, StreamWriter, holds
from overproof.progress import one_line
from overproof.screen import WIDTH, Paint, fitted, painter, plain, width_of

HEAD = ("time (UTC)", "severity", "family", "source → destination", "event")
TIME, SEVERITY, FAMILY, ENDS = 19, 8, 12, 39  # cells of the columns; of the ends at most
BETWEEN, ARROW, INDENT = "  ", " → ", "    "
BESIDE = 40  # cells of an event beside the other columns: where there are fewer, it gets a line of its own
BRACKETS = ("⟦", "⟧")  # around a span where there is no colour
SHORT = {severity.INFORMATIONAL: "info"}
STYLES = {
    severity.CRITICAL: "bold red",
    severity.HIGH: "red",
    severity.MEDIUM: "yellow",
    severity.LOW: "cyan",
    severity.INFORMATIONAL: "dim",
}
MARKED, QUIET = "black on yellow", "dim"


class Table:
    """Encodes verdicts as rows, under a head that stands once above the first of them.

    Parameters
    ----------
    about
        Says what is benign.
    width
        Asked before each batch, since a terminal may be resized.
    paint
        Gives a text a style.
    headed
        Whether the head stands there already.
    """

    def __init__(
        self, about: About, width: Callable[[], int] = lambda: WIDTH, paint: Paint = plain, *, headed: bool = False
    ) -> None:
        self._about, self._width, self._paint, self._headed = about, width, paint, headed

    def __call__(self, verdicts: Iterable[Verdict]) -> bytes:
        """Return the rows of some verdicts."""
        width = self._width()
        rows = [self._row(verdict, width) for verdict in verdicts]
        if rows and not self._headed:
            self._headed = True
            rows.insert(0, self._head(width))
        return "".join(f"{row}\n" for row in rows).encode()

    def _head(self, width: int) -> str:
        names = HEAD if _is_beside(width) else HEAD[:-1]
        sizes = (TIME, SEVERITY, FAMILY, _ends(width), len(HEAD[-1]))
        line = BETWEEN.join(fitted(name, size) for name, size in zip(names, sizes, strict=False))
        return self._paint(fitted(line.rstrip(), min(width, cells(line.rstrip()))), "bold")

    def _row(self, verdict: Verdict, width: int) -> str:
        grave = severity.of(verdict, self._about.benign)
        columns = [
            (fitted(_time(verdict["time"]), TIME), ""),
            (fitted(SHORT.get(grave, severity.NAMES[grave]), SEVERITY), STYLES[grave]),
            (fitted(label(verdict), FAMILY), ""),
            (_where(verdict, _ends(width)), ""),
        ]
        if _is_beside(width):
            room = width - sum(cells(shown) for shown, _ in columns) - len(columns) * len(BETWEEN)
            return BETWEEN.join([*self._painted(columns), self._event(verdict, room)]).rstrip()
        line = BETWEEN.join(self._painted(_cropped(columns, width))).rstrip()
        event = self._event(verdict, width - len(INDENT))
        return f"{line}\n{INDENT}{event}" if event else line

    def _painted(self, columns: Iterable[tuple[str, str]]) -> list[str]:
        return [self._paint(shown, style) if style else shown for shown, style in columns]

    def _event(self, verdict: Verdict, room: int) -> str:
        """Write what was judged, behind what else must be known of it: that nobody decided, its campaign and group."""
        notes = [verdict["status"]] if verdict["status"] != "decided" else []
        count = (verdict.get("campaign") or {}).get("count", 1)
        notes += [f"{count:,} alerts"] if count > 1 else []
        notes += [f"excepted by {one_line(verdict['excepted'])}"] if "excepted" in verdict else []
        notes += [f"group {verdict['group']}"] if "group" in verdict else []
        note = f"{', '.join(notes)}: " if notes else ""
        places = [(span["start"], span["end"]) for span in verdict.get("spans", ())]
        brackets = BRACKETS if self._paint is plain else ("", "")
        parts = clipping(verdict.get("text", ""), places, room - len(note), brackets)
        shown = (self._paint(part.text, MARKED) if part.marked else part.text for part in parts)
        return self._paint(note, QUIET) + "".join(shown) if len(note) <= room else ""


def _open(aside: Path, offset: int, about: About) -> LinesWriter:
    return LinesWriter(aside, offset, Table(about, headed=offset > 0))


def _stream(file: BinaryIO | str, about: About) -> StreamWriter:
    if isinstance(file, str):
        return StreamWriter(file, Table(about))
    return StreamWriter(file, Table(about, lambda: width_of(file), painter(file)), safe=True)


def _is_beside(width: int) -> bool:
    return width >= TIME + SEVERITY + FAMILY + ENDS + 4 * len(BETWEEN) + BESIDE


def _ends(width: int) -> int:
    return max(len(ARROW) + 2, min(ENDS, width - TIME - SEVERITY - FAMILY - 3 * len(BETWEEN)))


def _cropped(columns: Sequence[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """Return the columns that a narrow terminal has room for, the last of them cut."""
    found = []
    for shown, style in columns:
        room = min(width, cells(shown))
        if room > 0:
            found.append((fitted(shown, room), style))
        width -= room + len(BETWEEN)
    return found


def _time(time: str | None) -> str:
    at = milliseconds(time)
    return (
        (time or "").strip() or "-"
        if at is None
        else (EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M:%S")
    )


def _where(verdict: Verdict, room: int) -> str:
    """Write where an event came from and went to; of one that says neither, where it was read."""
    known, _ = shared(verdict)
    source, target = known.get("src_ip", ""), known.get("dst_ip") or known.get("host") or ""
    if "dst_port" in known and target:
        target = f"[{target}]:{known['dst_port']}" if ":" in target else f"{target}:{known['dst_port']}"
    if source and target:
        wanted = [cells(source), cells(target)]
        left = max(min(wanted[0], room - len(ARROW) - wanted[1]), min(wanted[0], (room - len(ARROW)) // 2))
        right = room - len(ARROW) - left
        return fitted(f"{fitted(source, left)}{ARROW}{fitted(target, right).rstrip()}", room)
    if source or target:
        return fitted(source or f"{ARROW.lstrip()}{target}", room)
    origin = verdict["origin"]
    return fitted(origin if len(origin) <= room else f"…{origin[1 - room :]}", room)


TABLE = Sink(extension="", open=_open, holds=holds, stream=_stream, for_analysts=True, with_text=True)
