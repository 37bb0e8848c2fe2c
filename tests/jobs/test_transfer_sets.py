"""What the student learns from besides the events: who labels it, and that test events are no part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from overproof.bundle.scores import Floats
from overproof.distillation.teachers import Report, TeacherCard
from overproof.distillation.training_set import UNLABELLED
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.events.split import template
from overproof.jobs.compress import load
from overproof.jobs.compression import CompressRun, Outputs
from overproof.jobs.config import CompressConfig, DataConfig, DistillConfig, RunOptions
from overproof.jobs.label import label
from overproof.progress import SILENT, Console

TEXTS = [f"q=blue shoe {chr(97 + n % 26)}{chr(97 + n // 26)}" if n % 2 else f"id={n}' or {n}={n}--" for n in range(300)]
EVENTS = event_table({"text": TEXTS, "label": ["benign" if n % 2 else "sqli" for n in range(300)]})


class Quotes:
    """Calls an attack what holds a quote, and remembers what it was asked about."""

    classes = ("benign", "sqli")
    labels_new_events = True
    card = TeacherCard("fixed", "quotes", None, None, "python", None)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        texts = events["text"].to_pylist()
        self.asked += texts
        return np.array([[0, 4] if "'" in text else [4, 0] for text in texts], dtype=np.float32)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the user's text, with all events in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    pyarrow.csv.write_csv(EVENTS.select(["text", "label"]), folder / "events.csv")
    words = (f"it's {chr(97 + n % 26)}{chr(97 + n // 26 % 26)} and {chr(97 + n // 676)} else\n" for n in range(4000))
    (folder / "prose.txt").write_text("".join(words) + "\n".join(TEXTS))
    return folder


def run_of(mine: Path, tmp_path: Path, teacher: Any = None, **distill: Any) -> CompressRun:
    config = CompressConfig(DataConfig((mine / "events.csv",)), DistillConfig("tiny-student", transfer=0, **distill))
    options = RunOptions(cache=tmp_path / "cache")
    return CompressRun(config, teacher or Quotes(), Outputs(tmp_path / "bundle"), options)


def test_the_teacher_alone_labels_the_pool_and_nothing_that_is_derived(mine: Path, tmp_path: Path) -> None:
    run = run_of(mine, tmp_path, consistency=0.5, joined=0.25, pool=60, pool_from=(str(mine),))
    loaded = load(run)
    examples = label(run, loaded).train
    rows = loaded.splits.train.num_rows
    assert len(examples.texts) == rows + 60 + int(0.5 * rows) + int(0.25 * rows)
    assert loaded.pool is not None and loaded.description["pool"] == loaded.pool.describe()
    pool = slice(rows, rows + 60)
    assert list(examples.texts[pool]) == list(loaded.pool.texts)
    assert set(examples.targets[pool].tolist()) == {UNLABELLED} and set(examples.kinds[pool]) == {None}
    assert examples.soft is not None and len(examples.soft) == len(examples.texts)
    for text, soft in zip(examples.texts[pool], examples.soft[pool], strict=True):
        assert soft.argmax() == ("'" in text)

    derived = slice(rows + 60, None)
    assert np.array_equal(examples.targets[derived], examples.soft[derived].argmax(axis=1))
    assert isinstance(run.teacher, Quotes)
    assert not set(examples.texts[derived]) & set(run.teacher.asked)


def test_nothing_is_of_test_or_validation_events(mine: Path, tmp_path: Path) -> None:
    run = run_of(mine, tmp_path, consistency=1, joined=1, pool=400, pool_from=(str(mine),))
    loaded = load(run)
    examples = label(run, loaded).train
    held_back = {template(t) for p in (loaded.splits.validation, loaded.splits.test) for t in p["text"].to_pylist()}
    assert not held_back & {template(text) for text in examples.texts}
    assert not any(",sqli" in text or '","benign' in text for text in loaded.pool.texts)  # type: ignore[union-attr]


def test_a_pool_by_disagreement_is_as_large_and_drawn_from_more(mine: Path, tmp_path: Path) -> None:
    run = run_of(mine, tmp_path, pool=50, pool_from=(str(mine),), pool_choice="disagreement")
    loaded = load(run)
    examples = label(run, loaded).train
    assert loaded.pool is not None and len(loaded.pool.texts) == 200
    kept = examples.texts[loaded.splits.train.num_rows :]
    assert len(kept) == 50 and set(kept) < set(loaded.pool.texts)


def test_soft_labels_from_elsewhere_refuse_a_pool_and_allow_the_rest(mine: Path, tmp_path: Path) -> None:
    soft = tmp_path / "soft.csv"
    columns = {name: [0.5] * len(TEXTS) for name in ("p_benign", "p_sqli")}
    pyarrow.csv.write_csv(pa.table({"text": TEXTS, **columns}), soft)
    run = run_of(mine, tmp_path, str(soft), pool=5)
    with pytest.raises(InputError, match=r"--pool 5: .*soft\.csv holds soft labels that were computed elsewhere"):
        load(run)
    run = run_of(mine, tmp_path, str(soft), consistency=1)
    assert len(label(run, load(run)).train.texts) == 2 * load(run).splits.train.num_rows


def test_a_class_that_no_event_has_is_told(mine: Path, tmp_path: Path) -> None:
    """The student got a class that it can never give, without a word."""

    class More(Quotes):
        classes = ("benign", "sqli", "xss")

        def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
            two = super().logits(events)
            never = np.full((len(two), 1), np.log(1e-7), dtype=np.float32)
            return np.concatenate([two - 4.02, never], axis=1)

    said: list[str] = []
    run = run_of(mine, tmp_path, More())
    run = replace(run, options=replace(run.options, console=Console(said.append, SILENT.progress)))
    label(run, load(run))
    assert [line for line in said if "probability" in line] == [
        "teacher quotes: gives no training event any probability of xss; the student has a class for it all the same"
    ]
