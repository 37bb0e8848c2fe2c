from __future__ import annotations

import json
from pathlib import Path

import pytest

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources import Rejects


def test_counts_by_reason_and_keeps_the_first_of_each() -> None:
    rejects = Rejects(examples=2)
    for line in range(5):
        rejects(Skipped("a", f"f:{line}", "x"))
    rejects(Skipped("b", "f:9", "y"))
    assert rejects.total == 6
    assert rejects.summary() == {"a": 5, "b": 1}
    assert [skipped.origin for skipped in rejects.first] == ["f:0", "f:1", "f:9"]
    assert str(rejects) == "6 skipped: a (5, first f:0); b (1, first f:9)"
    assert str(Rejects()) == "0 skipped"


def test_the_file_gets_its_name_at_the_end_and_holds_every_record(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    records = [Skipped("a", "f:1", 'lone \ud800, quote ", nul \0, newline \n'), Skipped("b", "f:2", "")]
    with Rejects(path) as rejects:
        for record in records:
            rejects(record)
        assert not path.exists()
    assert [Skipped(**json.loads(line)) for line in path.read_text().splitlines()] == records
    assert list(tmp_path.iterdir()) == [path]
    rejects.close()  # a second time does nothing


def test_the_file_is_kept_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(InputError), Rejects(tmp_path / "r") as rejects:
        rejects(Skipped("a", "f:1", "x"))
        raise InputError("no usable event")
    assert json.loads((tmp_path / "r").read_text())["reason"] == "a"


def test_a_file_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        Rejects(tmp_path / "no" / "such" / "folder")


def test_reasons_that_quote_the_input_take_bounded_memory() -> None:
    rejects = Rejects()
    for i in range(3000):
        rejects(Skipped(f"{i} is odd {'x' * 10_000}", "a:1", ""))
    rejects(Skipped("1 is odd " + "x" * 10_000, "a:2", ""))
    counts = rejects.summary()
    assert (len(counts), rejects.total, counts["(others)"]) == (1001, 3001, 2000)
    assert max(map(len, counts)) == 500
    assert "(others) (2000, first a:1)" in str(rejects)
