"""Write and open an index's folder: embeddings, events and a manifest with every file's hash, checked when opened."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from overproof.bundle.manifest import MODEL, Manifest
from overproof.bundle.manifest_schema import parsed, require_files
from overproof.bundle.readers import READ_WITH
from overproof.errors import InputError, TamperedBundle
from overproof.events.templates.kinds import KINDS
from overproof.files import atomic_folder, recover_folder
from overproof.inference.similarity.integers import Integers
from overproof.inference.similarity.spelling import WIDTH

FORMAT = 3  # of format 1 nobody knows which kind of record an event was; 2 has no spellings to tell what is close by
CARD = "index.json"
EVENTS, COUNTS, OF_KIND, SPACE = "events.parquet", "counts.npy", "kinds.npy", "space.npz"
EMBEDDINGS, SPELLINGS = "embeddings.i8", "spellings.i8"  # end the names of the files of a kind
SPELLED = "spelled."  # stands before the names of what a search among spellings needs
METRIC, DTYPE = "cosine", "int8"
AGAIN = "index the events again (overproof index BUNDLE EVENTS --out INDEX)"


@dataclass(frozen=True)
class Card:
    """What is in an index and which model it belongs to.

    Attributes
    ----------
    format
        Version of the folder's format.
    overproof
        Version that wrote it.
    model
        sha256 of what the embeddings hang on: name of the bundle's file to hash.
    metric, dtype
        How nearness is measured, and what the embeddings are stored as.
    search
        A key of `SEARCHES`.
    hidden
        Width of the embeddings.
    rows
        Distinct events.
    kinds
        Name of a kind of record (`events.templates.kinds`) to its distinct events.
    closeness
        Name of a kind to the least cosine of spellings of what is close (`threshold`, None where it is unmeasured) and
        how many validation events it was chosen by (`events`).
    events
        Events that were read.
    files
        File name to {sha256, bytes}.
    """

    format: int
    overproof: str
    model: Mapping[str, str]
    metric: str
    dtype: str
    search: str
    hidden: int
    rows: int
    kinds: Mapping[str, int]
    closeness: Mapping[str, Mapping[str, Any]]
    events: int
    files: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as stored."""
        return asdict(self)


def model_of(manifest: Manifest) -> dict[str, str]:
    """Return what an embedding depends on: the hashes of the model and of what it reads with, and the windowing."""
    hashes = {name: str(manifest.files[name]["sha256"]) for name in (MODEL, *READ_WITH) if name in manifest.files}
    return {**hashes, "windowing": json.dumps(asdict(manifest.windowing), sort_keys=True)}


@contextmanager
def writing(out: Path) -> Iterator[Path]:
    """Make a folder to fill, which takes the place of `out`; InputError if something else than an index is there."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / CARD).is_file())):
        raise InputError(f"{out}: exists and is not an index; choose another folder")
    with atomic_folder(out) as aside:
        yield aside


def seal(folder: Path, card: Card) -> None:
    """Write the manifest, its own hash inside."""
    data = card.to_json()
    (folder / CARD).write_text(json.dumps({**data, "sha256": _hash(data)}, indent=1))


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Hash and size of every file in a folder."""
    return {entry.name: _digest(entry) for entry in sorted(folder.iterdir())}


def verified(folder: Path) -> Card:
    """Read the manifest of an index, all of whose files are as they were written.

    Raises
    ------
    InputError
        Not an index, or one of another format.
    TamperedBundle
        A file that is changed, missing or extra; the message names it.
    """
    recover_folder(folder)
    path = folder / CARD
    if not path.is_file():
        raise InputError(f"{folder}: no {CARD}, expected an index (what overproof index writes)")
    card = _card(path)
    found = {entry.name for entry in os.scandir(folder)} - {CARD}
    for name in sorted(found ^ set(card.files)):
        raise TamperedBundle(f"{folder / name}: {'not listed in' if name in found else 'missing, listed in'} {CARD}")
    for name, listed in card.files.items():
        entry = folder / name
        if entry.is_symlink() or not entry.is_file() or _digest(entry) != listed:
            raise TamperedBundle(f"{entry}: changed since the index was written (sha256 differs)")
    return card


