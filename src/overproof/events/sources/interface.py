"""Define what every source shares: which columns mean what, the opened input, the type of a source.

A source turns one input into event batches (schema in `events/schema.py`). What cannot become an event goes to
`on_skip` with its reason, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from overproof.errors import InputError
from overproof.events.schema import Skipped

DEFAULT_NAMES = {
    "text": (
        *("text", "payload", "request", "event", "message", "line", "command"),
        # of ECS, whose `event` is an object
        *("event.original", "log.original", "process.command_line", "process.args"),
    ),
    "label": ("label", "class", "verdict"),
    "family": ("family", "attack", "attack_type", "category"),
    "group": ("group",),
    "time": ("time", "timestamp", "ts", "@timestamp"),
}

TABLES = ("csv", "tsv", "jsonl", "parquet")  # formats whose columns are the user's own

OnSkip = Callable[[Skipped], None]


class Layout(NamedTuple):
    """The name of the column that holds each field of an event; None where the table has none."""

    text: str | None
    label: str | None
    family: str | None
    time: str | None
    group: str | None


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold an event's fields; None looks for the names in `DEFAULT_NAMES`, in any case.

    A column inside another is named with dots, as `event.original`.

    Attributes
    ----------
    text
        What is judged: text, payload, request, event, message, line or command, the first of them that holds text;
        else ECS's event.original, log.original, process.command_line or process.args.
    label
        What the model predicts: label, class or verdict.
    family
        The finer kind of attack: family, attack, attack_type or category. Where a table has only one
        of label and family, it serves as both.
    group
        What splits are made by: group.
    time
        When it happened: time, timestamp, ts or @timestamp.
    """

    text: str | None = None
    label: str | None = None
    family: str | None = None
    group: str | None = None
    time: str | None = None

    @property
    def named(self) -> frozenset[str]:
        """The columns that were named explicitly, which a table must therefore have."""
        return frozenset(name for name in (self.text, self.label, self.family, self.group, self.time) if name)

    def layout(self, found: Sequence[str], no_text: Collection[str] = ()) -> Layout:
        """Find each field among the columns found. A column named for one field is no other's default.

        Parameters
        ----------
        no_text
            Columns that hold no text, such as objects: passed over where there is another.
        """
        folded = {name.strip().lower(): name for name in reversed(found) if name not in self.named}

        def find(field: str, passed_over: Collection[str] = ()) -> str | None:
            name: str | None = getattr(self, field)
            if name is not None:
                return name if name in found else None
            defaults = [folded[default] for default in DEFAULT_NAMES[field] if default in folded]
            return next((name for name in defaults if name not in passed_over), defaults[0] if defaults else None)

        label, family = find("label"), find("family")
        return Layout(find("text", no_text), label or family, family or label, find("time"), find("group"))

    def table_layout(self, found: Sequence[str], where: str, no_text: Collection[str] = ()) -> Layout:
        """Find each field in a table whose columns are known from its start; see `layout`.

        Raises
        ------
        InputError
            If a named column is not there, or no column holds the text.
        """
        require(self.named - set(found), found, where)
        layout = self.layout(found, no_text)
        if layout.text is None:
            looked_for = ", ".join(DEFAULT_NAMES["text"])
            raise InputError(
                f"{where}: no text column: looked for {looked_for}; found {listed(found)}; name it with --text COLUMN"
            )
        return layout


@dataclass(frozen=True)
class Reading:
    """The choices of how files become events.

    Attributes
    ----------
    columns
        Which column of a table holds what.
    format
        A key of `FORMATS`, or `auto`: by content, then by name.
    extra
        Keep the columns that an event of the schema has no place for.
    """

    columns: Columns = Columns()
    format: str = "auto"
    extra: bool = True


def is_table_row(record: Mapping[Any, Any]) -> bool:
    """Tell whether an object has a text or a label of its own, under a usual name: it is a row of the user's table."""
    for key, value in record.items():
        name = key.lower() if isinstance(key, str) else ""
        if name in DEFAULT_NAMES["label"] or (name in DEFAULT_NAMES["text"] and isinstance(value, str)):
            return True
    return False


def require(absent: frozenset[str] | set[str], found: Sequence[str], where: str) -> None:
    """Raise InputError if columns are absent, naming them, where they were looked for and what is there."""
    if absent:
        raise InputError(f"{where}: no column {listed(sorted(absent))}; found {listed(found)}")


def listed(names: Sequence[str], most: int = 30) -> str:
    """List names for a message: quoted, each and all of bounded length."""
    shown = ", ".join(repr(name[:60]) for name in names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


@dataclass(frozen=True)
class Input:
    """One opened input.

    Attributes
    ----------
    name
        What origins and messages call it; `-` is standard input.
    path
        The plain file, or None where there is only a stream (standard input, compressed).
    head
        The first bytes after decompression: at least the first line, if that is not very long.
    blocks
        All bytes after decompression, in blocks, to be read once. An empty block says that there is
        nothing more for now: what was read should not be held back. Raises what `stream.READ_ERRORS`
        lists where the input breaks off.
    """

    name: str
    path: Path | None
    head: bytes
    blocks: Iterator[bytes]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The choices of how a source reads an input, the same for every format.

    Attributes
    ----------
    on_skip
        Called with every record that could not become an event.
    columns
        Which column of a table holds what.
    batch_rows
        The most events in one batch.
    extra
        Whether the input's other columns follow those of `SCHEMA`.
    """

    on_skip: OnSkip
    columns: Columns = Columns()
    batch_rows: int = 2048
    extra: bool = True


class Source(Protocol):
    """Read one format.

    Yields batches of at most `options.batch_rows` events with the columns of `SCHEMA`, followed by the
    input's other columns if `options.extra`; an empty batch where there is nothing more for now. Raises
    InputError where the whole input cannot be used.
    """

    def __call__(self, source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]: ...
