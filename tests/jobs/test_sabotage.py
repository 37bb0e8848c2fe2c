"""The test of the checklist itself: real payloads, a healthy student, and three that were ruined on purpose.

Accuracy hardly sees what was done to them. The rare-family check must.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import overproof
from overproof.bundle.scores import Floats
from overproof.checks.base import QUANTIZED
from overproof.distillation.baseline import Baseline, fit_baseline
from overproof.distillation.teachers import TeacherCard

pytestmark = pytest.mark.slow

RARE = "format-string"  # 43 rows to train on, 15 to test on: 0.13 % of the test events
MOVED = 0.002
LEARNED = 5000
CARD = TeacherCard("test", "n-grams", None, None, "python", None)


@dataclass(frozen=True)
class Linear:
    """The n-gram model as the full one: strong on these payloads, and made in seconds."""

    model: Baseline
    card: TeacherCard = CARD
    labels_new_events: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's."""
        return self.model.classes

    def logits(self, events: pa.Table, report: Any = None) -> Floats:
        """Ten times as sharp as the linear model's, whose probabilities are timid."""
        return 3 * self.model.logits(events["text"].to_pylist())


@dataclass(frozen=True)
class Lab:
    """A healthy student of real payloads, and what is needed to ruin it."""

    folder: Path
    full: Linear
    train: pa.Table
    test: pa.Table

    def compress(self, events: pa.Table, name: str) -> Path:
        """Distil a small student from the full model."""
        out = self.folder / name
        overproof.compress(
            events, test=self.test, teacher=self.full, out=out, student="tiny-student", epochs=10, transfer=0.0
        )
        return out

    def check(self, place: Path) -> Any:
        """What the checklist says of a bundle."""
        return overproof.check(place, self.test, full=self.full, accept_public_data=True, attack=0)


@pytest.fixture(scope="module")
def lab(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    every = overproof.load_events([shared_data / "http" / "train.csv.gz"])
    test = overproof.load_events([shared_data / "http" / "test.csv.gz"])
    families = np.array(every["family"].to_pylist())
    few = np.array([(families == name).sum() < 500 for name in families])
    chosen = np.random.default_rng(0).choice(np.flatnonzero(~few), LEARNED, replace=False)
    train = every.take(np.sort(np.concatenate([np.flatnonzero(few), chosen])))
    full = Linear(fit_baseline(every["text"].to_pylist(), every["label"].to_pylist(), seed=0))
    lab = Lab(tmp_path_factory.mktemp("lab"), full, train, test)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overproof.jobs.compress.TIMING_SECONDS", 0.2)
        lab.compress(train, "healthy")
        yield lab


@pytest.fixture(scope="module")
def sabotage(root: Path) -> ModuleType:
    """What the benchmark ruins students with."""
    spec = importlib.util.spec_from_file_location("sabotage", root / "bench" / "sabotage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def healthy(lab: Lab) -> Any:
    return lab.check(lab.folder / "healthy")


def accuracy(report: Any) -> float:
    """Of the quantized student."""
    return float(report.comparison.row(QUANTIZED).metrics.accuracy)


def failed(report: Any, *checks: str) -> list[str]:
    """Keys of the failed gates of some checks."""
    return [gate.key for gate in report.gates if gate.status == "failed" and gate.key.partition("/")[0] in checks]


def test_the_healthy_student_loses_no_family(healthy: Any) -> None:
    assert f"rare/family:{RARE}" not in failed(healthy, "rare")
    assert accuracy(healthy) > 0.95


def test_a_class_that_was_pruned_away_is_caught_though_accuracy_hardly_moves(
    lab: Lab, healthy: Any, sabotage: ModuleType
) -> None:
    report = lab.check(sabotage.pruned(lab.folder / "healthy", RARE, lab.folder / "pruned"))
    assert 0 < accuracy(healthy) - accuracy(report) < MOVED
    assert f"rare/family:{RARE}" in failed(report, "rare")
    assert report.decision == "do not deploy"


def test_three_bits_that_were_rounded_to_harm_are_caught_though_accuracy_hardly_moves(
    lab: Lab, healthy: Any, sabotage: ModuleType
) -> None:
    texts = lab.train.filter(pc.equal(lab.train["family"], RARE))["text"].to_pylist()
    report = lab.check(sabotage.rounded_to_harm(lab.folder / "healthy", RARE, texts, lab.folder / "three-bits"))
    assert 0 < accuracy(healthy) - accuracy(report) < MOVED
    assert f"rare/family:{RARE}" in failed(report, "rare")
    assert report.decision == "do not deploy"


def test_a_family_that_was_left_out_of_training_is_caught(lab: Lab, healthy: Any) -> None:
    from overproof.events.families import without_families

    report = lab.check(lab.compress(without_families(lab.train, (RARE,)), "left-out"))
    assert f"rare/family:{RARE}" in failed(report, "rare")
    assert report.decision == "do not deploy"
