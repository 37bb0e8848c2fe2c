r"""Read one JSON object a line; every record finds its own columns, because keys come and go between lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, repeat
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import (
    FURTHER,
    MOST_COLUMNS,
    NOTHING_YET,
    Row,
    event_batch,
    extra_array,
    extra_names,
    gathered,
    plain,
)
from overproof.events.sources.interface import DEFAULT_NAMES, Columns, Input, Layout, ReadOptions, require
from overproof.events.sources.nested import ABSENT, names_within, reach
from overproof.events.sources.repeated import Merging, RepeatedKey, has_repeated
from overproof.events.sources.stream import LONGEST, excerpt, lines, without_bom
from overproof.events.sources.values import items, journal_text, moment

# a surrogate pair, then a lone surrogate (captured), then any other escape
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_BACKSLASH = ord("\\")  # which is looked for in bytes several times as fast as b"\\"
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"\s*+(:)?)?', re.DOTALL)  # and whether it is a key
_HEXADECIMAL = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)  # as nginx escapes, unless it is told `escape=json`

Record = dict[Any, Any]
Found = tuple[str, Record, Layout]  # the text, and what it was found in
NO_TEXT = object()
_NONE = (NO_TEXT, None, "")
_TEXTS = {str, type(None)}
_COMMAND, _ARGUMENTS = "process.command_line", "process.args"  # of ECS
_SHIPPERS = ("message",)  # what a document about a process has beside its command
_LIKELY = re.compile(r"command|cmd|script|query|question|message|payload|request|url|uri|text", re.IGNORECASE)
_KINDS = {dict: "an object", list: "a list", bool: "true or false"}
CELLS = 1 << 20  # of the columns of one batch: keys times records
SEPARATOR = b"\x1e"  # before each text of a sequence (RFC 7464)
_SHORT = 1 << 14  # bytes of a line whose keys are remembered


def parse(line: bytes) -> object:
    """Parse a line, also one with bytes that are not UTF-8, lone surrogates, NaN or huge integers.

    Raises ValueError or RecursionError where it is not JSON.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return parse_pairs(line, None)


def parse_pairs(line: bytes, made: Callable[[list[tuple[str, Any]]], object] | None) -> object:
    """Parse a line as `parse` does, only slower; what is `made` of an object's pairs can see a key that comes twice.

    A byte order mark may stand first: files that have one were put behind each other.
    """
    if line.find(b"\\x") >= 0:
        line = _HEXADECIMAL.sub(_of_hexadecimal, line)
    text = without_bom(line).decode("utf-8", "surrogateescape")
    text = _BAD_BYTE.sub(lambda match: rf"\\x{ord(match[0]) & 0xFF:02x}", text)
    text = _ESCAPE.sub(lambda match: rf"\\{match[1]}" if match[1] else match[0], text)
    return json.loads(text, object_pairs_hook=made)


def _of_hexadecimal(escape: re.Match[bytes]) -> bytes:
    r"""Write `\x22` as JSON would: a byte above ASCII is one of UTF-8, if its neighbours say so."""
    if escape[1] is None:
        return escape[0]
    code = int(escape[1], 16)
    return rb"\u%04x" % code if code < 0x80 else bytes((code,))


