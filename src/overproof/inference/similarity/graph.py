"""Look through a file of usearch's before the package maps it, which trusts every number in it.

The layout is that of usearch 2 (`index_dense.hpp`, `index.hpp`: `save_to_stream`): the size of the vectors and the
vectors, a head of 64 bytes, five numbers, every node's level, then the nodes: key, level, and for each level from 0 to
its own a list of neighbours, which is a count and as many places as a list may have.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.inference.similarity.integers import Integers

_SIZE = struct.Struct("<II")
_HEAD = struct.Struct("<7s3H4B3QB")  # magic, version, metric and types, nodes present and deleted, numbers, multi
_MAGIC, _MAJOR = b"usearch", 2
_TYPES = (ord("c"), 23, 14, 15)  # cosine, int8, keys of 64 bits, places of 32
_HEAD_BYTES = 64
_NUMBERS = struct.Struct("<5Q")  # nodes, neighbours above level 0 and in it, highest level, place of the entry
_NODE = 8 + 2  # bytes before a node's lists: its key and its level
BLOCK = 1 << 14  # rows or nodes that are looked at together


def require_graph(path: Path, rows: Integers, connectivity: int) -> None:
    """Raise ValueError unless a file is a graph of these rows in which every number leads to where it should.

    Parameters
    ----------
    rows
        Shape (n, hidden): the vectors, under the keys 0 to n - 1 in this order.
    connectivity
        Neighbours of a node in each level above 0; there are twice as many in level 0.
    """
    count, hidden = rows.shape
    data = np.memmap(path, dtype=np.uint8, mode="r")
    numbers_at = _SIZE.size + rows.size + _HEAD_BYTES
    levels_at = numbers_at + _NUMBERS.size
    nodes_at = levels_at + 2 * count
    _require(len(data) >= nodes_at, "it is shorter than its vectors")
    _require(_SIZE.unpack(data[: _SIZE.size].tobytes()) == (count, hidden), "it has other vectors")
    for start in range(0, count, BLOCK):
        block = rows[start : start + BLOCK]
        at = _SIZE.size + start * hidden
        _require(np.array_equal(data[at : at + block.size].view(np.int8), block.reshape(-1)), "it has other vectors")
    magic, major, _, _, *more = _HEAD.unpack(data[numbers_at - _HEAD_BYTES :][: _HEAD.size].tobytes())
    _require((magic, major) == (_MAGIC, _MAJOR), "it is of another version")
    _require(tuple(more) == (*_TYPES, count, 0, hidden, 0), "it is of another kind")
    nodes, above, base, highest, entry = _NUMBERS.unpack(data[numbers_at:levels_at].tobytes())
    _require((nodes, above, base) == (count, connectivity, 2 * connectivity), "it is of another kind")
    levels = data[levels_at:nodes_at].view("<i2")
    _require(entry < count and levels.min() >= 0 and levels.max() == highest == levels[entry], "a level is impossible")
    _require_nodes(data[nodes_at:], levels, connectivity)


def _require_nodes(data: NDArray[np.uint8], levels: NDArray[Any], connectivity: int) -> None:
    """Raise ValueError unless the nodes fill the file, and all neighbours are nodes of the level of their list."""
    base, above = 4 + 4 * 2 * connectivity, 4 + 4 * connectivity
    ends = np.cumsum(_NODE + base + above * levels.astype(np.int64))
    _require(ends[-1] == len(data), "its nodes do not fill it")
    starts = np.concatenate([[0], ends[:-1]])
    for first in range(0, len(levels), BLOCK):
        at, own = starts[first : first + BLOCK], levels[first : first + BLOCK]
        heads = _gathered(data, at, _NODE)
        _require(
            np.array_equal(heads[:, :8].copy().view("<u8")[:, 0], np.arange(first, first + len(at))), "a key is wrong"
        )
        _require(np.array_equal(heads[:, 8:].copy().view("<i2")[:, 0], own), "a level is impossible")
        _require_lists(_gathered(data, at + _NODE, base), levels, 0)
        for level in range(1, int(own.max()) + 1):
            lists_at = at[own >= level] + _NODE + base + above * (level - 1)
            _require_lists(_gathered(data, lists_at, above), levels, level)


def _require_lists(raw: NDArray[np.uint8], levels: NDArray[Any], level: int) -> None:
    lists = raw.view("<u4")
    counts, places = lists[:, 0], lists[:, 1:]
    _require(bool((counts <= places.shape[1]).all()), "a node has too many neighbours")
    used = places[np.arange(places.shape[1]) < counts[:, None]]
    _require(bool((used < len(levels)).all()), "a neighbour that it does not have")
    _require(bool((levels[used] >= level).all()), "a neighbour that its level does not have")


def _gathered(data: NDArray[np.uint8], starts: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Return so many bytes from each place, a row each."""
    return data[starts[:, None] + np.arange(size)]


def _require(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(f"no graph of these events: {what}")
