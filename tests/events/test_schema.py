from __future__ import annotations

import pyarrow as pa
import pytest

from overproof.events.schema import SCHEMA, event_table, unordered_fingerprint


def test_absent_columns_are_null_and_origins_count_from_one() -> None:
    table = event_table({"text": ["a", "b"], "label": ["x", None]})
    assert table.schema.equals(SCHEMA)
    assert table["origin"].to_pylist() == ["event:1", "event:2"]
    assert table["label"].to_pylist() == ["x", None]
    assert table["family"].null_count == table["group"].null_count == table["time"].null_count == 2
    table.validate(full=True)


def test_further_columns_are_appended() -> None:
    table = event_table({"text": ["a"], "origin": ["f:3"], "score": [0.5]})
    assert table.column_names == [*SCHEMA.names, "score"]
    assert table["origin"].to_pylist() == ["f:3"]
    assert table["score"].to_pylist() == [0.5]


def test_no_events_are_a_table_too() -> None:
    assert event_table({"text": []}).num_rows == 0


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        event_table({"text": ["a", "b"], "label": ["x"]})


def test_events_are_the_same_in_any_order() -> None:
    texts, labels = ["a", "b", "b"], ["x", None, "y"]
    found = unordered_fingerprint(texts, labels)
    assert found == unordered_fingerprint(texts[::-1], labels[::-1])
    assert found != unordered_fingerprint(texts, ["x", "y", "y"])
    assert found != unordered_fingerprint(texts[:2], labels[:2])
    assert len(found) == 64
