"""Bound what reading a Parquet file can take, by the headers of its pages, which a few bytes can make gigabytes of.

A dictionary holds a value once, however many rows have it; DELTA_BYTE_ARRAY a prefix; a list may have any length.

Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (PageHeader)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, BinaryIO

import pyarrow as pa

from overproof.events.sources.thrift import Compact

PAGE = 128 << 20  # bytes of one page, which is decompressed whole
AT_ONCE = 128 << 20  # bytes of the rows that are read together
HEADER = 16 << 20  # bytes of a page's header, as Arrow has it
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
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


def chunks_of(file: BinaryIO, metadata: Any, group: int, columns: Sequence[str] | None, rows: int) -> list[Chunk]:
    """Return what the columns of a row group can become.

    Parameters
    ----------
    columns
        The names of those that are read, dotted inside others; None reads all.
    rows
        That are read together at most: it decides what is looked into.

    Raises
    ------
    ValueError
        A header of a page is none.
    OSError
        The file cannot be read.
    """
    found = []
    for place in range(metadata.num_columns):
        chunk = metadata.row_group(group).column(place)
        path = chunk.path_in_schema
        if columns is None or any(path == name or path.startswith(f"{name}.") for name in columns):
            found.append(_chunk(file, chunk, metadata.schema.column(place), rows))
    return found


def _chunk(file: BinaryIO, chunk: Any, column: Any, rows: int) -> Chunk:
    page = values = 0
    repeated = column.max_repetition_level > 0
    width = WIDTHS.get(chunk.physical_type, 0) if repeated else 0
    for header, start in _pages(file, chunk):
        size, data = _count(header, 2), _data(header)
        page = max(page, size)
        values += _count(data, 1)
        if chunk.physical_type in WIDTHS or size > PAGE:
            continue
        if header.get(1) == DICTIONARY_PAGE and size * rows > AT_ONCE:
            width = max(width, _widest(file, chunk, header, start, column))
        elif data.get(2 if 5 in header else 4) == DELTA_BYTE_ARRAY:
            width = max(width, size)
        elif count := _count(data, 1):
            width = max(width, -(-size // count))
    return Chunk(chunk.path_in_schema.partition(".")[0], page, width, values, repeated)


def _pages(file: BinaryIO, chunk: Any) -> Iterator[tuple[dict[int, Any], int]]:
    """Yield the header of each page, and where in the file its content begins."""
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        place = min(place, chunk.dictionary_page_offset)
    ends = place + chunk.total_compressed_size
    values = 0
    while place < ends and values < chunk.num_values:
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
        raise ValueError("a page's header whose sizes are none")
    return found


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    """Read the header of a page; most are short, but they may hold the largest and the least value."""
    size = 1 << 10
    while True:
        file.seek(place)
        compact = Compact(file.read(size))
        try:
            return compact.struct(), compact.place
        except ValueError:
            if size >= HEADER:
                raise
            size *= 16


def _widest(file: BinaryIO, chunk: Any, header: dict[int, Any], start: int, column: Any) -> int:
    """Return the bytes of a dictionary's largest value; of one that cannot be looked into those of the whole."""
    size = int(header[2])
    if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int(column.length)
    file.seek(start)
    content = file.read(_count(header, 3))
    try:
        if chunk.compression != "UNCOMPRESSED":
            content = pa.Codec(chunk.compression.lower()).decompress(content, size, asbytes=True)
    except (pa.ArrowException, ValueError, OSError):
        return size
    widest, place, last = 0, 0, len(content) - 4
    while place <= last:  # plain: each value after its length
        (length,) = _LENGTH(content, place)
        place += 4 + length
        if length > widest:
            widest = length
    return min(widest, size)
