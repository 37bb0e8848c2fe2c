"""Parquet files that are small and would become large: bounded memory, the same events, nothing lost uncounted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects, parquet, parquet_pages, read_events
from overproof.events.sources.thrift import Compact

MIB = 1 << 20
PEAK = """
import resource, sys
import pyarrow.parquet
from overproof.events.sources import Rejects, read_events
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(batch.num_rows for batch in read_events([sys.argv[1]], on_skip=Rejects()))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
READ = """
import json, sys
from overproof.errors import InputError
from overproof.events.sources import read_events
reasons, events = [], 0
try:
    for batch in read_events([sys.argv[1]], on_skip=lambda one: reasons.append(one.reason)):
        events += batch.num_rows
except InputError as error:
    reasons.append(str(error))
print(json.dumps([events, reasons]))
"""
FOUND = Path(__file__).parents[3] / "fuzz" / "found"
HUGE = "x" * MIB


def long_list() -> pa.Table:
    return pa.table({"text": ["a", "b"], "l": pa.array([[7] * 50_000_000, [1]], pa.list_(pa.int64()))})


def long_texts(texts: list[str]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.large_string())})


def categories() -> pa.Table:
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 1000), pa.array([HUGE]))
    return pa.table({"text": [f"event {i}" for i in range(1000)], "c": one})


# Each takes a gigabyte, and is made where it is needed.
BOMBS: dict[str, tuple[Callable[[], pa.Table], dict[str, Any]]] = {
    "dictionary": (lambda: long_texts([HUGE] * 1000), {}),
    "categories": (categories, {}),
    "prefixes": (
        lambda: long_texts([HUGE] * 1000),
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    ),
    "a list": (long_list, {}),
    "one value a page": (
        lambda: long_texts([f"{i}{HUGE}" for i in range(1000)]),
        {"use_dictionary": False, "write_batch_size": 1},
    ),
}


