"""Verdicts as rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from overproof.inference.sinks import SINKS, About, parquet
from overproof.inference.sinks.fields import COLUMNS

from .conftest import ESCALATED, EVENT, FULL, NO_NUMBERS, PLAIN, STUDENT, any_verdict, plain


def back(row: dict[str, Any]) -> dict[str, Any]:
    """The verdict that a row was made of."""

    def answer(who: str) -> dict[str, Any]:
        said = {"label": row[f"{who}_label"]}
        said |= {name: number(row[f"{who}_{name}"]) for name in ("attack", "confidence")}
        return said | {"probabilities": json.loads(row[f"{who}_probabilities"])}

    event = {name: row["http_status" if name == "status" else name] for name in COLUMNS}
    event = {name: value for name, value in event.items() if value is not None} | json.loads(row["event"] or "{}")
    verdict = {name: row[name] for name in parquet.SCHEMA.names[:9]}
    verdict["attack"] = number(row["attack"])
    verdict["student"] = answer("student") | {
        name: row[name] for name in ("windows", "overflow", "ood_distance", "tier")
    }
    verdict["full"] = None if row["full_label"] is None else answer("full")
    verdict["models"] = {"student": row["student_model"], "full": row["full_model"]}
    verdict |= {"event": event} if event else {}
    verdict |= {name: json.loads(row[name]) for name in ("spans", "campaign") if row[name] is not None}
    return verdict | {name: row[name] for name in ("text", "group", "excepted") if row[name] is not None}


def number(value: Any) -> Any:
    """A number as a column of 32 bits has it."""
    return None if value is None else np.float32(value)


@given(any_verdict())
def test_a_row_holds_the_whole_verdict(verdict: dict[str, Any]) -> None:
    (row,) = parquet.table([verdict]).to_pylist()
    for answer in (verdict, verdict["student"], verdict["full"] or {}):  # a column has 32 bits, whatever JSON says
        answer |= {name: number(answer[name]) for name in ("attack", "confidence") if name in answer}
    found, expected = plain(back(row)), plain(verdict)
    for name in ("excerpt", "family"):  # which verdicts in forms for analysts alone have
        expected.pop(name, None)
    for port in ("src_port", "dst_port", "status"):  # digits became a number
        if isinstance(found.get("event", {}).get(port), int) and not isinstance(expected["event"][port], int):
            expected["event"][port] = int(expected["event"][port])
    assert found == expected


def test_columns_of_a_row() -> None:
    plain, escalated = parquet.table([PLAIN, ESCALATED]).to_pylist()
    assert plain["full_label"] is plain["full_model"] is plain["event"] is plain["text"] is plain["group"] is None
    assert plain["student_probabilities"] == json.dumps(STUDENT["probabilities"], separators=(",", ":"))
    assert escalated["full_attack"] == FULL["attack"]
    assert escalated["http_status"] == 500 and escalated["status"] == "decided"
    assert {escalated[name] for name in ("src_ip", "dst_ip", "flow_id")} == {"192.0.2.7", "2001:db8::1", "C1a2b3"}
    assert escalated["event"] == '{"vlan":12}' and "vlan" in EVENT


def test_the_contract_names_every_column(root: Path) -> None:
    told = (root / "docs" / "verdict-schema.md").read_text().partition("## Parquet")[2]
    assert [name for name in parquet.SCHEMA.names if f"`{name}`" not in told] == []


def written(folder: Path, about: About, verdicts: list[dict[str, Any]], parts: int) -> pq.ParquetFile:
    """A finished file, of verdicts that were flushed in so many parts."""
    writer = SINKS["parquet"].open(folder / "aside", 0, about)
    for part in range(parts):
        writer.write(verdicts[part::parts])
        assert writer.flush() == part + 1
    writer.finish(folder / "verdicts.parquet")
    return pq.ParquetFile(folder / "verdicts.parquet")


def test_the_file_has_plain_types_zstd_and_few_row_groups(
    about: About, verdicts: Callable[[int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    with written(tmp_path, about, verdicts(100), parts=10) as file:
        assert file.schema_arrow.equals(parquet.SCHEMA)
        assert file.num_row_groups == 1
        compressions = {file.metadata.row_group(0).column(i).compression for i in range(file.metadata.num_columns)}
        assert compressions == {"ZSTD"}
        kinds = {file.schema.column(i).physical_type for i in range(len(file.schema))}
        assert kinds == {"BYTE_ARRAY", "FLOAT", "INT32", "INT64", "BOOLEAN"}
        assert all(file.schema.column(i).max_repetition_level == 0 for i in range(len(file.schema)))
        assert file.read().num_rows == 100


def test_row_groups_are_bounded(
    about: About,
    verdicts: Callable[[int], list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 25)
    with written(tmp_path, about, verdicts(100), parts=10) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [30, 30, 30, 10]


def test_what_waits_for_a_flush_is_bounded(
    about: About, verdicts: Callable[[int], list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PART_BYTES", 10_000)
    writer = SINKS["parquet"].open(tmp_path / "aside", 0, about)
    for _ in range(10):
        writer.write(verdicts(20))
    assert writer.flush() > 2
    writer.finish(tmp_path / "verdicts.parquet")
    assert pq.read_metadata(tmp_path / "verdicts.parquet").num_rows == 200


def test_rows_are_selected_by_a_reader_without_reading_the_rest(
    about: About, verdicts: Callable[[int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    written(tmp_path, about, verdicts(30), parts=3).close()
    found = pq.read_table(
        tmp_path / "verdicts.parquet", columns=["origin", "attack"], filters=pc.field("decided_by") == "full"
    )
    assert found.num_rows == 20 and pa.types.is_float32(found.schema.field("attack").type)


@pytest.mark.parametrize("reader", ["duckdb", "polars"])
def test_other_readers_see_the_same_rows(
    reader: str, about: About, verdicts: Callable[[int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    written(tmp_path, about, verdicts(30), parts=3).close()
    path = tmp_path / "verdicts.parquet"
    expected = pq.read_table(path).to_pylist()
    if reader == "duckdb":
        import duckdb

        with duckdb.connect() as connection:
            found = connection.sql(f"select * from '{path}'").fetchall()
        assert [dict(zip(parquet.SCHEMA.names, row, strict=True)) for row in found] == expected
    else:
        import polars

        assert polars.read_parquet(path).to_dicts() == expected


def test_scores_that_are_no_numbers_are_nulls(about: About, tmp_path: Path) -> None:
    (row,) = written(tmp_path, about, [NO_NUMBERS], 1).read().to_pylist()
    nulls = ("label", "attack", "student_label", "student_attack", "student_confidence", "ood_distance")
    assert [row[name] for name in nulls] == [None] * len(nulls)
    assert row["status"] == "abstained"
