from __future__ import annotations

import datetime
import decimal
import io
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns
from overproof.events.sources.cells import plain_array, texts
from overproof.inference.sinks import json_columns

BAD = pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers())  # not UTF-8
ODD = 1_700_000_000_123_456_789  # ns


def whole(values: list[Any], kind: pa.DataType, by: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, by or pa.int64()).cast(kind)


CELLS = {
    "odd nanoseconds": (whole([ODD, 0], pa.timestamp("ns")), "2023-11-14 22:13:20.123456789"),
    "with a zone": (whole([ODD, 0], pa.timestamp("ns", "UTC")), "2023-11-14 22:13:20.123456789Z"),
    "an unknown zone": (whole([ODD, 0], pa.timestamp("ns", "No/Where")), "2023-11-14 22:13:20.123456789Z"),
    "beyond the year 9999": (whole([2**62, 0], pa.timestamp("us")), "<value out of range: 4611686018427387904>"),
    "a date beyond it": (whole([2**30, 0], pa.date32(), pa.int32()), "<value out of range: 1073741824>"),
    "no time of day": (whole([-7, 0], pa.time32("ms"), pa.int32()), "<value out of range: -7>"),
    "odd time of day": (whole([1, 0], pa.time64("ns")), "00:00:00.000000001"),
    "a duration": (whole([5, 0], pa.duration("ns")), "5 ns"),
    "a long duration": (whole([2**62, 0], pa.duration("s")), "4611686018427387904 s"),
    "a decimal": (pa.array([decimal.Decimal("1.50"), None]), "1.50"),
    "half precision": (pa.array([1.5, None], pa.float16()), 1.5),
    "bytes": (pa.array([b"\xff", None]), "\\xff"),
    "bytes in a list": (pa.array([[b"\xff"], None]), ["\\xff"]),
    "bytes in a struct": (pa.array([{"a": {"b": b"\xff"}}, None]), {"a": {"b": "\\xff"}}),
    "times in a list": (pa.array([[ODD], None], pa.list_(pa.timestamp("ns"))), ["2023-11-14 22:13:20.123456789"]),
    "durations in a list": (pa.array([[5], None], pa.list_(pa.duration("ms"))), ["5 ms"]),
    "one name twice": (
        pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"]), '[["a", 1], ["a", 3]]',
    ),
    "a map": (pa.array([[("a", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int64())),
              '[{"key": "a", "value": 1}, {"key": "a", "value": 2}]'),
    "as many each": (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), [1, 2]),
    "encoded": (whole([ODD, 0], pa.timestamp("ns")).dictionary_encode(), "2023-11-14 22:13:20.123456789"),
    "not UTF-8": (BAD, "a"),
    "not UTF-8 in a list": (pa.ListArray.from_arrays([0, 2], BAD), ["a", "\\xff"]),
    "an identifier": (pa.array([b"\x01" * 16, None], pa.uuid()), "01010101-0101-0101-0101-010101010101"),
}  # fmt: skip


@pytest.mark.parametrize(("array", "first"), CELLS.values(), ids=CELLS)
def test_a_cell_of_any_type_is_a_plain_value_and_a_text(read, array: pa.Array, first: object) -> None:
    plain = plain_array(array)
    assert plain.to_pylist()[0] == first
    orjson.dumps(plain.to_pylist())  # what the outputs do, without a fallback
    assert plain_array(array[1:]).type == plain_array(array[:0]).type == plain.type
    text = texts(array)[0]
    assert text == (first if isinstance(first, str) else text) and isinstance(text, str)

    out = io.BytesIO()
    rest = ["x"] * len(array)
    pq.write_table(pa.table({"text": rest, "x": array, "label": array, "time": array}), out)
    table, rejects = read("a.parquet", out.getvalue())
    assert rejects.total == 0 and table["x"].to_pylist()[0] == first and table["label"].to_pylist()[0] == text


def test_plain_values_stay_as_they_are() -> None:
    for array in (pa.array([1, None]), pa.array(["a"]), pa.array([[{"a": [1.5], "b": "x"}], None]), pa.nulls(2)):
        assert plain_array(array) is array


def test_columns_inside_structs_can_be_named(read) -> None:
    out = io.BytesIO()
    events = [{"original": "GET /?id=1", "code": 4}, None, {"original": None, "code": 5}]
    message = ["a", "b", "c"]
    pq.write_table(pa.table({"event": events, "n": [1, 2, 3], "seen.at": [1, 2, 3], "message": message}), out)
    table, rejects = read("a.parquet", out.getvalue(), columns=Columns(text="event.original", label="event.code"))
    assert table.select(["text", "label", "n"]).to_pylist() == [{"text": "GET /?id=1", "label": "4", "n": 1}]
    assert rejects.summary() == {"text is null": 2}
    table, _ = read("a.parquet", out.getvalue(), columns=Columns(time="seen.at"))
    assert table["text"].to_pylist() == message and table["time"].to_pylist() == ["1", "2", "3"]
    with pytest.raises(InputError, match=r"no column 'event\.x'; found 'event', 'event\.original', 'event\.code', 'n'"):
        read("a.parquet", out.getvalue(), columns=Columns(text="event.x"))
    with pytest.raises(InputError, match=r"column 'event' holds struct<.*name another with --text.*'event\.original'"):
        read("a.parquet", out.getvalue(), columns=Columns(text="event"))


def test_the_text_of_a_table_is_a_column_that_holds_text(read) -> None:
    out = io.BytesIO()
    when = datetime.datetime(2024, 5, 6)
    pq.write_table(pa.table({"request": [{"uri": "/"}], "event": [{"original": "raw"}], "@timestamp": [when]}), out)
    table, _ = read("a.parquet", out.getvalue())
    assert table.select(["text", "time"]).to_pylist() == [{"text": "raw", "time": "2024-05-06 00:00:00.000000"}]


UNITS = ("s", "ms", "us", "ns")
WIDE = [
    *(pa.int64(), pa.uint64(), pa.float64(), pa.date64(), pa.time64("ns"), pa.time64("us")),
    *(pa.timestamp("ns", "No/Where"), *map(pa.duration, UNITS), *map(pa.timestamp, UNITS)),
    *(pa.timestamp(unit, "UTC") for unit in UNITS),
]
NARROW = [pa.int32(), pa.uint32(), pa.float32(), pa.date32(), pa.time32("s"), pa.time32("ms")]


@st.composite
def columns(draw: st.DrawFn, n: int, levels: int = 2) -> pa.Array:
    """An array of n cells of any type and of any bits."""
    form = draw(st.sampled_from(["wide", "narrow", "bytes", "dictionary", *(["list", "struct", "map"] * bool(levels))]))
    if form == "bytes":
        kind = draw(st.sampled_from([pa.binary(), pa.string(), pa.large_string()]))
        found = pa.array(draw(some(st.none() | st.binary(max_size=3), n)), pa.binary())
        return pa.Array.from_buffers(
            kind, n, found.cast(pa.large_binary() if kind == pa.large_string() else pa.binary()).buffers()
        )
    if form in ("wide", "narrow", "dictionary"):
        size = 31 if form == "narrow" else 63
        bits = pa.array(draw(some(st.none() | st.integers(-(1 << size), (1 << size) - 1), n)), f"int{size + 1}")
        viewed = bits.view(draw(st.sampled_from(NARROW if form == "narrow" else WIDE)))
        return viewed.dictionary_encode() if form == "dictionary" else viewed
    inner = [draw(columns(n, levels - 1)) for _ in range(2)]
    if form == "struct":
        return pa.StructArray.from_arrays(inner, names=draw(st.sampled_from([["a", "b"], ["a", "a"]])))
    offsets = pa.array(range(n + 1), pa.int32())
    if form == "map":
        return pa.MapArray.from_arrays(offsets, pa.array(range(n)), inner[0])
    return pa.ListArray.from_arrays(offsets, inner[0])


def some(values: st.SearchStrategy[Any], n: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=n, max_size=n)


@given(st.integers(1, 4).flatmap(columns))
def test_any_bits_of_any_type_have_a_text_and_a_plain_value(array: pa.Array) -> None:
    plain = plain_array(array)
    assert len(plain) == len(array) == len(orjson.loads(orjson.dumps(plain.to_pylist())))
    assert len(json_columns.values(plain)) == len(array)  # as outputs write it
    assert plain_array(array[1:]).type == plain.type
    found = texts(array)
    assert len(found) == len(array) and all(text is None or text.encode() is not None for text in found)
