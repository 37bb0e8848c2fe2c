"""`--teacher ngram` trains a teacher on the run's own training events, and keeps it where `--full` finds it again."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.scores import softmax
from overproof.distillation.dataset import DatasetSplits, EventTables, split_dataset
from overproof.distillation.teachers import load_teacher
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.events.simulate import simulate
from overproof.jobs import ngram_teacher
from overproof.jobs.config import CompressConfig, DataConfig
from overproof.jobs.ngram_teacher import train_named
from overproof.progress import SILENT

WORDS = ["".join(letters) for letters in itertools.product("abcdefgh", "aeiou", "klmnprst", "xy")][:400]
CONFIG = CompressConfig(DataConfig(("events.csv",)), seed=3)


@pytest.fixture(scope="module")
def splits() -> DatasetSplits:
    unlabelled = event_table({"text": [f"unknown {n}" for n in range(40)]})
    return split_dataset(EventTables(simulate(900, seed=5).train, None, unlabelled), ("benign", "normal"))


def test_without_it_nothing_is_trained(splits: DatasetSplits, tmp_path: Path) -> None:
    specs = ["labels:soft.csv@2", "./ngram", "m:pipe"]
    assert train_named(specs, splits, CONFIG, out=tmp_path / "b.ngram-teacher", console=SILENT) == specs
    assert not list(tmp_path.iterdir())


def test_it_stands_for_a_folder_and_keeps_its_weight(
    splits: DatasetSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Any] = []
    monkeypatch.setattr(ngram_teacher, "train_encoder", lambda *args: trained.append(args))
    out = tmp_path / "b.ngram-teacher"
    assert train_named(["ngram"], splits, CONFIG, out=out, console=SILENT) == [str(out)]
    assert train_named(["ngram@0.00001"], splits, CONFIG, out=out, console=SILENT) == [f"{out}@0.00001"]
    teach, seen, place, _ = trained[0]
    assert (teach.preset, teach.seed, place) == ("ngram-student", 3, out)
    assert splits.train["label"].null_count == 40 and seen.train["label"].null_count == 0
    assert seen.train.num_rows == splits.train.num_rows - 40


def test_another_specification_that_means_nothing_is_refused_before_training(
    splits: DatasetSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngram_teacher, "train_encoder", lambda *_: pytest.fail("it trained"))
    with pytest.raises(InputError, match="nowhere: no such file"):
        train_named(["nowhere", "ngram"], splits, CONFIG, out=tmp_path / "t", console=SILENT)


def test_where_nothing_trains_it_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"ngram: only `compress --teacher` trains one; .*BUNDLE\.ngram-teacher"):
        load_teacher(["ngram"])


@pytest.mark.slow
def test_it_learns_the_training_events_and_its_average_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overproof.distillation.fit.LEAST_STEPS", 120)
    texts = [f"q={word}&page={n}" if n % 2 else f"id={n}' or {n}={n}--" for n, word in enumerate(WORDS)]
    labels = ["benign" if n % 2 else "sqli" for n in range(len(texts))]
    splits = split_dataset(EventTables(event_table({"text": texts, "label": labels})), ("benign",))
    out, soft = tmp_path / "b.ngram-teacher", tmp_path / "soft.csv"
    pyarrow.csv.write_csv(pa.table({"text": texts, "p_benign": [0.5] * 400, "p_sqli": [0.5] * 400}), soft)
    specs = train_named([f"{soft}@2", "ngram"], splits, CONFIG, out=out, console=SILENT)
    assert specs == [f"{soft}@2", str(out)]
    manifest = open_bundle(out).manifest
    assert manifest.network["preset"] == "ngram-student" and manifest.seed == 3
    assert manifest.data["sha256"]["train"] == splits.describe()["sha256"]["train"]  # type: ignore[index]
    assert manifest.teacher == {"kind": "labels"}

    both, alone = load_teacher(specs), load_teacher([str(out)])
    assert both.card.fingerprint == load_teacher([f"{soft}@1", f"{out}@0.5"]).card.fingerprint
    assert both.card.fingerprint != load_teacher([f"{soft}@1", f"{out}@1"]).card.fingerprint
    probabilities = softmax(alone.logits(splits.test))
    products = probabilities ** (1 / 3)  # the other one's are all the same
    assert np.allclose(softmax(both.logits(splits.test)), products / products.sum(axis=1, keepdims=True), atol=1e-5)
    told = np.array(alone.classes)[probabilities.argmax(axis=1)]
    assert told.tolist() == splits.test["label"].to_pylist()

    again = tmp_path / "again"
    train_named(["ngram"], splits, CONFIG, out=again, console=SILENT)
    assert load_teacher([str(again)]).card.fingerprint == alone.card.fingerprint, "the same events and seed"