def embeddings_of(folder: Path, card: Card, kind: str) -> Integers:
    """Map where the events of a kind lie, (rows, width); it stays on the disk until it is read."""
    shape = (card.kinds[kind], card.hidden + WIDTH)
    return np.memmap(folder / embeddings_name(kind), dtype=np.int8, mode="r", shape=shape)


def spellings_of(folder: Path, card: Card, kind: str) -> Integers:
    """Map where the spellings of a kind's events lie, (rows, WIDTH); it stays on the disk until it is read."""
    return np.memmap(folder / spellings_name(kind), dtype=np.int8, mode="r", shape=(card.kinds[kind], WIDTH))


def embeddings_name(kind: str) -> str:
    """Return the name of the file of where a kind's events lie."""
    return f"{kind}.{EMBEDDINGS}"


def spellings_name(kind: str) -> str:
    """Return the name of the file of where the spellings of a kind's events lie."""
    return f"{kind}.{SPELLINGS}"


def _card(path: Path) -> Card:
    data = parsed(path.read_bytes(), str(path), TamperedBundle)
    if not isinstance(data, dict) or data.pop("sha256", None) != _hash(data):
        raise TamperedBundle(f"{path}: changed since the index was written (its own sha256 differs)")
    if data.get("format") != FORMAT:
        shown = ascii(data.get("format"))[:60]
        raise InputError(f"{path}: index format {shown}, this version reads {FORMAT}: {AGAIN}")
    expected = [field.name for field in fields(Card)]
    if set(data) != set(expected):
        raise InputError(f"{path}: expected the entries {', '.join(expected)}, and no others: {AGAIN}")
    return _plausible(Card(**data), path)


def _plausible(card: Card, path: Path) -> Card:
    """Return a card whose entries are of their kinds; a seal says who wrote it last, not that it is right."""
    require_files(card.files, str(path))
    if not isinstance(card.kinds, dict) or not card.kinds or not set(card.kinds) <= set(KINDS):
        raise InputError(f"{path}: expected kinds among {', '.join(KINDS)}: {AGAIN}")
    needed = (EVENTS, COUNTS, OF_KIND, SPACE, *map(embeddings_name, card.kinds), *map(spellings_name, card.kinds))
    missing = [name for name in needed if name not in card.files]
    if missing or not isinstance(card.model, dict) or not isinstance(card.search, str):
        raise InputError(f"{path}: expected model, search and the files {', '.join(needed)}")
    sizes = [card.hidden, card.rows, card.events, *card.kinds.values()]
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 < size < 1 << 40 for size in sizes):
        raise InputError(f"{path}: hidden, rows, events and kinds are {sizes}, expected whole numbers above 0")
    for kind, rows in card.kinds.items():
        for name, width in ((embeddings_name(kind), card.hidden + WIDTH), (spellings_name(kind), WIDTH)):
            if card.files[name]["bytes"] != rows * width:
                raise InputError(f"{path}: {rows} rows of {width} numbers: {name} has others")
    _require_closeness(card, path)
    return card


def _require_closeness(card: Card, path: Path) -> None:
    found = card.closeness if isinstance(card.closeness, dict) else {"": None}
    for kind, one in found.items():
        if not (kind in card.kinds and isinstance(one, dict) and set(one) == {"threshold", "events"}):
            raise InputError(f"{path}: expected of each kind's closeness its threshold and events: {AGAIN}")
        threshold = one["threshold"]
        if threshold is not None and not (type(threshold) is float and -1 <= threshold <= 1.001):
            raise InputError(f"{path}: closeness of {kind}: expected a cosine or null as threshold")
        if type(one["events"]) is not int or one["events"] < 0:
            raise InputError(f"{path}: closeness of {kind}: expected a number of events")


def _digest(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def _hash(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