def record_of(line: bytes, *, repeats: bool = True) -> Record | str:
    """Return the object that a line is, or why it is none.

    What a key holds that stands twice is one value (`repeated.Merging`). Without `repeats` none is looked for, which
    takes time: the writer of the line is known to write each key once, or whoever asks looks itself.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if line.startswith(SEPARATOR):
            return record_of(line.removeprefix(SEPARATOR), repeats=repeats)
        return _merged(line, Merging())
    if type(record) is not dict:
        return "JSON is not an object"
    return record if not repeats or not has_repeated(line, record) else _merged(line, Merging())


def _merged(line: bytes, merging: Merging) -> Record | str:
    try:
        record = parse_pairs(line, merging)
    except RepeatedKey as error:
        return str(error)
    except (ValueError, RecursionError):
        return "JSON does not parse"
    return record if isinstance(record, dict) else "JSON is not an object"


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


def _found(line: bytes, layouts: _Layouts) -> Found | str:
    """Find the record of a line with its layout and text, or why it has none."""
    if len(line) > LONGEST:
        return "longer than 16 MiB"
    record = record_of(line, repeats=False)  # `_sought` looks for its text, label and family
    return record if isinstance(record, str) else _sought(record, layouts, line)


def _quoted(name: str) -> bytes:
    return f'"{name}"'.encode("utf-8", "backslashreplace")


def _any_again(line: bytes, keys: tuple[bytes, ...]) -> bool:
    """Tell whether one of some keys may be there twice, in another spelling (`"te\\u0078t"`) too."""
    for key in keys:
        if line.count(key) > 1:
            return True
    if _BACKSLASH not in line or line.find(b"\\u") < 0:
        return False
    return any(each[1] and b"\\u" in each[0] for each in _STRING.finditer(line))


def _sought(record: Record, layouts: _Layouts, line: bytes) -> Found | str:
    layout = layouts.of(record, len(line))
    if layout.text is None:
        return f"no text column{layouts.hint(record)}"
    if _any_again(line, _deciding(layout)):
        merging = Merging()
        merged = _merged(line, merging)
        if isinstance(merged, str):
            return merged
        for name in (layout.label, layout.family):
            if name is not None and name.rpartition(".")[2] in merging.differing:
                return f"column {name[:60]!r} stands twice, with different values"
        record = merged
    text = record.get(layout.text)
    if type(text) is not str:
        text = _text(layout.text, reach(record, layout.text))
    if text is None:
        return "text is null"
    if text is NO_TEXT:
        held = _KINDS[type(reach(record, layout.text))]
        return f"column {layout.text[:60]!r} holds {held}, not text{layouts.hint(record)}"
    return (text, record, layout) if text else "empty text"


def _deciding(layout: Layout) -> tuple[bytes, ...]:
    """Return the names of text, label and family as a line holds them."""
    names = dict.fromkeys(filter(None, (layout.text, layout.label, layout.family)))
    return tuple(_quoted(name.rpartition(".")[2]) for name in names)


def _is_of_process(record: Record) -> bool:
    """Tell whether a document of ECS is about a process, and has its command: what else it says is its shipper's."""
    if not any(isinstance(reach(record, name), str | list) for name in (_COMMAND, _ARGUMENTS)):
        return False
    return "process" in items(reach(record, "event.category"))


_Last = tuple[list[str] | None, str, tuple[bytes, ...], bytes, bytes | None, Layout]


class _Layouts:
    """Find layouts by the keys of a record, and remember which named columns were never seen.

    Attributes
    ----------
    unseen
        Columns that were named, and no record had so far.
    last
        The keys of a record whose text was found in the first place; the name of its column; that and those of its
        label and family as a line holds them, together, the first, and the other one; and the layout.
    """

    def __init__(self, columns: Columns) -> None:
        self.unseen = set(columns.named)
        self._first: list[str] = []
        self._columns = columns
        self._dotted = [name for name in columns.named if "." in name]
        self._inside = [*self._dotted, *(name for name in DEFAULT_NAMES["text"] if "." in name)]
        self._remembered = lru_cache(1024)(self._new)
        self.last: _Last = (None, "", (), b"", None, columns.layout(()))
        self._hint: str | None = None

    def of(self, record: Record, size: int) -> Layout:
        """Return the layout of a record of so many bytes: its text is the first column of a usual name that is text."""
        if not self._first:
            self._first = [name for name, _ in islice(names_within(record), 100)]
        keys = tuple(record)
        find = self._remembered if size < _SHORT else self._new
        layout = find(keys, (), ())
        text = None if layout.text is None else record[layout.text]
        if not self._dotted and type(text) is str and text and layout.text is not None and not _is_of_process(record):
            (quoted, *labels) = deciding = _deciding(layout)
            label = None if not labels else labels[0] if len(labels) == 1 else b""  # which is in every line
            self.last = ([*keys], layout.text, deciding, quoted, label, layout)
            return layout
        inside = tuple(name for name in self._inside if name not in record and reach(record, name) is not ABSENT)
        no_text = [key for key, value in record.items() if _text(key, value) in _NONE]
        return find(keys, inside, tuple(no_text) + (_SHIPPERS if _is_of_process(record) else ()))

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

    def _new(self, keys: tuple[str, ...], inside: tuple[str, ...], no_text: tuple[str, ...]) -> Layout:
        """Find the layout of some keys and the columns inside of their objects: one of its own for each such record."""
        self.unseen.difference_update(keys, inside)
        return self._columns.layout(keys + inside, no_text)


