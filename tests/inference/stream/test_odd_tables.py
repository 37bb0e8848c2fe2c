"""No column of a table ends a run, says what was read, or makes a run's memory grow without end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overproof.bundle.tiers import Student
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.stream import Request, summary, triage

ODD = 1_700_000_000_123_456_789  # ns


def judged(student: Student, path: Path, out: Path) -> dict[str, Any]:
    return triage(Cascade(student, None, Policy()), Request((str(path),), str(out), with_text=True)).to_json()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """What pandas, Spark and others write: types that JSON has no form for, and names that mean something here."""
    path = tmp_path / "odd.parquet"
    twice = pa.StructArray.from_arrays([pa.array([1] * 2), pa.array([2] * 2)], names=["a", "a"])
    pq.write_table(
        pa.table(
            {
                "text": ["id=1", "id=2"],
                "kind": pa.array([1, 2]),
                "seen": pa.array([ODD, None], pa.timestamp("ns")),
                "far": pa.array([2**62, 0]).cast(pa.timestamp("us")),
                "took": pa.array([ODD, 0]).cast(pa.duration("ns")),
                "raw": [[b"\xff"], []],
                "twice": twice,
                "src_ip": pa.array([b"192.0.2.1", None]),
                "status": pa.array([ODD, 1]).cast(pa.timestamp("ns")),
                "host": twice,
            }
        ),
        path,
    )
    return path


@pytest.mark.parametrize("form", [".jsonl", ".parquet", ".ocsf.jsonl", ".ecs.jsonl"])
def test_a_table_of_any_types_is_judged_to_its_end(student: Student, table: Path, tmp_path: Path, form: str) -> None:
    counted = judged(student, table, tmp_path / f"out{form}")
    assert (counted["events"], counted["rejected"], counted["source"]) == (2, {}, {"parquet": 2})


def test_its_columns_stand_in_the_verdict_as_text(student: Student, table: Path, tmp_path: Path) -> None:
    judged(student, table, tmp_path / "out.jsonl")
    found = json.loads((tmp_path / "out.jsonl").read_bytes().splitlines()[0])
    assert found["source"] == "parquet"
    assert found["event"]["seen"] == "2023-11-14 22:13:20.123456789"
    assert (found["event"]["kind"], found["event"]["took"], found["event"]["raw"]) == (1, f"{ODD} ns", ["\\xff"])


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_column_named_kind_forges_no_source(student: Student, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("text,kind\nid=1,zeek-conn\n" if name.endswith("csv") else '{"text":"id=1","kind":"zeek-conn"}\n')
    counted = judged(student, path, tmp_path / "out.jsonl")
    assert counted["source"] == {name.split(".")[1]: 1}
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["event"] == {"kind": "zeek-conn"}


def test_names_that_an_input_chooses_are_counted_in_bounded_memory(student: Student, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    most, rest = summary.MOST_NAMES, 500
    lines = [{"text": f"id={i}", "family": f"{i:06d}" + "x" * 1000} for i in range(most + rest)]
    path.write_text("\n".join(map(json.dumps, [*lines, lines[0]])))
    families = Counter(judged(student, path, tmp_path / "out.jsonl")["family"])
    assert families.total() == most + rest + 1
    assert len(families) == most + 1
    assert families[summary.OTHERS] == rest and max(map(len, families)) == summary.LONGEST
    assert families["000000" + "x" * 193 + "…"] == 2
