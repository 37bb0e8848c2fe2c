"""What a run learns from and is measured on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from overproof.distillation.dataset import DatasetSplits, as_examples, targets
from overproof.distillation.rare_families import rare_repeats
from overproof.distillation.training_set import UNLABELLED
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.jobs.config import DataConfig
from overproof.jobs.load import load_dataset
from overproof.progress import SILENT, terminal


def events(count: int = 200) -> pa.Table:
    names = ["benign", "sqli", "xss"]
    return event_table(
        {
            "text": [f"{names[i % 3]} {chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(count)],
            "label": [names[i % 3] for i in range(count)],
        }
    )


def made(table: Any, rejects: Path | None = None, **options: Any) -> DatasetSplits:
    return load_dataset(DataConfig(table, **options), rejects=rejects, console=SILENT)


def test_the_same_events_are_held_out_every_time() -> None:
    first, second = made(events()), made(events())
    assert first.test.equals(second.test)
    assert first.describe() == second.describe()
    rows: dict[str, int] = first.describe()["rows"]  # type: ignore[assignment]
    assert sum(rows.values()) == 200
    assert rows["test"] == first.test.num_rows == pytest.approx(40, abs=5)


def test_a_test_of_its_own_is_checked_for_leaks() -> None:
    table = events()
    splits = made(table, test=table.slice(0, 5))
    assert splits.leaked_templates == 5
    assert splits.train.num_rows + splits.validation.num_rows == 200


def test_unlabelled_events_train_only() -> None:
    pool = event_table({"text": ["new one", "new two"], "label": ["ignored", "too"]})
    splits = made(events(), unlabelled=pool)
    assert splits.describe()["unlabelled"] == 2
    assert splits.labels == ("benign", "sqli", "xss")
    assert (targets(splits.train, splits.labels) == UNLABELLED).sum() == 2


def test_the_kinds_of_record_that_are_learned_from_are_counted() -> None:
    requests = [f"HTTP GET /{letter} host=a" for letter in "abcdefghij"]
    pool = event_table({"text": [*requests, "ssh", "SSH client=x"]})
    splits = made(events(), unlabelled=pool, test=event_table({"text": ["flow a=1"], "label": ["xss"]}))
    assert splits.describe()["kinds"] == {"text": 201, "http": 10, "ssh": 1}


def test_families_that_are_held_out_are_not_learned_but_measured() -> None:
    table = events()
    splits = made(table, test=table.slice(0, 30), held_out=("xss",))
    assert "xss" not in splits.train["label"].to_pylist() + splits.validation["label"].to_pylist()
    assert "xss" in splits.test["label"].to_pylist()
    assert splits.train.num_rows + splits.validation.num_rows == 134


def test_labels_that_cannot_be_learned_are_refused() -> None:
    alike = events().set_column(1, "label", pa.array(["benign"] * 200))
    with pytest.raises(InputError, match="at least two"):
        made(alike)
    with pytest.raises(InputError, match=r"--benign.*benign, sqli, xss"):
        made(events(), benign=("harmless",))
    with pytest.raises(InputError, match="too few"):
        made(event_table({"text": ["a", "b"], "label": ["benign", "xss"]}))
    numbered = {"text": [f"{'page' if n % 2 else 'id='} {n % 10}" for n in range(120)], "label": ["benign", "xss"] * 60}
    with pytest.raises(InputError, match="120 events, of 2 templates, are too few"):
        made(event_table(numbered))


def test_skipped_records_are_counted_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    lines = [
        f"{t},{label}" for t, label in zip(events()["text"].to_pylist(), events()["label"].to_pylist(), strict=True)
    ]
    file.write_text("\n".join(["text,label", *lines, "too,many,fields", ""]))
    splits = made([file], rejects=tmp_path / "r.jsonl")
    assert sum(splits.skipped.values()) == 1
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1


def test_targets_follow_the_classes() -> None:
    table = event_table({"text": ["a", "b", "c"], "label": ["xss", None, "benign"]})
    np.testing.assert_array_equal(targets(table, ("benign", "xss")), [1, UNLABELLED, 0])


def test_an_event_whose_text_is_mostly_something_else_is_not_repeated_as_a_rare_family_is() -> None:
    texts = [
        *(f"benign {row}" for row in range(990)),
        *["false"] * 5,
        "false",
        *(f"<!ENTITY {row}" for row in range(4)),
    ]
    labels = [*["benign"] * 995, *["xxe"] * 5]
    examples = as_examples(event_table({"text": texts, "label": labels}), None, ("benign", "xxe"))
    repeats = rare_repeats(examples.kinds)
    assert repeats[995] == 1.0
    assert repeats[996:].tolist() == [2.5] * 4
    assert examples.targets[995] == 1, "its label stays"


def test_contradictory_events_are_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    table = events()
    doubled = pa.concat_tables([table, table.slice(0, 40).set_column(1, "label", pa.array(["sqli"] * 40))])
    splits = load_dataset(DataConfig(doubled), rejects=None, console=terminal())
    count = splits.describe()["contradictory"]
    assert isinstance(count, int) and count > 0
    assert f"{count} of the events to train have a text that others have under another label" in " ".join(
        capsys.readouterr().err.split()
    )
    assert made(table).describe()["contradictory"] == 0
