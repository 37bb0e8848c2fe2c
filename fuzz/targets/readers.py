"""Try every reader: whatever a file holds, each of its records is an event or counted, however it comes in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa

from fuzz import accounts, corpus
from fuzz.accounts.told import Told
from fuzz.mutate import archives, captures, lines, raw, tables
from fuzz.target import Broken, Files, require
from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.sources import FORMATS, read_events
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Columns, OnSkip, ReadOptions
from overproof.events.sources.stream import open_input

SETTINGS = "settings.json"
PIECES = 300  # that an input is read in at most


class Outcome(NamedTuple):
    """What came of a file: events by the schema's columns, skipped records, why it was refused, if it was; and all."""

    events: list[tuple[Any, ...]]
    skipped: list[tuple[str, str]]
    refused: str | None
    batches: list[pa.RecordBatch]


def events_file(random: Random) -> Files:
    """Change a seed, and say how it is to be read."""
    seed = random.choice(corpus.events())
    content = seed.content
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        content = _changed(seed.name, content, random)[: raw.LONGEST]
    if random.random() < 0.06:
        content = archives.packed(content, random)
    name = Path(seed.name)
    suffix = (
        name.suffix
        if random.random() < 0.8
        else random.choice((".log", ".csv", ".tsv", ".json", ".pcap", ".evtx", ".gz", ""))
    )
    return {f"input{suffix}": content, **_settings(random)}


def capture(random: Random) -> Files:
    """Change a capture, which are a fifth of the seeds, by its packets."""
    content = random.choice(corpus.captures()).content
    for _ in range(random.choice((1, 1, 2, 4))):
        content = captures.changed(content, random)[: raw.LONGEST]
    return {"input.pcap": content, **_settings(random, "auto")}


def table(random: Random) -> Files:
    """Make a Parquet file of any types; sometimes damage it."""
    content = tables.parquet(random)
    return {
        "input.parquet": raw.changed(content, random) if random.random() < 0.1 else content,
        **_settings(random, "auto"),
    }


def _changed(name: str, content: bytes, random: Random) -> bytes:
    how = random.random()
    if name.endswith((".pcap", ".pcapng")) and how < 0.8:
        return captures.changed(content, random)
    if how < 0.7 and b"\0" not in content[:64]:
        return lines.changed(content, random)
    if how > 0.97:
        return raw.spliced(content, random.choice(corpus.events()).content, random)
    return raw.changed(content, random)


def _settings(random: Random, format: str | None = None) -> Files:
    """Say how to read it: mostly as anyone would."""
    chosen = format or ("auto" if random.random() < 0.8 else random.choice(list(FORMATS)))
    names = ("text", "message", "a.b", "event.original", "uri", "é", "")
    columns = {"text": random.choice(names)} if random.random() < 0.08 else {}
    how = {
        "format": chosen,
        "columns": columns,
        "batch_rows": random.choice((1, 2, 7)),
        "piece": random.choice((1, 3, 64, 4096)),
    }
    return {SETTINGS: json.dumps(how).encode()}


def run(files: Files, folder: Path) -> None:
    """Read the file at once, and again in other pieces and batches: it comes to the same, and nothing is lost."""
    how = json.loads(files.get(SETTINGS, b'{"format": "auto", "columns": {}, "batch_rows": 2, "piece": 3}'))
    name = next(name for name in files if name != SETTINGS)
    path, columns = folder / name, Columns(**how["columns"])
    path.write_bytes(files[name])
    whole = _read(path, how["format"], columns)
    again = _read_in_pieces(path, how, columns)
    _same(whole, again, path)
    require(bool(whole.events) or whole.refused, "no event, and not refused")
    _all_are_counted(path, files[name], how["format"], columns, whole)


def _read(path: Path, format: str, columns: Columns) -> Outcome:
    return _outcome(lambda on_skip: read_events(path, format=format, columns=columns, on_skip=on_skip))


def _read_in_pieces(path: Path, how: dict[str, Any], columns: Columns) -> Outcome:
    """Read it a few bytes and a few rows at a time."""

    def batches(on_skip: OnSkip) -> Iterator[pa.RecordBatch]:
        options = ReadOptions(on_skip=on_skip, columns=columns, batch_rows=how["batch_rows"])
        with open_input(path) as source:
            pieces = replace(source, blocks=_in_pieces(source.blocks, max(how["piece"], path.stat().st_size // PIECES)))
            yield from FORMATS[detect(source, columns) if how["format"] == "auto" else how["format"]](pieces, options)

    return _outcome(batches)


def _outcome(read: Callable[[OnSkip], Iterator[pa.RecordBatch]]) -> Outcome:
    skipped: list[tuple[str, str]] = []
    batches: list[pa.RecordBatch] = []
    events: list[tuple[Any, ...]] = []
    refused = None
    try:
        for batch in read(lambda one: skipped.append((one.reason, one.origin))):
            batches.append(batch)
            events += _rows(batch)
    except InputError as error:
        refused = str(error)
    return Outcome(events, skipped, refused, batches)


def _in_pieces(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for block in blocks:
        yield from (block[at : at + size] for at in range(0, len(block), size))
        if not block:
            yield b""


def _rows(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    batch.validate(full=True)
    require(batch.schema.names[: len(SCHEMA)] == SCHEMA.names, "not the columns of an event")
    return list(zip(*(batch.column(name).to_pylist() for name in SCHEMA.names), strict=True))


def _same(whole: Outcome, again: Outcome, path: Path) -> None:
    """What is refused as a whole is refused in pieces too, after some events perhaps; all else is the same."""
    if whole.refused and not whole.refused.startswith(f"{path}: no usable event"):
        require(again.refused == whole.refused, f"refused otherwise in pieces: {whole.refused} | {again.refused}")
        return
    if any(accounts.LOST.search(reason) for reason, _ in whole.skipped + again.skipped):
        return  # of a damaged group of rows, what is read before the damage hangs on the size of a batch
    for what, one, other in (("events", whole.events, again.events), ("rejects", whole.skipped, again.skipped)):
        if one != other:
            at = next(
                (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
                min(len(one), len(other)),
            )
            shown = " | ".join(repr(rows[at : at + 1])[:400] for rows in (one, other))
            raise Broken(f"other {what} in pieces: {len(one)} and {len(other)}, at {at}: {shown}")


def _all_are_counted(path: Path, content: bytes, format: str, columns: Columns, found: Outcome) -> None:
    """Every record is an event, or is skipped; of what is compressed nobody else counts them."""
    if found.refused and not found.refused.startswith(f"{path}: no usable event"):
        return
    with open_input(path) as source:
        format = detect(source, columns) if format == "auto" else format
        plain = source.path is not None
    if plain:
        accounts.require_counted(format, content, Told(found.batches, found.skipped))