def written(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", **options)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_does_not_hang_on_what_a_file_unpacks_to(bomb: str, tmp_path: Path) -> None:
    make, options = BOMBS[bomb]
    table = make()
    file = tmp_path / "a.parquet"
    file.write_bytes(written(table, **options))
    done = subprocess.run([sys.executable, "-c", PEAK, str(file)], capture_output=True, text=True, check=True)
    rows, added = map(int, done.stdout.split())
    assert rows == table.num_rows
    assert added < 900, f"{added} MiB for {file.stat().st_size} bytes"  # it was more than 2,000


def test_a_page_that_is_too_large_is_counted_with_its_rows(tmp_path: Path) -> None:
    file, rejects = tmp_path / "a.parquet", Rejects()
    small, large = pa.table({"text": ["a", "b"]}), pa.table({"text": [f"{i}{HUGE}" for i in range(200)]})
    with pq.ParquetWriter(file, small.schema, compression="zstd", use_dictionary=False) as writer:
        for table in (small, large, small):
            writer.write_table(table)
    batches = list(read_events([file], on_skip=rejects))
    assert [origin for batch in batches for origin in batch["origin"].to_pylist()] == [
        f"{file}:{row}" for row in (1, 2, 203, 204)
    ]
    assert rejects.summary() == {"row group 2 has a page or a list of more than 128 MiB: 200 rows, not read": 1}


def test_a_row_that_is_too_long_is_rejected_alone(tmp_path: Path) -> None:
    file, rejects = tmp_path / "a.parquet", Rejects()
    pq.write_table(pa.table({"text": ["a", "b", "c"], "more": ["", "x" * (17 * MIB), "y"]}), file)
    texts = [text for batch in read_events([file], on_skip=rejects) for text in batch["text"].to_pylist()]
    assert (texts, rejects.summary()) == (["a", "c"], {"longer than 16 MiB": 1})


def test_a_list_that_is_too_long_says_so_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(long_list(), file)
    (batch,) = read_events([file], on_skip=Rejects())
    assert batch["l"].to_pylist() == ["(a list of more than 128 MiB: not read)"] * 2
    pq.write_table(pa.table({"text": pa.array([[7] * 50_000_000], pa.list_(pa.int64()))}), file)
    with pytest.raises(InputError, match="holds list"):
        list(read_events([file], on_skip=Rejects()))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
VALUES = st.lists(st.tuples(TEXTS, st.integers(0, 9)), min_size=1, max_size=30)
OPTIONS = st.sampled_from(
    [
        {},
        {"use_dictionary": False},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
        {"data_page_version": "2.0", "compression": "gzip"},
        {"data_page_size": 10, "write_batch_size": 2, "row_group_size": 5, "compression": "none"},
    ]
)


@given(VALUES, OPTIONS, st.integers(1, 400))
def test_events_are_the_same_however_few_rows_are_read_together(
    values: list[tuple[str, int]], options: dict[str, object], at_once: int
) -> None:
    texts, counts = [text for text, _ in values], [count for _, count in values]
    kinds = pa.array(texts, pa.string()).dictionary_encode()
    columns = {"text": texts, "n": counts, "d": kinds, "s": [{"x": text} for text in texts]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_pages, "AT_ONCE", at_once)
        patch.setattr(parquet, "BATCH_BYTES", at_once)
        found = read_back(pa.table(columns), options)
    expected = read_back(pa.table(columns), options)
    assert [(t, n, d, s) for t, _, n, d, s in found] == [(t, n, d, s) for t, _, n, d, s in expected]
    assert [str(o).rpartition(":")[2] for _, o, *_ in found] == [str(i) for i in range(1, len(values) + 1)]
    assert [text for text, *_ in found] == texts


def read_back(table: pa.Table, options: dict[str, object]) -> list[tuple[object, ...]]:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pq.write_table(table, file.name, **options)
        batches = list(read_events([file.name], on_skip=Rejects()))
        return [
            tuple(row[name] for name in ("text", "origin", "n", "d", "s")) for b in batches for row in b.to_pylist()
        ]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_struct_are_refused(data: bytes) -> None:
    compact = Compact(data)
    try:
        found = compact.struct(parquet_pages.PAGE_HEADER)
    except ValueError:
        return
    assert 0 < compact.place <= len(data)
    assert all(isinstance(number, int) for number in found)


def test_a_footer_that_is_no_count_of_rows(tmp_path: Path) -> None:
    """It says minus four rows: neither event nor reject was counted, and nothing said why."""
    file = tmp_path / "a.parquet"
    file.write_bytes((FOUND / "table-invariant-fewer-rows-than-none" / "input.parquet").read_bytes())
    with pytest.raises(
        InputError, match=r"not a readable parquet file \(it is not clear how many rows it has: its foot"
    ):
        list(read_events([file], on_skip=Rejects()))


@pytest.mark.parametrize("found", ["events-crash-column-statistics", "table-crash-column-statistics"])
def test_statistics_that_are_damaged_do_not_end_the_process(found: str, tmp_path: Path) -> None:
    """pyarrow's own view of such a column is an exception of C++ that nobody takes."""
    file = tmp_path / "a.parquet"
    file.write_bytes((FOUND / found / "input.parquet").read_bytes())
    done = subprocess.run([sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events, reasons = json.loads(done.stdout)
    assert events + len(reasons) > 0
    view = f"import sys, pyarrow.parquet as pq; pq.ParquetFile({str(file)!r}).metadata.row_group(0).to_dict()"
    assert subprocess.run([sys.executable, "-c", view], capture_output=True, check=False).returncode < 0


def test_the_footer_says_where_columns_lie(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    table = pa.table({"text": [f"a{i % 7}" for i in range(5000)], "n": range(5000), "f": [1.5] * 5000})
    pq.write_table(table, file, row_group_size=2000, compression="snappy", use_dictionary=["text"])
    metadata = pq.ParquetFile(file).metadata
    with file.open("rb") as raw:
        groups = parquet_pages.footer(raw)
    assert len(groups) == metadata.num_row_groups == 3
    for number, group in enumerate(groups):
        for place, chunk in enumerate(group[1]):
            theirs, ours = metadata.row_group(number).column(place), chunk[3]
            assert (parquet_pages.CODECS[ours[4]], ours[5]) == (theirs.compression, theirs.num_values)
            assert (ours[7], ours[9]) == (theirs.total_compressed_size, theirs.data_page_offset)
            assert ours.get(11) == theirs.dictionary_page_offset
