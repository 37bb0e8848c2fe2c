"""Turn text into sums over its hashed byte n-grams: what an n-gram student reads instead of tokens.

A window is bytes of UTF-8 between two markers. Each n-gram of 1 to 4 bytes in it names a row of a table of INT8
weights; what the model reads is the sum of these rows by the root of their number: by the number itself an attack fades
in a long text, and undivided a long text shouts. Sums of whole numbers are exact in any order, so the same text gives
the same bits on every platform, in any batch. Nothing is folded: case, percent-encoding and whitespace are what attacks
are made of.

Source: Weinberger et al. 2009 (feature hashing), Joulin et al. 2016 (bags of hashed n-grams), Knuth, TAOCP vol. 3, 6.4
(multiplicative hashing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.arrays import from_npz, to_npz
from overproof.bundle.scores import Floats
from overproof.bundle.tokenizer import Windowing
from overproof.errors import BundleError

LONGEST = 4  # bytes of an n-gram: what a 32-bit word holds
ROWS, WIDTH = 1 << 16, 16  # of a student's table
BEFORE, AFTER = 0x02, 0x03  # a window's markers: where a text begins and ends tells, and real text rarely holds either
MULTIPLIERS = (
    0x9E3779B1,
    0x85EBCA77,
    0x165667B1,
    0xC2B2AE3D,
)  # by length: odd; of xxHash32's primes those that spread real text
BIAS = 128  # added to a weight, so that packed sums cannot borrow from each other
PLACES = 64  # of a piece: 64 places of 4 n-grams of at most 255 are below 2^16, what a packed column holds
BLOCK = 1 << 13  # bytes of one step, so that their rows stay in the cache

Texts: TypeAlias = Sequence[str] | pa.StringArray | pa.LargeStringArray | pa.ChunkedArray
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]

_MASKS = np.array([[(1 << 8 * n) - 1] for n in range(1, LONGEST + 1)], dtype=np.uint32)
_LACKING = sum(range(LONGEST))  # n-grams that a window lacks at its end
_FACTORS = np.array([[m] for m in MULTIPLIERS], dtype=np.uint32)


@dataclass(frozen=True, eq=False)
class ByteWindows:
    """Windows of n events, as bytes.

    Attributes
    ----------
    data
        All windows one after the other, each between its markers.
    starts
        Shape (windows + 1,): where each window begins in `data`, and where the last one ends.
    owner
        Shape (windows,): the event each window belongs to, ascending.
    overflow
        Shape (n,): the event has text that no window covers.
    """

    data: Bytes
    starts: Indices
    owner: NDArray[np.int32]
    overflow: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NgramTable:
    """The weights of all n-grams.

    Attributes
    ----------
    weights
        Shape (rows, width), int8; rows a power of two, width a multiple of 4.
    scales
        Shape (width,), float32: of each column.
    """

    weights: NDArray[np.int8]
    scales: Floats

    @cached_property
    def _packed(self) -> NDArray[np.uint64]:
        """Four columns in each word, 16 bits and never negative; the last row, all zero, is that of no n-gram."""
        columns = np.zeros((len(self.weights) + 1, self.weights.shape[1]), dtype=np.uint16)
        columns[:-1] = self.weights.astype(np.int16) + BIAS
        return columns.view(np.uint64)

    def sums(self, data: Bytes, starts: Indices) -> tuple[NDArray[np.int32], Indices]:
        """Add up the rows of each window's n-grams, exactly.

        Parameters
        ----------
        data, starts
            As in `ByteWindows`.

        Returns
        -------
        The sums, shape (windows, width), and the number of n-grams of each window, shape (windows,).
        """
        counts = _counts(starts[1:] - starts[:-1])
        found = np.empty((len(counts), self.weights.shape[1]), dtype=np.int32)
        for first, behind in _blocks(starts):
            lies, ends = starts[first], starts[behind]
            self._add(data[lies:ends], starts[first : behind + 1] - lies, found[first:behind])
        found -= BIAS * counts[:, None].astype(np.int32)
        return found, counts

    def pooled(self, data: Bytes, starts: Indices) -> Floats:
        """Return sum / √count · scale of each window's rows, shape (windows, width).

        Sums and counts are whole numbers below 2^24, which float32 holds; root, division and product are rounded once
        each, as IEEE 754 prescribes, and no library's order or fused operation has a say in it.
        """
        if len(starts) == 2 and len(data) <= PLACES:
            return self._pooled(data, starts)
        sums, counts = self.sums(data, starts)
        found = sums.astype(np.float32)
        found /= np.sqrt(counts.astype(np.float32))[:, None]
        found *= self.scales
        return found

    def stored(self) -> bytes:
        """Return the content of the bundle's file: npz, plain arrays."""
        return to_npz({"weights": self.weights, "scales": self.scales})

    def _pooled(self, data: Bytes, starts: Indices) -> Floats:
        """Return what `pooled` returns of one short window, in fewer steps, for a single event's sake."""
        count = max(LONGEST * len(data) - _LACKING, 3)
        packed = self._packed.take(_table_rows(data, starts, len(self.weights)), axis=0).sum(axis=0)
        found: Floats = np.add.reduce(packed).view(np.uint16).astype(np.float32)
        found -= BIAS * count  # exact, since all are whole numbers below 2^24
        found /= np.sqrt(np.float32(count))
        found *= self.scales
        return found.reshape(1, -1)

    def _add(self, data: Bytes, starts: Indices, found: NDArray[np.int32]) -> None:
        """Write one block's sums, of biased weights: first of pieces too short to overflow, then of windows."""
        packed = self._packed.take(_table_rows(data, starts, len(self.weights)), axis=0).sum(axis=0)
        lengths = starts[1:] - starts[:-1]
        if lengths.max() <= PLACES:
            found[:] = np.add.reduceat(packed, starts[:-1], axis=0).view(np.uint16)
            return
        pieces = -(-lengths // PLACES)
        behind = pieces.cumsum()
        first = behind - pieces
        cuts = np.repeat(starts[:-1] - PLACES * first, pieces) + PLACES * np.arange(behind[-1])
        columns = np.add.reduceat(packed, cuts, axis=0).view(np.uint16)
        np.add.reduceat(columns, first, axis=0, dtype=np.int32, out=found)


def cut_bytes(texts: Texts, windowing: Windowing) -> ByteWindows:
    """Cut each text's UTF-8 into overlapping windows, as `tokenizer.cut` cuts tokens.

    A text of up to `size - 1` bytes is one window; a longer one gets windows every `stride` bytes, the last one aligned
    to the text's end so that it is full, `limit` at most. A lone surrogate of a Python string gets three bytes, like
    any character of its range. A window may begin or end within a character. Arrow's buffers are read in place.
    """
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        source, begins, lengths = _arrow_bytes(texts)
    else:
        if len(texts) == 1 and (single := _single(texts[0], windowing.size)) is not None:
            return single
        source, begins, lengths = _joined(texts, windowing.tokens)
        if not len(lengths) or lengths.max() < windowing.size:
            starts = np.concatenate((begins - 1, [len(source)]))
            owner = np.arange(len(lengths), dtype=np.int32)
            return ByteWindows(source, starts, owner, np.zeros(len(lengths), dtype=np.bool_))
    overflow = lengths > windowing.tokens
    body = windowing.size - 1
    last = np.minimum(lengths, windowing.tokens) - body  # where an event's last window begins
    many = 1 + -(-last.clip(0) // windowing.stride)
    owner = np.repeat(np.arange(len(lengths), dtype=np.int32), many)
    nth = np.arange(len(owner)) - np.repeat(many.cumsum() - many, many)
    shift = np.minimum(nth * windowing.stride, last.clip(0)[owner])
    whole = np.minimum(lengths, body)[owner] + 2
    starts = np.concatenate(([0], whole.cumsum()))
    where = np.repeat(begins[owner] + shift - starts[:-1] - 1, whole) + np.arange(starts[-1])
    data = source.take(where, mode="clip") if len(source) else np.empty(starts[-1], dtype=np.uint8)
    data[starts[:-1]] = BEFORE
    data[starts[1:] - 1] = AFTER
    return ByteWindows(data, starts, owner, overflow)


def ngram_rows(data: Bytes, starts: Indices, rows: int = ROWS) -> tuple[Indices, Indices]:
    """Return the table rows of all n-grams, window by window, and where each window's begin: an embedding bag's input.

    Parameters
    ----------
    data, starts
        As in `ByteWindows`.
    rows
        Of the table, a power of two.

    Returns
    -------
    The rows, shape (n-grams,), and the offsets, shape (windows + 1,).
    """
    found = _table_rows(data, starts, rows).T.ravel()
    return found[found < rows], np.concatenate(([0], _counts(starts[1:] - starts[:-1]).cumsum()))


def restored(content: bytes, where: str) -> NgramTable:
    """Read what `NgramTable.stored` wrote; nothing in it can be code, and all of it is finite numbers.

    Raises
    ------
    BundleError
        If it is something else.
    """
    arrays = from_npz(content, ("weights", "scales"), where)
    found = NgramTable(arrays["weights"], arrays["scales"])
    shapes = found.weights.ndim == 2 and found.weights.size and found.scales.shape == found.weights.shape[1:]
    if not shapes or [found.weights.dtype.name, found.scales.dtype.name] != ["int8", "float32"]:
        raise BundleError(f"{where}: expected weights (rows, width) in int8 and scales (width,) in float32")
    rows, width = found.weights.shape
    if rows & (rows - 1) or not 2 <= rows <= 1 << 32 or width % 4:
        raise BundleError(f"{where}: weights are {rows} by {width}, expected a power of two by a multiple of 4")
    if not (np.isfinite(found.scales) & (found.scales > 0)).all():
        raise BundleError(f"{where}: scales hold NaN, infinity or what is not above 0, expected finite numbers above 0")
    return found


def _table_rows(data: Bytes, starts: Indices, rows: int) -> Indices:
    """Return the row of each length's n-gram at each place, shape (4, places); `rows` where it leaves its window."""
    places = len(data)
    padded = np.zeros(places + LONGEST - 1, dtype=np.uint8)
    padded[:places] = data
    words = np.ndarray((places,), dtype="<u4", buffer=padded.data, strides=(1,))
    hashed = (words & _MASKS) * _FACTORS
    hashed >>= np.uint32(33 - rows.bit_length())
    found = hashed.astype(np.int64)
    ends = int(starts[1]) if len(starts) == 2 else starts[1:]  # plain numbers are several times as fast for one window
    for left in range(1, LONGEST):  # bytes left in the window; where it has only two, the place is its neighbour's last
        found[left:, ends - left] = rows
    return found


def _counts(lengths: Indices) -> Indices:
    """Return the number of n-grams of windows of so many bytes, markers included: at least two."""
    return np.maximum(LONGEST * lengths - _LACKING, 3)


def _blocks(starts: Indices) -> Iterator[tuple[int, int]]:
    """Yield the first window of each block and the one behind it."""
    first, windows = 0, len(starts) - 1
    if windows and starts[-1] - starts[0] <= BLOCK:
        yield 0, windows
        return
    while first < windows:
        behind = int(np.searchsorted(starts, starts[first] + BLOCK, side="right")) - 1
        behind = max(behind, first + 1)
        yield first, behind
        first = behind


def _single(text: str, size: int) -> ByteWindows | None:
    """Return the only window of the usual single event, in a quarter of the time; None of one that needs more."""
    content = f"{chr(BEFORE)}{text[:size]}{chr(AFTER)}".encode("utf-8", "surrogatepass")
    if len(content) > size + 1:
        return None
    first = np.zeros(1, dtype=np.int32)
    starts = np.array((0, len(content)), dtype=np.int64)
    return ByteWindows(np.frombuffer(content, dtype=np.uint8), starts, first, first.astype(np.bool_))


def _joined(texts: Sequence[str], most: int) -> tuple[Bytes, Indices, Indices]:
    """Return strings as bytes with markers between them, where each string's begin, and how many they are.

    Of a longer string only the first `most` + 1 characters, which are at least as many bytes, are looked at.
    """
    characters = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    if len(characters) and characters.max() > most:
        texts = [t[: most + 1] for t in texts]
        characters = characters.clip(max=most + 1)
    text = f"{chr(BEFORE)}{(chr(AFTER) + chr(BEFORE)).join(texts)}{chr(AFTER)}" if len(texts) else ""
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    lengths = characters
    if len(data) > len(text):
        lengths = np.fromiter((len(t.encode("utf-8", "surrogatepass")) for t in texts), np.int64, count=len(texts))
    whole = lengths + 2
    return data, whole.cumsum() - whole + 1, lengths


def _arrow_bytes(texts: pa.Array | pa.ChunkedArray) -> tuple[Bytes, Indices, Indices]:
    """Return the buffer that holds the bytes of an Arrow column's strings, where each begins, and how many they are."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = whole if isinstance(whole, pa.LargeStringArray | pa.StringArray) else whole.cast(pa.large_string())
    if not len(column):
        return np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    _, offsets, data = column.buffers()
    width = np.int64 if isinstance(column, pa.LargeStringArray) else np.int32
    bounds = np.frombuffer(offsets, dtype=width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    source = np.empty(0, dtype=np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return source, bounds[:-1], np.diff(bounds)
