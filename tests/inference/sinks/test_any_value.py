"""Every sink takes every value that a source can yield: any JSON, any type of a table's column, under any name."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.bundle.runtime import OnnxScorer
from overproof.events.schema import overflowed
from overproof.events.sources import Rejects, read_events
from overproof.inference.cascade import Cascade
from overproof.inference.sinks import SINKS, About, VerdictBatch
from overproof.inference.sinks.fields import COLUMNS

from ...events.sources.test_cells import CELLS

ABOUT = About("0", ("benign",), {"student": "s", "full": None})
NAMES = st.sampled_from(
    [*COLUMNS, "kind", "x", "label", "time", "overflow", "group", "source", "event", "text.x", "\x00"]
)
HARD = [
    "\ud800",
    "\udfff\ud800",
    "\x00",
    "\u202e",
    "NaN",
    -(2**63),
    2**64,
    10**400,
    1e308,
    math.inf,
    -math.inf,
    math.nan,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(HARD),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(NAMES | st.text(st.characters(), max_size=4), JSON, max_size=5), min_size=1, max_size=5
)


def written(student: OnnxScorer, batches: Sequence[pa.RecordBatch]) -> int:
    """Judge events, and write the verdicts in every form; returns how many there are."""
    cascade, count = Cascade(student), 0
    with tempfile.TemporaryDirectory() as folder:
        writers = {name: sink.open(Path(folder) / name, 0, ABOUT) for name, sink in SINKS.items()}
        for batch in batches:
            scores = student.score(batch["text"].to_pylist())
            assert len(overflowed(batch)) == batch.num_rows
            decision = cascade.decide(scores)
            judged = VerdictBatch(batch, cascade.columns(scores, decision, None), np.arange(batch.num_rows), True)
            for writer in writers.values():
                writer.write(judged)
            count += batch.num_rows
        for name, writer in writers.items():
            writer.finish(Path(folder) / f"{name}.out")
            writer.close()
        for name in SINKS:
            content = (Path(folder) / f"{name}.out").read_bytes()
            if name == "parquet":
                table = pq.read_table(io.BytesIO(content))
                table.validate(full=True)
                rows = table.num_rows
                for event in table["event"].drop_null().to_pylist():
                    orjson.loads(event)
            elif name == "table":
                rows = sum(not line.startswith("    ") for line in content.decode().splitlines()[1:])
            else:
                rows = len([orjson.loads(line) for line in content.splitlines()])  # strict: UTF-8, no NaN
            assert rows == count, name
    return count


@settings(max_examples=60)
@given(RECORDS)
def test_any_json(student: OnnxScorer, records: list[dict[str, Any]]) -> None:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        lines = [
            json.dumps({**record, "text": f"event {i}"}).replace("Infinity", "1e400")
            for i, record in enumerate(records)
        ]
        file.write("\n".join(lines).encode("utf-8", "surrogatepass"))
        file.flush()
        rejects = Rejects()
        count = written(student, list(read_events([file.name], on_skip=rejects)))
    assert count + rejects.total == len(records) and count == len(records), rejects.summary()


ARRAYS = {
    **{name: array for name, (array, _) in CELLS.items()},
    "decimal256": pa.array([10**60, None], pa.decimal256(76, 2)),
    "a view": pa.array(["a\x00", None], pa.string_view()),
    "bytes in a view": pa.array([b"\xff", None], pa.binary_view()),
    "large integers": pa.array([2**64 - 1, None], pa.uint64()),
    "no numbers": pa.array([math.nan, math.inf]),
    "nulls": pa.nulls(2),
    "json": pa.array(['{"a": 1}', None], pa.json_()),
    "bool8": pa.array([1, None], pa.int8()).cast(pa.int8()).view(pa.bool8()) if hasattr(pa, "bool8") else pa.nulls(2),
    "categories in a struct": pa.StructArray.from_arrays([pa.array(["a", "b"]).dictionary_encode()], names=["c"]),
    "lists in maps": pa.array([[("a", [1])], None], pa.map_(pa.string(), pa.list_(pa.int64()))),
    "no struct": pa.array([{}, None], pa.struct([])),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_any_column(student: OnnxScorer, array: pa.Array, tmp_path: Path) -> None:
    for names in (["x", "kind", "label"], list(COLUMNS), ["time", "group", "overflow", "family"]):
        file, rejects = tmp_path / "a.parquet", Rejects()
        try:
            pq.write_table(pa.table({"text": ["a", "b"], **dict.fromkeys(names, array)}), file)
        except (pa.ArrowException, NotImplementedError):
            pytest.skip("Parquet has no such column")
        batches = list(read_events([file], on_skip=rejects))
        assert (written(student, batches), rejects.total) == (2, 0)
        assert {batch.schema.metadata[b"format"] for batch in batches} == {b"parquet"}


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400", "-1e400", "1" + "0" * 400, "1e-400", "-0"])
def test_no_number_of_zeek_ends_a_run(student: OnnxScorer, tmp_path: Path, number: str) -> None:
    whole = {"ts": 1.5, "uid": "C1", "id.orig_h": "1.2.3.4", "id.orig_p": 1, "id.resp_h": "1.2.3.5", "id.resp_p": 80}
    record = {**whole, "proto": "tcp", "duration": 1.0, "orig_bytes": 1, "resp_bytes": 2, "conn_state": "SF"}
    for name in ("ts", "id.orig_p", "duration", "orig_bytes"):
        file, rejects = tmp_path / "conn.log", Rejects()
        odd = json.dumps({**record, name: 0.125}).replace("0.125", number)
        file.write_text("\n".join([json.dumps(record), odd, json.dumps(record)]) + "\n")
        batches = list(read_events([file], on_skip=rejects))
        kinds = [kind for batch in batches for kind in batch["kind"].to_pylist()]
        assert written(student, batches) == len(kinds)
        assert kinds.count("zeek-conn") + rejects.total == 3  # and what is said of their host
