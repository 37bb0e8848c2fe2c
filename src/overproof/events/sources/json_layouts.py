"""Find the columns of JSON objects, each of which has its own, and the text, label and family of each."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from overproof.events.sources.interface import DEFAULT_NAMES, Columns, Layout, require
from overproof.events.sources.json_record import Record, merged
from overproof.events.sources.nested import ABSENT, names_within, reach
from overproof.events.sources.repeated import Merging
from overproof.events.sources.values import items, journal_text, moment

Found = tuple[str, Record, Layout]  # the text, and what it was found in
NO_TEXT = object()
_NONE = (NO_TEXT, None, "")
_BACKSLASH = ord("\\")  # which is looked for in bytes several times as fast as b"\\"
# to the end of its text, and whether that may be a key
_ESCAPED = re.compile(rb'\\u[^"]*+"?(\s*+:)?')
_ESCAPED_PRINTABLE = re.compile(rb'\\u00[2-7][^"]*+"?(\s*+:)?')  # of ASCII, as nearly all names are of
_COMMAND, _ARGUMENTS = "process.command_line", "process.args"  # of ECS
_PROCESS = {"process", _COMMAND, _ARGUMENTS}  # keys where either may be found
_SHIPPERS = ("message",)  # what a document about a process has beside its command
_LIKELY = re.compile(r"command|cmd|script|query|question|message|payload|request|url|uri|text", re.IGNORECASE)
_KINDS = {dict: "an object", list: "a list", bool: "true or false"}
_SHORT = 1 << 14  # bytes of a line whose keys are remembered


class Usual(NamedTuple):
    """What keys tell of records: where their text is, if it is text and not empty.

    Attributes
    ----------
    keys
        In the order of the line.
    text
        The name of the column of the text.
    deciding
        The names of text, label and family, as a line holds them.
    layout
        Of all of them.
    """

    keys: tuple[str, ...]
    text: str
    deciding: tuple[bytes, ...]
    layout: Layout


class Layouts:
    """Find layouts by the keys of a record, and remember which named columns were never seen.

    Attributes
    ----------
    unseen
        Columns that were named, and no record had so far.
    """

    def __init__(self, columns: Columns) -> None:
        self.unseen = set(columns.named)
        self._first: list[str] = []
        self._columns = columns
        self._dotted = [name for name in columns.named if "." in name]
        self._inside = [*self._dotted, *(name for name in DEFAULT_NAMES["text"] if "." in name)]
        self._remembered = lru_cache(1024)(self._new)
        self._usual = lru_cache(1024)(self._new_usual)
        self._hint: str | None = None

    def usual(self, record: Record, size: int) -> Usual | None:
        """Return what is known of records with the keys of one of so many bytes; None where keys alone do not tell."""
        if not self._first:
            self._first = [name for name, _ in islice(names_within(record), 100)]
        return (self._usual if size < _SHORT else self._new_usual)(tuple(record))

    def of(self, record: Record, size: int) -> Layout:
        """Return the layout of a record of so many bytes: its text is the first column of a usual name that is text."""
        usual = self.usual(record, size)
        if usual is not None and type(text := record[usual.text]) is str and text:
            return usual.layout
        find = self._remembered if size < _SHORT else self._new
        inside = tuple(name for name in self._inside if name not in record and reach(record, name) is not ABSENT)
        no_text = [key for key, value in record.items() if _text(key, value) in _NONE]
        return find(tuple(record), inside, tuple(no_text) + (_SHIPPERS if _is_of_process(record) else ()))

    def hint(self, record: Record) -> str:
        """Say how to name the text, the same in all messages about an input: the likeliest of the first record."""
        if self._hint is None:
            texts = {
                name: (_LIKELY.search(name.rpartition(".")[2]) is not None, moment(value) is None, len(value))
                for name, value in names_within(record)
                if isinstance(value, str)
            }
            self._hint = f"; name it with --text, as --text {max(texts, key=texts.__getitem__)[:60]!r}" if texts else ""
        return self._hint

    def require_named(self, where: str) -> None:
        """Raise InputError if there were records, and none had a column that was named."""
        if self._first:
            require(self.unseen, self._first, where)

    def _new_usual(self, keys: tuple[str, ...]) -> Usual | None:
        layout = self._new(keys, (), ())
        if layout.text is None or self._dotted or not _PROCESS.isdisjoint(keys):
            return None
        return Usual(keys, layout.text, _deciding(layout), layout)

    def _new(self, keys: tuple[str, ...], inside: tuple[str, ...], no_text: tuple[str, ...]) -> Layout:
        """Find the layout of some keys and the columns inside of their objects: one of its own for each such record."""
        self.unseen.difference_update(keys, inside)
        return self._columns.layout(keys + inside, no_text)


def sought(record: Record, layouts: Layouts, line: bytes) -> Found | str:
    """Find the layout and the text of a line's record, with all that stands twice in it; or why it has no text."""
    layout = layouts.of(record, len(line))
    if layout.text is None:
        return f"no text column{layouts.hint(record)}"
    if any_again(line, _deciding(layout)):
        merging = Merging()
        whole = merged(line, merging)
        if isinstance(whole, str):
            return whole
        for name in (layout.label, layout.family):
            if name is not None and name.rpartition(".")[2] in merging.differing:
                return f"column {name[:60]!r} stands twice, with different values"
        record = whole
    text = record.get(layout.text)
    if type(text) is not str:
        text = _text(layout.text, reach(record, layout.text))
    if text is None:
        return "text is null"
    if text is NO_TEXT:
        held = _KINDS[type(reach(record, layout.text))]
        return f"column {layout.text[:60]!r} holds {held}, not text{layouts.hint(record)}"
    return (text, record, layout) if text else "empty text"


