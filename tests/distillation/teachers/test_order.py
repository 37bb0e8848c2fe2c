"""Soft labels without texts belong to the events as they were read, not as they were split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from overproof.distillation.teachers import load_teacher
from overproof.distillation.teachers.order import ORDER, numbered
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.jobs.config import DataConfig
from overproof.jobs.load import load_dataset
from overproof.progress import SILENT

CASE = Path(__file__).parents[2] / "cases" / "58-soft-labels-by-order"
EVENTS = str(CASE / "events.csv")


def told(soft: Path, *tables: pa.Table) -> list[list[str]]:
    """What the soft labels say of each table's events."""
    teacher = load_teacher([f"labels:{soft}"])
    return [[teacher.classes[best] for best in teacher.logits(table).argmax(axis=1)] for table in tables]


@pytest.mark.parametrize("name", ["notext.csv", "shuffled-payload.csv"])
@pytest.mark.parametrize("held_out", [(), ("sqli",)])
def test_every_part_of_a_split_has_the_labels_of_its_events(name: str, held_out: tuple[str, ...]) -> None:
    """By order, or by `payload`, whatever events are left out or held out."""
    splits = load_dataset(DataConfig((EVENTS,), benign=("normal",), held_out=held_out), rejects=None, console=SILENT)
    parts = [splits.train, splits.validation, splits.test]
    lines = (CASE / "events.csv").read_text().splitlines(keepends=True)
    left_out = sum(f",{family}\n" in line for line in lines for family in held_out)
    assert sum(part.num_rows for part in parts) == 120 - left_out
    assert bool(left_out) == bool(held_out)
    assert told(CASE / name, *parts) == [part["label"].to_pylist() for part in parts]


def test_the_test_set_comes_after_the_events(tmp_path: Path) -> None:
    head, *lines = (CASE / "events.csv").read_text().splitlines(keepends=True)
    (tmp_path / "train.csv").write_text(head + "".join(lines[:90]))
    (tmp_path / "test.csv").write_text(head + "".join(lines[90:]))
    data = DataConfig((str(tmp_path / "train.csv"),), (str(tmp_path / "test.csv"),), benign=("normal",))
    splits = load_dataset(data, rejects=None, console=SILENT)
    parts = [splits.train, splits.validation, splits.test]
    assert told(CASE / "notext.csv", *parts) == [part["label"].to_pylist() for part in parts]


def test_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    lines = (CASE / "notext.csv").read_text().splitlines(keepends=True)
    (tmp_path / "short.csv").write_text("".join(lines[:-1]))
    splits = load_dataset(DataConfig((EVENTS,), benign=("normal",)), rejects=None, console=SILENT)
    with pytest.raises(InputError, match="no text column and 119 rows for 120 events; to be joined by order"):
        load_teacher([f"labels:{tmp_path / 'short.csv'}"]).logits(splits.test)


def test_a_column_that_may_be_the_text_is_not_joined_by_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("body,p_a,p_b\nx,0.1,0.9\n")
    with pytest.raises(InputError, match=r"looked for text, payload, .*if 'body' is the text, name it `text`"):
        load_teacher([f"labels:{tmp_path / 'a.csv'}"])
    (tmp_path / "b.csv").write_text("id,p_a,p_b\n7,0.1,0.9\n")
    assert np.allclose(
        np.exp(load_teacher([f"labels:{tmp_path / 'b.csv'}"]).logits(event_table({"text": ["x"]}))), [[0.1, 0.9]]
    )


@pytest.mark.parametrize("name", ["payload", "Message", "request", "event.original"])
def test_the_text_is_found_as_in_a_table_of_events(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{name},benign,command\ny,1,0\nx,0.1,0.9\n")  # a class may be named so too
    teacher = load_teacher([f"labels:{tmp_path / 'a.csv'}"])
    assert teacher.classes == ("benign", "command")
    assert np.allclose(np.exp(teacher.logits(event_table({"text": ["x", "y"]}))), [[0.1, 0.9], [1, 0]], atol=1e-6)


def test_tables_are_numbered_once() -> None:
    tables = [event_table({"text": ["a", "b"]}), None, event_table({"text": ["c"]})]
    found = numbered(tables)
    assert [None if table is None else table[ORDER].to_pylist() for table in found] == [
        [{"row": 0, "of": 3}, {"row": 1, "of": 3}],
        None,
        [{"row": 2, "of": 3}],
    ]
    assert numbered(found) == found
