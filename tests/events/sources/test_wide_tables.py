"""A table of very many columns is read by its fields, and says so."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.events.schema import SCHEMA
from overproof.events.sources import batch, load_events


def table(columns: int) -> pa.Table:
    return pa.table(
        {
            "label": ["x", None, "y"],
            **{f"c{i}": ["1", "2", "3"] for i in range(columns - 2)},
            "text": ["one", "two", "three"],
        }
    )


def written(path: Path, columns: int) -> Path:
    rows = table(columns)
    if path.suffix == ".parquet":
        pq.write_table(rows, path)
        return path
    delimiter = "\t" if path.suffix == ".tsv" else ","
    lines = [rows.column_names, *([value or "" for value in row.values()] for row in rows.to_pylist())]
    path.write_text("".join(delimiter.join(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_the_fields_of_a_table_with_too_many_columns(kind: str, tmp_path: Path) -> None:
    most = batch.MOST_COLUMNS
    few = load_events(written(tmp_path / f"few.{kind}", most))
    many = load_events(written(tmp_path / f"many.{kind}", most + 1))
    assert few.num_columns == len(SCHEMA) + most - 2 and "further" not in few.column_names
    assert many.column_names == [*SCHEMA.names, "further"]
    assert many["further"].to_pylist() == [f"({most + 1:,} columns, more than {most:,}: not read)"] * 3
    for name in ("text", "label"):
        assert many[name].to_pylist() == few[name].to_pylist()


def test_fields_inside_structs_count_as_columns(tmp_path: Path) -> None:
    wide = pa.array([{f"f{i}": i for i in range(batch.MOST_COLUMNS)}] * 2)
    pq.write_table(pa.table({"text": ["a", "b"], "wide": wide}), tmp_path / "w.parquet")
    events = load_events(tmp_path / "w.parquet")
    assert events.column_names == [*SCHEMA.names, "further"] and events["text"].to_pylist() == ["a", "b"]
