from __future__ import annotations

import datetime
import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, read_events


def written(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


@given(st.lists(st.tuples(st.none() | st.text(st.characters(exclude_categories=["Cs"])), st.floats()), max_size=20))
def test_what_pyarrow_writes_is_read_back(read, rows: list[tuple[str | None, float]]) -> None:
    expected = pa.table({"text": pa.array([r[0] for r in rows], pa.string()), "score": [r[1] for r in rows]})
    usable = [row for row in rows if row[0]]
    rejects = Rejects()
    if not usable:
        with pytest.raises(InputError, match="no usable event"):
            read("a.parquet", written(expected), rejects)
    else:
        table, _ = read("a.parquet", written(expected), rejects)
        assert table["text"].to_pylist() == [text for text, _ in usable]
        numbers = [number for number, row in enumerate(rows, 1) if row[0]]
        assert [int(origin.rsplit(":", 1)[1]) for origin in table["origin"].to_pylist()] == numbers
        kept = expected.filter(pa.array([bool(text) for text, _ in rows]))["score"].combine_chunks()
        assert table["score"].combine_chunks().cast(kept.type).equals(kept) or "nan" in str(rows)
    assert rejects.total == len(rows) - len(usable)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([b"a", b"\xff"]), ["a", "\\xff"]),
        (pa.array([b"ab", b"\xffc"], pa.binary(2)), ["ab", "\\xffc"]),
        (pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers()), ["a", "\\xff"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([1, 2]), ["1", "2"]),
        (pa.array([True, False]), ["true", "false"]),
    ],
)
def test_texts_of_any_flat_type(read, column: pa.Array, texts: list[str]) -> None:
    table, _ = read("a.parquet", written(pa.table({"text": column, "label": column, "more": column})))
    assert table["text"].to_pylist() == table["label"].to_pylist() == texts


def test_other_columns_stay_as_they_are_and_times_become_text(read) -> None:
    when = datetime.datetime(2024, 5, 6, 7, 8, 9)
    given = pa.table({"text": ["a", None, "c"], "time": [when] * 3, "n": [1, 2, 3], "deep": [[1], [], None]})
    table, rejects = read("a.parquet", written(given))
    assert table["time"].to_pylist() == ["2024-05-06 07:08:09.000000"] * 2
    assert table["n"].to_pylist() == [1, 3]
    assert table["deep"].to_pylist() == [[1], None]
    (skipped,) = rejects.first
    assert (skipped.reason, skipped.origin.rsplit(":", 1)[1]) == ("text is null", "2")
    assert '"time": "2024-05-06' in skipped.raw


def test_row_batches_and_no_further_columns(folder) -> None:
    path = folder / "many.parquet"
    path.write_bytes(written(pa.table({"a": ["x"] * 10, "n": range(10)}), row_group_size=3))
    batches = list(read_events(path, columns=Columns(text="a"), on_skip=Rejects(), batch_rows=4, extra=False))
    assert all(batch.num_rows <= 4 for batch in batches)
    assert pa.Table.from_batches(batches)["origin"].to_pylist() == [f"{path}:{row}" for row in range(1, 11)]


def test_what_is_no_usable_table_is_an_input_error(read) -> None:
    whole = written(pa.table({"text": ["a"]}))
    cases: list[tuple[str, bytes, Callable[[], str] | str]] = [
        ("a.parquet", whole[:-10], "not a readable parquet file"),
        ("a.parquet", b"PAR1", "not a readable parquet file"),
        ("a.parquet.gz", pa.compress(whole, codec="gzip", asbytes=True), "from an uncompressed file only"),
        ("a.parquet", written(pa.table({"text": [["a"]]})), "text column 'text' holds list"),
        ("a.parquet", written(pa.table({"x": ["a"]})), "no text column"),
        ("a.parquet", written(pa.table({"text": pa.array([], pa.string())})), "no usable event"),
    ]
    for name, data, why in cases:
        with pytest.raises(InputError, match=why):
            read(name, data)


WHOLE = written(
    pa.table({"text": [f"event {i}" for i in range(300)], "label": ["x", "y", "z"] * 100}), row_group_size=50
)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_gives_events_or_an_input_error(read, at: int, damage: bytes) -> None:
    try:
        table, _ = read("damaged.parquet", WHOLE[:at] + damage + WHOLE[at + len(damage) :])
    except InputError as error:
        assert "damaged.parquet" in str(error)
    else:
        assert table.num_rows <= 300


def test_a_damaged_group_loses_its_own_rows_and_says_so_in_rows(folder) -> None:
    at = pq.ParquetFile(io.BytesIO(WHOLE)).metadata.row_group(1).column(0).data_page_offset
    path = folder / "damaged.parquet"
    path.write_bytes(WHOLE[:at] + b"\xff" * 8 + WHOLE[at + 8 :])
    rejects = Rejects()
    batches = list(read_events(path, on_skip=rejects, batch_rows=50))
    read = sum(batch.num_rows for batch in batches)
    groups = pq.ParquetFile(io.BytesIO(WHOLE)).metadata
    assert read == 300 - groups.row_group(1).num_rows
    (reason,) = rejects.summary()
    assert reason.startswith(f"the input breaks off, {300 - read} rows before the end of its group: ")
    last = batches[-1].column("origin")[-1].as_py()
    assert last == f"{path}:300"


@pytest.mark.parametrize("batch_rows", [1, 3, 2048])
def test_nested_columns_that_arrow_does_not_join_across_groups(folder, batch_rows: int) -> None:
    inside = pa.array(["a", "b", "a", None, "b", "c", "a"]).dictionary_encode()
    struct = pa.StructArray.from_arrays([inside, pa.array([[1]] * 7)], ["word", "list"])
    path = folder / "nested.parquet"
    path.write_bytes(written(pa.table({"text": list("tuvwxyz"), "struct": struct}), row_group_size=2))
    with pytest.raises(NotImplementedError):
        list(pq.ParquetFile(path).iter_batches(7))
    rejects = Rejects()
    batches = list(read_events(path, on_skip=rejects, batch_rows=batch_rows))
    events = [row for batch in batches for row in batch.select(["text", "origin", "struct"]).to_pylist()]
    assert [event["text"] for event in events] == list("tuvwxyz") and rejects.total == 0
    assert [event["origin"] for event in events] == [f"{path}:{row}" for row in range(1, 8)]
    assert [event["struct"]["word"] for event in events] == inside.to_pylist()