def _field(records: Sequence[Record], layouts: Sequence[Layout], field: int) -> Sequence[str | None]:
    """Return one field of every record, as text; nothing where no record has it.

    There is one layout where all records have the same.
    """
    names = {layout[field] for layout in layouts}
    if names == {None}:
        return ()
    (name, *others) = names
    if others:
        values = [_inside(record, layout[field]) for record, layout in zip(records, layouts, strict=True)]
    elif len(layouts) == 1 and name in records[0]:  # the usual case, and the quickest one
        values = list(map(itemgetter(name), records))
    else:
        values = [_inside(record, name) for record in records]
    return values if set(map(type, values)) <= _TEXTS else [*map(plain, values)]


def _inside(record: Record, name: str | None) -> Any:
    found = ABSENT if name is None else reach(record, name)
    return None if found is ABSENT else found


def _extras(records: Sequence[Record], layouts: Sequence[Layout]) -> Mapping[str, pa.Array]:
    """Return the keys that are no field of their record, each as one column over all records."""
    found: dict[str, list[object]] = {}
    first = layouts[0]
    if len(records[0]) <= MOST_COLUMNS and len(layouts) == 1:  # the usual case, and the quicker one
        found = {key: [*map(itemgetter(key), records)] for key in records[0] if key not in first}
    else:
        each = layouts if len(layouts) > 1 else repeat(first)
        for row, (record, layout) in enumerate(zip(records, each, strict=False)):
            if len(record) > MOST_COLUMNS:
                record = {FURTHER: {key: value for key, value in record.items() if key not in layout}}
            for key in record:
                if key not in layout:
                    found.setdefault(key, [None] * len(records))[row] = record[key]
    names = extra_names(list(found), ())
    return {names[index]: extra_array(values) for index, values in enumerate(found.values())}


def _few_cells(
    records: Sequence[Record], layouts: Sequence[Layout]
) -> Iterator[tuple[Sequence[Record], Sequence[Layout], slice]]:
    """Divide records into parts whose columns, all keys of their records, have no more than so many cells.

    Yields the records, their layouts (one, where all have the same), and which they are.
    """
    if len(set(map(id, layouts))) == 1:
        layouts = layouts[:1]
    few = [record if len(record) <= MOST_COLUMNS else {} for record in (records if len(layouts) > 1 else records[:1])]
    if len(set[Any]().union(*few)) * len(records) <= CELLS:
        yield records, layouts, slice(0, len(records))
        return
    start, keys = 0, set[Any]()
    for place, record in enumerate(records):
        own = record if len(record) <= MOST_COLUMNS else ()
        keys.update(own)
        if place > start and len(keys) * (place + 1 - start) > CELLS:
            part = slice(start, place)
            yield records[part], layouts[part] if len(layouts) > 1 else layouts, part
            start, keys = place, set(own)
    part = slice(start, len(records))
    yield records[part], layouts[part] if len(layouts) > 1 else layouts, part


def read_jsonl(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read JSON lines; see `interface.Source`. Blank lines are no records. The places in origins are lines."""
    layouts = _Layouts(options.columns)

    def rows() -> Iterator[Row[Found] | None]:
        loads, longest, backslash = orjson.loads, LONGEST, _BACKSLASH  # names that are looked up faster
        keys, name, deciding, quoted, label, layout = layouts.last
        for item in lines(source, options.on_skip):
            if item is None:
                yield None
                continue
            number, line = item
            size = len(line)
            try:  # the usual case, and here because a call would make it slower: the keys of the record before
                record = loads(line) if size <= longest else None
                if (
                    type(record) is dict
                    and [*record] == keys
                    and type(text := record[name]) is str
                    and text
                    and (
                        (backslash not in line and line.count(quoted) < 2 and (label is None or line.count(label) < 2))
                        or not _any_again(line, deciding)
                    )
                ):
                    yield number, size, (text, record, layout)
                    continue
            except orjson.JSONDecodeError:
                pass
            found = _found(line, layouts)
            keys, name, deciding, quoted, label, layout = layouts.last
            if not isinstance(found, str):
                yield number, size, found
            elif line.strip():
                options.on_skip(Skipped(found, f"{source.name}:{number}", excerpt(line)))

    def batch(places: list[int], found: list[Found]) -> Iterator[pa.RecordBatch]:
        texts, all_records, all_layouts = zip(*found, strict=True)
        for records, layouts, part in _few_cells(all_records, all_layouts):
            others = [_field(records, layouts, field) for field in range(1, len(Layout._fields))]
            extras = _extras(records, layouts) if options.extra else None
            yield event_batch(source.name, places[part], [texts[part], *others], extras)

    for places, found in gathered(rows(), options.batch_rows):
        if not places:
            yield NOTHING_YET
        else:
            yield from batch(places, found)
    layouts.require_named(f"{source.name}:1")
