"""Define the one protocol of a teacher: classes, a card, and logits for events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from overproof.bundle.scores import Floats

Report = Callable[[int], None]

MIN_PROBABILITY = 1e-7


@dataclass(frozen=True)
class TeacherCard:
    """Where soft labels came from; goes into the bundle's manifest.

    Attributes
    ----------
    kind
        The adapter: `huggingface`, `onnx`, `callable`, `soft labels`, `average`, `own`.
    name
        File, folder or `module:attribute`, as the user would recognise it.
    parameters, bytes
        Size of the model; None where it cannot be known (a black box somebody else ran).
    runtime
        What computed the logits.
    fingerprint
        Changes whenever the answers could; None if that cannot be promised, and then nothing is cached.
    """

    kind: str
    name: str
    parameters: int | None
    bytes: int | None
    runtime: str
    fingerprint: str | None


class Teacher(Protocol):
    """A large model: what a student learns from, and what stands behind it in a cascade."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits' columns."""
        ...

    @property
    def card(self) -> TeacherCard:
        """The model's name and size."""
        ...

    @property
    def labels_new_events(self) -> bool:
        """False for soft labels that were computed elsewhere: there is no model to query."""
        ...

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Compute logits (or log-probabilities), shape (events, classes), float32; `report(k)`: k more are done."""
        ...


def log_probabilities(probabilities: ArrayLike) -> Floats:
    """Compute log(max(p, 1e-7)): what a black box that only gives probabilities returns as logits."""
    p = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(np.log(np.maximum(p, MIN_PROBABILITY)), dtype=np.float32)


def texts_of(events: pa.Table) -> list[str]:
    """Return the events' texts, in order."""
    texts: list[str] = events.column("text").to_pylist()
    return texts


def by_length(lengths: Sequence[int], size: int, *, equal: bool = False) -> Iterator[NDArray[np.intp]]:
    """Cut indices into batches of at most `size`, shortest first, so that little is padded.

    With `equal`, every batch holds events of one length, so that nothing is padded at all.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(sizes, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1) if equal else [order]
    for run in runs:
        for start in range(0, len(run), size):
            yield run[start : start + size]


def padded(ids: Sequence[Sequence[int]], pad_id: int, length: int | None = None) -> NDArray[np.int64]:
    """Pad token ids to one array, short rows filled with `pad_id` up to `length` (default: the longest row)."""
    width = max(1, *(len(row) for row in ids)) if length is None else length
    out = np.full((len(ids), width), pad_id, dtype=np.int64)
    for i, row in enumerate(ids):
        out[i, : len(row)] = row
    return out


def fingerprint_files(*paths: Path) -> str:
    """Hash the names and contents of files with SHA-256, read in pieces."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
