"""Make Parquet files of any column types with any bits as values: what is in a table is nobody's but its writer's."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from fuzz.mutate import values

NAMES = (
    *("text", "payload", "label", "family", "time", "timestamp", "group", "origin", "overflow", "kind", "source"),
    *("event", "src_ip", "dst_port", "a.b", "a", "", " text", "TEXT", "é", "\n", "probabilities"),
)  # fmt: skip
UNITS = ("s", "ms", "us", "ns")
FIXED: tuple[Callable[[], pa.DataType], ...] = (
    *(pa.int8, pa.uint8, pa.int16, pa.uint16, pa.int32, pa.uint32, pa.int64, pa.uint64),
    *(pa.float16, pa.float32, pa.float64, pa.date32, pa.date64),
    *(lambda unit=unit, zone=zone: pa.timestamp(unit, zone) for unit in UNITS for zone in (None, "UTC", "X/Y")),
    *(lambda unit=unit: pa.duration(unit) for unit in UNITS),
    *(lambda unit=unit: pa.time32(unit) for unit in ("s", "ms")),
    *(lambda unit=unit: pa.time64(unit) for unit in ("us", "ns")),
    *(lambda digits=digits, scale=scale: pa.decimal128(digits, scale) for digits, scale in ((38, 0), (38, 38), (5, 2))),
    lambda: pa.decimal256(76, 10),
    lambda: pa.binary(16),
    lambda: pa.binary(1),
    pa.bool_,
)  # fmt: skip


def parquet(random: Random) -> bytes:
    """A table with a column of text, usually, and some others."""
    rows = random.choice((0, 1, 1, 2, 3, 5, 20))
    names = [random.choice(("text", "text", "text", random.choice(NAMES)))]
    names += [random.choice(NAMES) for _ in range(random.randrange(5))]
    columns = [
        _texts(rows, random) if place == 0 and random.random() < 0.8 else array(rows, random)
        for place in range(len(names))
    ]
    options = {"compression": random.choice(("none", "snappy", "zstd")), "row_group_size": random.choice((1, 2, 1000))}
    while True:
        file = io.BytesIO()
        try:
            pq.write_table(pa.Table.from_arrays(columns, names=names), file, **options)
            return file.getvalue()
        except (pa.ArrowException, ValueError, OverflowError, TypeError):  # a type that Parquet has no form for
            columns = [array if place == 0 else pa.nulls(rows) for place, array in enumerate(columns)]
            columns[0] = columns[0] if names[1:] and columns[0].type != pa.null() else _texts(rows, random)
            if all(column.type == pa.null() for column in columns[1:]) and not random.randrange(3):
                columns[0] = _texts(rows, random)


def parquet_changed(content: bytes, random: Random) -> bytes:
    """Put another column in the place of one, or lose or rename one, rows or all."""
    table = pq.read_table(io.BytesIO(content))
    at, how = random.randrange(table.num_columns), random.randrange(5)
    name = table.column_names[at]
    if how <= 1:
        table = table.set_column(at, name, array(table.num_rows, random))
    elif how == 2:
        table = table.remove_column(at)
    elif how == 3:
        table = table.append_column(random.choice(table.column_names), table.column(at))
    else:
        table = table.slice(random.randrange(table.num_rows + 1))
    file = io.BytesIO()
    try:
        pq.write_table(table, file, row_group_size=random.choice((1, 1000)))
    except (pa.ArrowException, ValueError, OverflowError, TypeError):
        return content[: random.randrange(len(content))]
    return file.getvalue()


def array(rows: int, random: Random, depth: int = 0) -> pa.Array:
    """An array of any type."""
    how = random.randrange(14 if depth < 3 else 8)
    if how <= 4:
        return _fixed(rows, random)
    if how <= 6:
        return _texts(rows, random)
    if how == 7:
        return pa.nulls(rows, random.choice((pa.null(), pa.string(), pa.int64(), pa.list_(pa.int8()))))
    if how <= 9:
        return _listed(rows, random, depth)
    if how <= 11:
        inside = [array(rows, random, depth + 1) for _ in range(random.randrange(1, 4))]
        names = [random.choice(NAMES) for _ in inside]
        return pa.StructArray.from_arrays(
            inside, fields=[pa.field(n, a.type) for n, a in zip(names, inside, strict=True)]
        )
    if how == 12:
        return _texts(rows, random).dictionary_encode()
    keys = pa.array([values.string(random).encode("utf-8", "replace").decode() for _ in range(rows)])
    return pa.MapArray.from_arrays(pa.array(range(rows + 1), pa.int32()), keys, array(rows, random, depth + 1))


def _fixed(rows: int, random: Random) -> pa.Array:
    kind = random.choice(FIXED)()
    bits = kind.bit_width
    data = random.randbytes((rows * bits + 7) // 8)
    if random.random() < 0.4:  # nought, and the greatest and least there are
        cell = random.choice((b"\0", b"\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\xf0\x7f"))
        data = (cell * len(data))[: len(data)]
    if pa.types.is_date64(kind):  # whole days, else no file holds it
        day = 86_400_000
        data = b"".join((random.randint(-(2**36), 2**36) * day % 2**63).to_bytes(8, "little") for _ in range(rows))
    return pa.Array.from_buffers(kind, rows, [_validity(rows, random), pa.py_buffer(data)])


def _validity(rows: int, random: Random) -> pa.Buffer | None:
    return pa.py_buffer(random.randbytes((rows + 7) // 8)) if random.random() < 0.3 else None


def _texts(rows: int, random: Random) -> pa.Array:
    """Strings; sometimes bytes that are no UTF-8, which nobody checks."""
    found = [values.string(random).encode("utf-8", "surrogatepass") for _ in range(rows)]
    if random.random() < 0.2:
        found = [random.randbytes(random.randrange(9)) for _ in range(rows)]
    plain = pa.array([None if random.random() < 0.05 else one for one in found], pa.binary())
    kind = random.choice((pa.string(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary()))
    if kind == pa.string():
        return pa.Array.from_buffers(kind, rows, plain.buffers(), plain.null_count)
    if kind == pa.large_string():
        wide = plain.cast(pa.large_binary())
        return pa.Array.from_buffers(kind, rows, wide.buffers(), wide.null_count)
    return plain.cast(kind)


def _listed(rows: int, random: Random, depth: int) -> pa.Array:
    lengths = [random.choice((0, 1, 1, 2)) for _ in range(rows)]
    offsets = [sum(lengths[:place]) for place in range(rows + 1)]
    inside = array(offsets[-1], random, depth + 1)
    if random.random() < 0.2:
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inside)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inside)