def _text(name: str, value: object) -> Any:
    """Return a value as text: None where it is null, `NO_TEXT` where it is neither text nor a number."""
    if type(value) is str or value is None:
        return value
    if type(value) is int or type(value) is float:
        return str(value)
    if name == _ARGUMENTS and type(value) is list and set(map(type, value)) == {str}:
        return " ".join(value)
    found = journal_text(value) if name.rpartition(".")[2] == "MESSAGE" else None
    return NO_TEXT if found is None else found


def _quoted(name: str) -> bytes:
    return f'"{name}"'.encode("utf-8", "backslashreplace")


def any_again(line: bytes, keys: tuple[bytes, ...]) -> bool:
    """Tell whether one of some keys may be there twice, in another spelling (`"te\\u0078t"`) too."""
    for key in keys:
        if line.count(key) > 1:
            return True
    return has_escaped_key(line, keys)


def has_escaped_key(lines: bytes, keys: tuple[bytes, ...]) -> bool:
    r"""Tell whether one of some keys may be spelled with `\u`: no quotation mark is between that and the key's end."""
    if _BACKSLASH not in lines or lines.find(b"\\u") < 0:
        return False
    return any(_escaped(keys).findall(lines))


@lru_cache(1024)
def _escaped(keys: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Return what finds the escapes that can spell these keys, which others have in every text (`ensure_ascii`)."""
    usual = all(key.isascii() and key.decode().isprintable() and _BACKSLASH not in key for key in keys)
    return _ESCAPED_PRINTABLE if usual else _ESCAPED


@lru_cache(1024)
def _deciding(layout: Layout) -> tuple[bytes, ...]:
    """Return the names of text, label and family as a line holds them: whole, or the last of some objects' names."""
    names = [name for name in (layout.text, layout.label, layout.family) if name]
    return tuple(dict.fromkeys(_quoted(each) for name in names for each in (name, name.rpartition(".")[2])))


def _is_of_process(record: Record) -> bool:
    """Tell whether a document of ECS is about a process, and has its command: what else it says is its shipper's."""
    if not any(isinstance(reach(record, name), str | list) for name in (_COMMAND, _ARGUMENTS)):
        return False
    return "process" in items(reach(record, "event.category"))
