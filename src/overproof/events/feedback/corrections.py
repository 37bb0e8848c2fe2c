"""Hold corrections against the verdicts that they are of; each that cannot be used is rejected with its reason."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources import Rejects
from overproof.events.sources.json_record import record_of
from overproof.events.sources.stream import READ_ERRORS, narrowed, open_plain, unpacked, without_bom
from overproof.progress import why

NEEDED = ("origin", "text")  # of which a correction has one at least
SAID: tuple[str, ...] = ("who", "when", "note")
_LONGEST_CELL = 1 << 24


@dataclass(frozen=True)
class Judged:
    """An event that was judged: where it was read, what it is, what it was called, when it happened."""

    origin: str
    text: str
    label: str | None
    time: str | None


@dataclass(frozen=True)
class Correction:
    """An event with the label that an analyst gave it.

    Attributes
    ----------
    of
        The event as it was judged.
    label, family
        What it is; the family may be unknown.
    said
        Who said so, when, and why, as far as the table tells.
    where
        Where the correction stands.
    """

    of: Judged
    label: str
    family: str | None
    said: Mapping[str, str]
    where: str

    @property
    def changed(self) -> bool:
        """Whether the verdict was another."""
        return self.label != self.of.label


def read_verdicts(path: Path) -> tuple[list[Judged], frozenset[str]]:
    """Read what `triage --with-text` wrote as JSON lines, and the model's classes.

    Raises
    ------
    InputError
        A file that is no such thing; the message names the line.
    """
    found: list[Judged] = []
    classes: set[str] = set()
    for place, verdict in _json_lines(path):
        student = verdict.get("student")
        if not isinstance(student, dict) or not isinstance(verdict.get("origin"), str):
            raise InputError(f"{path}:{place}: no verdict, expected JSON lines of `overproof triage --with-text`")
        if not isinstance(verdict.get("text"), str):
            raise InputError(f"{path}:{place}: a verdict without its text, expected `overproof triage --with-text`")
        classes |= (student.get("probabilities") or {}).keys()
        found.append(Judged(verdict["origin"], verdict["text"], verdict.get("label"), verdict.get("time")))
    if not found:
        raise InputError(f"{path}: holds no verdicts")
    return found, frozenset(classes)


def read_corrections(
    path: Path, verdicts: Sequence[Judged], classes: Collection[str], rejects: Rejects
) -> tuple[list[Correction], int]:
    """Return the corrections that can be used, one an event, and how many said the same again.

    Parameters
    ----------
    path
        A csv with a header or JSON lines: `origin` or `text` of the event, or both; `label`; `family`, `who`, `when`
        and `note` if wanted.
    classes
        Labels that the model knows.

    Raises
    ------
    InputError
        A table without these columns.
    """
    by_origin: dict[str, set[Judged]] = {}
    by_text: dict[str, Judged] = {}
    for verdict in verdicts:
        by_origin.setdefault(verdict.origin, set()).add(verdict)
        by_text.setdefault(verdict.text, verdict)
    usable: dict[str, list[tuple[Correction, Mapping[str, Any]]]] = {}
    for place, row in _rows(path):
        where = f"{path}:{place}"
        cells = {name: str(value) for name, value in row.items() if name and value not in (None, "")}
        found = _event(cells, by_origin, by_text)
        why = found if isinstance(found, str) else _unusable(cells, classes)
        if why is not None or isinstance(found, str):
            rejects(Skipped(why or "", where, json.dumps(row, default=str)))
            continue
        said: dict[str, str] = {name: cells[name] for name in SAID if name in cells}
        correction = Correction(found, cells["label"].strip(), cells.get("family"), said, where)
        usable.setdefault(found.text, []).append((correction, row))
    kept, again = [], 0
    for several in usable.values():
        if len({one.label for one, _ in several}) > 1:
            for one, row in several:
                rejects(Skipped("another correction of the event has another label", one.where, json.dumps(row)))
            continue
        kept.append(several[-1][0])
        again += len(several) - 1
    return kept, again


def _event(
    cells: Mapping[str, str], by_origin: Mapping[str, Collection[Judged]], by_text: Mapping[str, Judged]
) -> Judged | str:
    """Return the event that a correction is of, or why there is none."""
    origin, text = cells.get("origin"), cells.get("text")
    if origin is None and text is None:
        return "neither origin nor text"
    if origin is None:
        return by_text.get(text or "", "no event of the verdicts")
    found = by_origin.get(origin, ())
    if not found:
        return "no event of the verdicts"
    if text is not None:
        found = [one for one in found if one.text == text]
        if not found:
            return "the text is not that of the origin's event"
    if len({one.text for one in found}) > 1:
        return "the origin is that of several events, expected their text with it"
    return next(iter(found))


def _unusable(cells: Mapping[str, str], classes: Collection[str]) -> str | None:
    label = cells.get("label", "").strip()
    if not label:
        return "no label"
    return None if label in classes else f"label {label!r}: expected one of {', '.join(sorted(classes))}"


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json")):
        yield from _json_lines(path)
        return
    try:
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.DictReader(io.StringIO(_content(path).decode("utf-8"), newline=""), strict=True)
        names = set(reader.fieldnames or ())
        if "label" not in names or names.isdisjoint(NEEDED):
            raise InputError(f"{path}: expected a header with label, and with {' or '.join(NEEDED)}")
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if isinstance(name, str)}
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no csv in UTF-8 ({error})") from None


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for place, line in enumerate(_content(path).splitlines(), 1):
        if line.strip():
            found = record_of(line)
            if isinstance(found, str):
                raise InputError(f"{path}:{place}: {found}, expected a JSON object")
            yield place, found


def _content(path: Path) -> bytes:
    try:
        with open_plain(path, str(path)) as file:
            return without_bom(b"".join(narrowed(unpacked(file))))
    except READ_ERRORS as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or why(error)})") from None
