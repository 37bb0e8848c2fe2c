"""Find slices of the events by length, encoding, characters, time, columns and pairs of these, and test each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import chain, combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import Bools, Sample
from overproof.checks.non_inferiority import Counts, counted, excess_p
from overproof.checks.rare.result import SliceLoss
from overproof.checks.stats import Units, difference_of, holm

LEAST = 20  # events of a slice
MOST = 0.9  # of the events: what holds more is no slice
MOST_VALUES = 50  # of a column that slices
LENGTHS = (0.5, 0.75, 0.9, 0.99)  # quantiles that divide the events by length

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")


@dataclass(frozen=True)
class Slice:
    """Some of the events.

    Attributes
    ----------
    by, name
        What they were chosen by, and which of it.
    rows
        Which they are, shape (n,).
    """

    by: str
    name: str
    rows: Bools


@dataclass(frozen=True)
class Lossy:
    """What the student loses in a slice against the full model.

    Attributes
    ----------
    by, name
        Of the slice.
    n, b, c
        Labelled events; those that the full model alone gets right; those that the student alone does.
    units
        How many of the n are independent.
    counts
        The same as the test takes them: for plain events, and fewer for each way in which they hang together.
    sums
        What `Units.sums` gives of b and c.
    p, p_holm
        That it loses more than the limit, one-sided (see `excess_p`); corrected for all slices that were tested.
    """

    by: str
    name: str
    n: int
    b: int
    c: int
    units: int
    counts: tuple[Counts, ...]
    sums: tuple[tuple[int, tuple[float, ...]], ...]
    p: float
    p_holm: float

    def result(self) -> SliceLoss:
        """Return it as the report has it, with the loss of all its events."""
        loss = difference_of(self.sums)
        return SliceLoss(self.by, self.name, self.n, self.units, self.b, self.c, loss, self.p, self.p_holm)


@dataclass(frozen=True)
class Verdicts:
    """Which events either model gets right.

    Attributes
    ----------
    full, student
        Whether each does, shape (n,).
    labelled
        Which events count, shape (n,).
    units
        How the events hang together.
    """

    full: Bools
    student: Bools
    labelled: Bools
    units: Units


def slices_of(sample: Sample, labelled: Bools) -> Iterator[Slice]:
    """Find all slices with at least 20 labelled events, conjunctions of two among them; none twice.

    A slice of more than 90 % of the events is left out: it is no slice. They come one by one: many columns of many
    values make more of them than memory holds.

    Parameters
    ----------
    labelled
        Which events count, shape (n,).
    """
    single = [part for part in _single(sample) if _usable(part, labelled)]
    pairs = (
        Slice(f"{a.by} and {b.by}", f"{a.name}, {b.name}", a.rows & b.rows)
        for a, b in combinations(single, 2)
        if a.by != b.by
    )
    seen: set[bytes] = set()
    for part in chain(single, pairs):
        if _usable(part, labelled) and (mark := _mark(part, labelled)) not in seen:
            seen.add(mark)
            yield part


def losing(slices: Iterable[Slice], verdicts: Verdicts, limit: float) -> list[Lossy]:
    """Test every slice, the worst first: Slice Finder's question (Chung et al. 2019), put to pairs of verdicts.

    Parameters
    ----------
    limit
        Net loss that is allowed.
    """
    lost, found = verdicts.full.astype(np.int8) - verdicts.student, []
    for part in slices:
        rows = np.flatnonzero(part.rows & verdicts.labelled)
        units, own = verdicts.units.take(rows), lost[rows]
        counts = counted(own, units)
        seen, p = counts[0], max(excess_p(fewer, limit) for fewer in counts)
        sums = tuple(units.sums(own > 0, own < 0))
        found.append(Lossy(part.by, part.name, seen.n, seen.b, seen.c, units.count, counts, sums, p, 1.0))
    adjusted = holm([lossy.p for lossy in found]).tolist()
    tested = [replace(lossy, p_holm=p) for lossy, p in zip(found, adjusted, strict=True)]
    return sorted(tested, key=lambda lossy: (lossy.p, -lossy.b))


def _usable(part: Slice, labelled: Bools) -> bool:
    return LEAST <= int((part.rows & labelled).sum()) <= MOST * int(labelled.sum())


def _mark(part: Slice, labelled: Bools) -> bytes:
    return blake2b(np.packbits(part.rows & labelled).tobytes(), digest_size=16).digest()


def _single(sample: Sample) -> Iterator[Slice]:
    if not len(sample):
        return
    lengths = np.array([len(text) for text in sample.texts])
    bounds = [int(lengths.min()) - 1, *np.unique(np.quantile(lengths, LENGTHS).astype(int)), int(lengths.max())]
    for low, high in pairwise(bounds):
        yield Slice("length", f"{low + 1} to {high} characters", (lengths > low) & (lengths <= high))
    yield from _by("encoding", [_encoding(text) for text in sample.texts])
    yield from _by("characters", [_characters(text) for text in sample.texts])
    yield from _by("time", [_hour(time) for time in sample.times])
    for name, values in sample.fields.items():
        if all(value is None or isinstance(value, str | int) for value in values):
            yield from _by(name, values)


def _by(name: str, values: Sequence[object]) -> Iterator[Slice]:
    """Make one slice for each value, where there are a few."""
    column: NDArray[np.object_] = np.array([None if value is None else str(value) for value in values], dtype=object)
    kinds = {kind for kind in column if kind is not None}
    if 1 < len(kinds) <= MOST_VALUES:
        for kind in sorted(kinds):
            yield Slice(name, kind, np.asarray(column == kind, dtype=bool))


def _encoding(text: str) -> str:
    if _PERCENT.search(text):
        return "percent-encoded"
    if not text.isascii():
        return "not ASCII"
    return "like base64" if _BASE64.search(text) else "plain"


def _characters(text: str) -> str:
    """Name the kind of character that most of the text consists of."""
    counts = {
        "letters": sum(map(str.isalpha, text)),
        "digits": sum(map(str.isdigit, text)),
        "white space": sum(map(str.isspace, text)),
    }
    counts["symbols"] = len(text) - sum(counts.values())
    return f"mostly {max(counts, key=lambda kind: counts[kind])}"


def _hour(time: str | None) -> str | None:
    """Name the hour of the day, of ISO times and of seconds since 1970; None for anything else."""
    if time is None:
        return None
    try:
        seconds = float(time)
    except ValueError:
        try:
            return f"hour {datetime.fromisoformat(time).hour:02d}"
        except ValueError:
            return None
    return f"hour {int(seconds // 3600 % 24):02d}" if 0 <= seconds < 1e11 else None
