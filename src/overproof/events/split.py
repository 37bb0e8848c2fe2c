"""Split events by groups, stratified: no near-duplicate on both sides, every family on each where it can be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.errors import InputError

_DIGITS = str.maketrans("123456789", "000000000")
_TRAIN, _VALIDATION, _TEST = 0, 1, 2

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Events in three parts, each in its original order.

    Attributes
    ----------
    train, validation, test
        Event tables.
    leaked_templates
        How many templates stand in more than one part: 0 when grouped by template, maybe more when the
        events name their groups.
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    leaked_templates: int


def template(text: str) -> str:
    """Reduce a text to what near-duplicates share: lower case, every ASCII digit 0."""
    return text.lower().translate(_DIGITS)


def templates(events: pa.Table) -> list[str]:
    """Return the template of every event, shape (n,)."""
    return [template(text) for text in events.column("text").to_pylist()]


def leaked(a: pa.Table, b: pa.Table) -> int:
    """Count the templates that stand in both tables."""
    return len(set(templates(a)) & set(templates(b)))


def split_events(events: pa.Table, *, seed: int, validation: float = 0.1, test: float = 0.2) -> Split:
    """Split events into train, validation and test by groups, in the proportions asked for in every family.

    An event's group is its `group`, or where that is null its template; a group is never divided. A group
    with several families counts as its rarest. A family of three or more groups stands in every part that
    is asked for, one of two in train and test, one of one in train only. A group with an event that has no
    label stays in train, where it can be learned from the teacher. The same rows in another order give the
    same parts.

    Parameters
    ----------
    events
        Event table of n rows.
    seed
        Chooses among the splits.
    validation, test
        Share of the rows, each at least 0, together below 1.

    Raises
    ------
    InputError
        If the shares are not such.
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise InputError(f"shares: validation {validation}, test {test}; expected each at least 0, together below 1")
    shapes = templates(events)
    given = events.column("group").to_pylist()
    # the kind of group stands before it, so that a group named like a template is not taken for it
    keys = [f"t{shape}" if group is None else f"g{group}" for group, shape in zip(given, shapes, strict=True)]
    group, names = _codes(pa.chunked_array([pa.array(keys, pa.large_string())]))
    size = np.bincount(group, minlength=len(names))
    family = _families(events, group, len(names))
    order = np.array(sorted(range(len(names)), key=lambda i: _hash(seed, names[i])), dtype=np.int64)

    side = np.full(len(names), _TRAIN, dtype=np.int64)
    by_family = order[np.argsort(family[order], kind="stable")]
    starts = np.flatnonzero(np.diff(family[by_family], prepend=-2))
    for members in np.split(by_family, starts[1:]):
        if len(members) and family[members[0]] >= 0:
            side[members] = _sides(size[members], validation, test)

    parts = tuple(events.filter(pa.array(side[group] == part)) for part in (_TRAIN, _VALIDATION, _TEST))
    shape, distinct = _codes(pa.chunked_array([pa.array(shapes, pa.large_string())]))
    seen = np.zeros((len(distinct), 3), dtype=bool)
    seen[shape, side[group]] = True
    return Split(parts[_TRAIN], parts[_VALIDATION], parts[_TEST], int((seen.sum(axis=1) > 1).sum()))


def _codes(values: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """Encode each value as an index into the distinct values."""
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _families(events: pa.Table, group: Codes, groups: int) -> Codes:
    """Find the rarest family of each group, as a code that grows with rarity; -1 where an event has no label."""
    named = pc.coalesce(events.column("family"), events.column("label")).fill_null("")
    family, names = _codes(named.cast(pa.large_string()))
    count = np.bincount(family, minlength=len(names))
    rank = np.empty(len(names), dtype=np.int64)
    rank[sorted(range(len(names)), key=lambda i: (-count[i], names[i]))] = np.arange(len(names))
    result = np.full(groups, -1, dtype=np.int64)
    np.maximum.at(result, group, rank[family])
    unlabelled = events.column("label").is_null().to_numpy()
    result[group[unlabelled]] = -1
    return result


def _hash(seed: int, name: str) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest(), name


def _sides(size: Codes, validation: float, test: float) -> Codes:
    """Assign each group of one family to a part, given their sizes in rows, in the order drawn.

    Each goes to the first part that has room for it; what is too large for test and validation is for train.
    """
    side = np.full(len(size), _TRAIN, dtype=np.int64)
    room = {_TEST: test * size.sum(), _VALIDATION: validation * size.sum()}
    for index, rows in enumerate(size.tolist()):
        for part in room:
            if rows <= room[part] + 0.5:  # the half rounds to the nearest row
                room[part] -= rows
                side[index] = part
                break
    if len(size) < 3:
        side[:] = _TRAIN
    elif not (side == _TRAIN).any():
        side[np.argmax(size)] = _TRAIN
    for part, share in ((_TEST, test), (_VALIDATION, validation)):
        train = np.flatnonzero(side == _TRAIN)
        if share > 0 and len(train) > 1 and not (side == part).any():
            side[train[np.argmin(size[train])]] = part
    return side
