"""Bound what reading a Parquet file can take, by the headers of its pages, which a few bytes can make gigabytes of.

A dictionary holds a value once, however many rows have it; DELTA_BYTE_ARRAY a prefix; a list may have any length.

The footer is read once more: of damaged statistics, pyarrow's own view of a column chunk ends the process.

Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (FileMetaData, PageHeader)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import SEEK_END
from struct import Struct
from struct import error as StructError
from typing import Any, BinaryIO

import pyarrow as pa

from overproof.events.sources.thrift import Compact, Kept

Stored = dict[int, Any]  # a struct of the footer, by the numbers of its fields
_CODEC, _VALUES, _SIZE, _DATA, _DICTIONARY = 4, 5, 7, 9, 11  # of a column's metadata, in FOOTER
FOOTER: Kept = {4: {1: {3: {_CODEC: {}, _VALUES: {}, _SIZE: {}, _DATA: {}, _DICTIONARY: {}}}}}  # row groups, columns
PAGE_HEADER: Kept = {1: {}, 2: {}, 3: {}, 5: {1: {}, 2: {}}, 8: {1: {}, 4: {}}}

PAGE = 128 << 20  # bytes of one page, which is decompressed whole
AT_ONCE = 128 << 20  # bytes of the rows that are read together
HEADER = 16 << 20  # bytes of a page's header, as Arrow has it
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")  # by number
_LENGTH = Struct("<I").unpack_from
DICTIONARY_PAGE, DELTA_BYTE_ARRAY = 2, 7


@dataclass(frozen=True)
class Chunk:
    """What one column of a row group can become.

    Attributes
    ----------
    column
        The name of the column of the table that it is part of.
    page
        Bytes of its largest page.
    width
        Bytes that a value may take: of one that is stored once those of the largest, of others the mean of a page, the
        largest of all pages.
    values
        Of them all.
    repeated
        Whether a row may have any number of them.
    """

    column: str
    page: int
    width: int
    values: int
    repeated: bool


def rows_at_once(chunks: Sequence[Chunk], most: int) -> int:
    """Return how many rows can be read together, `most` at most and 1 at least."""
    width = sum(chunk.width for chunk in chunks if not chunk.repeated)
    return max(1, min(most, AT_ONCE // width)) if width else most


def unbounded(chunks: Sequence[Chunk]) -> list[str]:
    """Return the columns of which a single row may hold more than is read together."""
    return sorted({c.column for c in chunks if c.repeated and c.values * max(c.width, 1) > AT_ONCE})


def footer(file: BinaryIO) -> list[Stored]:
    """Return the row groups of a Parquet file, as its footer has them.

    Raises
    ------
    ValueError
        It is none.
    OSError
        The file cannot be read.
    """
    end = file.seek(-8, SEEK_END)
    size = _LENGTH(file.read(4))[0]
    file.seek(max(0, end - size))
    groups = Compact(file.read(size)).struct(FOOTER).get(4)
    if not isinstance(groups, list):
        raise ValueError("a footer without row groups")
    return groups


def chunks_of(file: BinaryIO, group: Stored, schema: Any, columns: Sequence[str] | None, rows: int) -> list[Chunk]:
    """Return what the columns of a row group can become.

    Parameters
    ----------
    group
        Of the `footer`.
    schema
        pyarrow's, of the file.
    columns
        The names of those that are read, dotted inside others; None reads all.
    rows
        That are read together at most: it decides what is looked into.

    Raises
    ------
    ValueError
        A header of a page is none, or the footer has no such column.
    OSError
        The file cannot be read.
    """
    stored = group.get(1)
    if not isinstance(stored, list) or len(stored) != len(schema):
        raise ValueError("a row group that has not the columns of its file")
    found = []
    for place, chunk in enumerate(stored):
        column = schema.column(place)
        if columns is None or any(column.path == name or column.path.startswith(f"{name}.") for name in columns):
            found.append(_chunk(file, chunk.get(3) if isinstance(chunk, dict) else None, column, rows))
    return found


def _chunk(file: BinaryIO, stored: Stored | None, column: Any, rows: int) -> Chunk:
    if not isinstance(stored, dict):
        raise ValueError("a column without its place in the file")
    page = values = 0
    repeated = column.max_repetition_level > 0
    width = WIDTHS.get(column.physical_type, 0) if repeated else 0
    for header, start in _pages(file, stored):
        size, data = _count(header, 2), _data(header)
        page = max(page, size)
        values += _count(data, 1)
        if column.physical_type in WIDTHS or size > PAGE:
            continue
        if header.get(1) == DICTIONARY_PAGE and size * rows > AT_ONCE:
            width = max(width, _widest(file, _codec(stored), header, start, column))
        elif data.get(2 if 5 in header else 4) == DELTA_BYTE_ARRAY:
            width = max(width, size)
        elif count := _count(data, 1):
            width = max(width, -(-size // count))
    return Chunk(column.path.partition(".")[0], page, width, values, repeated)


def _codec(stored: Stored) -> str:
    codec = _count(stored, _CODEC)
    if codec >= len(CODECS):
        raise ValueError("a column of no known compression")
    return CODECS[codec]


def _pages(file: BinaryIO, stored: Stored) -> Iterator[tuple[dict[int, Any], int]]:
    """Yield the header of each page, and where in the file its content begins."""
    place = _count(stored, _DATA)
    if dictionary := _count(stored, _DICTIONARY):  # some writers say 0 where there is none
        place = min(place, dictionary)
    ends = place + _count(stored, _SIZE)
    values, most = 0, _count(stored, _VALUES)
    while place < ends and values < most:
        header, size = _header(file, place)
        place += size
        yield header, place
        values += _count(_data(header), 1)
        place += _count(header, 3)


def _data(header: dict[int, Any]) -> dict[int, Any]:
    """Return the part of a header that is of a page of data, of either version; empty where there is none."""
    return next((header[number] for number in (5, 8) if isinstance(header.get(number), dict)), {})


def _count(struct: dict[int, Any], number: int) -> int:
    found = struct.get(number, 0)
    if type(found) is not int or found < 0:
        raise ValueError("a size or place that is none")
    return found


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    """Read the header of a page; most are short, but they may hold the largest and the least value."""
    size = 1 << 10
    while True:
        file.seek(place)
        compact = Compact(file.read(size))
        try:
            return compact.struct(PAGE_HEADER), compact.place
        except ValueError:
            if size >= HEADER:
                raise
            size *= 16


def _widest(file: BinaryIO, codec: str, header: dict[int, Any], start: int, column: Any) -> int:
    """Return the bytes of a dictionary's largest value; of one that cannot be looked into those of the whole."""
    size = int(header[2])
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int(column.length)
    file.seek(start)
    content = file.read(_count(header, 3))
    try:
        if codec != "UNCOMPRESSED":
            content = pa.Codec(codec.lower()).decompress(content, size, asbytes=True)
    except (pa.ArrowException, ValueError, OSError):
        return size
    widest = place = 0
    try:
        while True:  # plain: each value after its length; the end is found by `unpack_from`, which looks for it anyway
            length = _LENGTH(content, place)[0]
            place += length + 4
            if length > widest:
                widest = length
    except StructError:
        pass
    return min(widest, size)
