"""Thresholds from validation: they hold on the events they were set on, or are unmeasured."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import parity
from overproof.distillation.teachers.interface import TeacherCard
from overproof.events.schema import event_table
from overproof.jobs.evaluate import ComparedModels, DeployedModel, compare, thresholds
from overproof.report.not_measured import NotMeasured
from overproof.results.operating_points import OperatingPoint, OperatingPoints, attack_probability


def test_a_threshold_lets_through_at_most_its_rate() -> None:
    attack = np.random.default_rng(0).random(5000).astype(np.float32)
    benign = [i % 2 == 0 for i in range(5000)]
    found = thresholds(attack, benign)
    benign = attack[::2]
    for rate in (1e-2, 5e-3, 1e-3):
        limit = found[f"{rate:g}"]
        assert limit is not None
        assert (benign > limit).mean() <= rate
        assert (benign > limit - 1e-2).mean() > rate, "not needlessly strict"
    assert found["0.0001"] is None, "2,500 benign events cannot show one in 10,000"


def test_no_benign_events_means_unmeasured() -> None:
    assert set(thresholds(np.ones(3, np.float32), [False] * 3).values()) == {None}


def test_parity_counts_flips() -> None:
    before = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]], dtype=np.float32)
    after = np.array([[1.0, 0.5], [0.5, 0.4], [2.0, 1.0]], dtype=np.float32)
    step = parity("a → b", before, after)
    assert (step.events, step.flips) == (3, 1)
    assert step.max_difference == np.float32(0.6)
    assert "1 of 3 verdicts flip (33.33%)" in str(step)
    assert "unmeasured" in str(parity("a → b", before[:0], after[:0]))


class Fixed:
    """Stands for teacher, student and baseline: logits of a text are those that its number stands for."""

    classes = ("benign", "sqli")
    card = TeacherCard("stand-in", "a stand-in", 7, 70, "python", None)
    labels_new_events = False
    parameters, bytes, file = 7, 70, b"seven"

    def __init__(self, skill: float) -> None:
        self.skill = skill

    @property
    def scorer(self) -> Fixed:
        return self

    def score(self, texts: Sequence[str]) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits(texts))

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        number = np.array([int(text.rpartition(" ")[2]) for text in texts])
        noise = np.sin(number * self.skill * 1.7) * 4
        attack = np.array([text.startswith("attack") for text in texts])
        return np.stack([-noise, np.where(attack, 2 * self.skill, -2 * self.skill)], axis=1).astype(np.float32)


def test_the_models_are_compared_behind_thresholds_of_validation_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(benign: int, attacks: int, start: int) -> pa.Table:
        labels = ["benign"] * benign + ["sqli"] * attacks
        kinds = {"benign": "benign", "sqli": "attack"}
        texts = [f"{kinds[label]} {letters(start + i)} {start + i}" for i, label in enumerate(labels)]
        return event_table({"text": texts, "label": labels, "group": [str(i // 2) for i in range(len(labels))]})

    monkeypatch.setattr("overproof.jobs.evaluate._time", lambda *_, **__: {})
    train, validation, test = made(9, 9, 0), made(600, 50, 1000), made(800, 400, 5000)
    splits = DatasetSplits(train, validation, test, ("benign",), ("benign", "sqli"), 0, {})
    full, student, baseline = Fixed(2.5), Fixed(1.5), Fixed(1.0)
    texts = [part["text"].to_pylist() for part in (test, validation)]
    shipped = DeployedModel(student.scorer, student.parameters, student.bytes)
    models = ComparedModels(full, *map(full.logits, texts), student, shipped, baseline, full.classes)  # type: ignore[arg-type]
    found = compare(splits, models, seed=0, budget_s=1.0).operating_points
    assert isinstance(found, OperatingPoints)
    few = NotMeasured("600 benign validation events, needs 1,000")
    assert set(found.at[0].models.values()) == {few}
    for model, name in ((full, FULL), (student, QUANTIZED), (baseline, BASELINE)):
        tested, validated = (attack_probability(model.logits(part), np.array([True, False])) for part in texts)
        point = found.at[2].models[name]
        assert isinstance(point, OperatingPoint)
        assert point.threshold == pytest.approx(np.sort(validated[:600])[600 - 1 - 6], rel=1e-6)
        assert (point.flagged.k, point.missed.k) == (
            (tested[:800] > point.threshold + 1e-7).sum(),
            (tested[800:] <= point.threshold + 1e-7).sum(),
        )
        assert (point.flagged.units, point.missed.units) == (400, 200), "two events of a group count once"
    assert list(found.at[2].against) == [BASELINE, FULL]


def letters(number: int) -> str:
    """Spell a number, so that no two texts are copies but for digits."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))
