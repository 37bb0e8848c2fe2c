"""A rare family's recall decides which epoch is kept, and what the next one shows more often."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable, padded, predict
from overproof.distillation.checkpoint import History
from overproof.distillation.rare_families import (
    Families,
    Watched,
    below,
    is_better,
    more_often,
    rare_repeats,
    watch,
)
from overproof.distillation.training import TrainingTask, train
from overproof.distillation.training_set import UNLABELLED, Rows, TrainConfig

KINDS = ("common", "other", "rare")


def rows(*counts: int, soft: bool = False) -> Rows:
    """So many rows of each kind, of class 0, 1 and 2; the teacher knows them all."""
    targets = np.repeat(np.arange(3), counts)
    teacher = 9 * np.eye(3, dtype=np.float32)[targets] if soft else None
    return Rows([np.array([1, target]) for target in targets], targets, teacher, [KINDS[k] for k in targets])


def test_rare_families_are_repeated_up_to_a_share() -> None:
    repeats = rare_repeats(["common"] * 990 + ["rare"] * 5 + ["rarer"] + [None] * 4)
    assert repeats[0] == 1.0
    assert repeats[990] == pytest.approx(2.0)
    assert repeats[995] == 8.0
    assert repeats[-1] == 1.0


def test_families_are_judged_by_validation_rows_where_there_are_enough_and_else_by_those_they_learn_from() -> None:
    found = watch(rows(500, 500, 6), rows(50, 50, 10, soft=True))
    assert list(found) == ["rare"]
    assert found["rare"].validation and found["rare"].rows.tolist() == list(range(100, 110))
    assert found["rare"].teacher == 10
    few = watch(rows(500, 500, 6), rows(50, 50, 9, soft=True))["rare"]
    assert not few.validation and few.rows.tolist() == list(range(1000, 1006)) and few.teacher == 0, "nobody was asked"


def test_a_family_of_a_handful_of_rows_chooses_no_epoch() -> None:
    assert list(watch(rows(500, 500, 5), rows(50, 50, 1))) == ["rare"]
    assert watch(rows(500, 500, 4), rows(50, 50, 1)) == {}


def test_what_has_no_label_or_no_family_is_not_judged() -> None:
    train_rows, validation = rows(500, 500, 6), rows(50, 50, 12)
    unlabelled = Rows(train_rows.ids, np.where(train_rows.targets == 2, UNLABELLED, train_rows.targets), None)
    assert watch(unlabelled, validation) == {}
    some = Rows(train_rows.ids, unlabelled.targets, None, train_rows.kinds)
    assert watch(some, validation) == {}


def family(n: int = 20, teacher: int = 0) -> Families:
    return {"rare": Watched(np.arange(n), True, teacher)}


@pytest.mark.parametrize(
    ("losses", "right", "better"),
    [
        ([0.5, 0.4], [15, 15], True),
        ([0.4, 0.5], [15, 15], False),
        ([0.5, 0.45], [15, 14], True),  # one row is chance
        ([0.5, 0.45], [15, 13], False),
        ([0.45, 0.5], [13, 15], True),
        ([0.5, 0.3], [15, 13], True),  # at any price it is not kept
        ([0.3, 0.5], [13, 20], False),
        ([0.5, float("nan")], [15, 20], False),
    ],
)
def test_the_epoch_that_is_kept(losses: list[float], right: list[int], better: bool) -> None:
    assert is_better(family(), losses, [{"rare": n} for n in right], 0) is better


def test_the_first_epoch_is_kept_and_without_rare_families_the_loss_decides() -> None:
    assert is_better(family(), [0.7], [{"rare": 0}], None)
    assert is_better({}, [0.7, 0.6], [{}, {}], 0) and not is_better({}, [0.6, 0.7], [{}, {}], 0)


def test_where_no_epoch_reaches_the_teacher_the_one_that_lacks_least_is_kept() -> None:
    right = [{"rare": 12}, {"rare": 16}, {"rare": 14}]
    assert is_better(family(teacher=20), [0.40, 0.42], right[:2], 0)
    assert not is_better(family(teacher=20), [0.40, 0.42, 0.39], right, 1)
    assert below(family(teacher=20), [0.40, 0.42, 0.39], right) == ["rare"]
    assert below(family(teacher=15), [0.4], [{"rare": 14}]) == []


def test_of_a_handful_of_rows_none_may_be_lost() -> None:
    assert below(family(n=3), [0.5, 0.4], [{"rare": 3}, {"rare": 2}]) == ["rare"]


def test_what_is_below_its_floor_is_shown_twice_as_often() -> None:
    repeats = np.array([1.0, 8.0, 2.5])
    assert more_often(repeats, ["a", "rare", None], ["rare"]).tolist() == [1.0, 16.0, 2.5]
    assert more_often(repeats, ["a", "rare", None], []).tolist() == repeats.tolist()


class Scripted(Trainable):
    """Says of each kind in each epoch what a script has: confidence in the right class, which may be below zero."""

    SCRIPT = ((1.0, 1.0, 1.0), (2.7, 2.7, 2.7), (9.0, 9.0, -1.0), (9.0, 9.0, -1.0), (8.0, 8.0, -1.0))

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.register_buffer("epoch", torch.tensor(-1))
        self.epoch: Tensor
        self.shown: list[Counter[int]] = []

    def train(self, mode: bool = True) -> Scripted:
        if mode:
            self.epoch += 1
            self.shown.append(Counter())
        return super().train(mode)

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        return (padded(ids, 0, torch.device("cpu"))[:, 1],)

    def forward(self, kinds: Tensor) -> Tensor:
        if self.training:
            self.shown[-1].update(kinds.tolist())
        sure = torch.tensor(self.SCRIPT[int(self.epoch)])[kinds]
        return sure[:, None] * torch.eye(3)[kinds] + 0 * self.weight


def run(checkpoint: Path | None = None, stop_after: int = 99) -> tuple[Scripted, History]:
    network = Scripted()

    def maybe_die(history: History) -> None:
        if len(history.losses) == stop_after:
            raise KeyboardInterrupt

    config = TrainConfig(epochs=5, temperature=1.0, hard_weight=1.0, patience=2)
    task = TrainingTask(rows(500, 500, 4), rows(90, 90, 12), config)
    return network, train(network, task, checkpoint=checkpoint, on_epoch=maybe_die)


def test_the_epoch_with_the_least_loss_is_not_kept_if_it_lost_a_rare_class(monkeypatch: pytest.MonkeyPatch) -> None:
    network, history = run()
    assert history.least_loss == 2 and history.validation_losses[2] < history.validation_losses[1]
    assert history.best_epoch == 1 and int(network.epoch) == 1, "its weights are those that are left"
    assert [right["rare"] for right in history.right] == [12, 12, 0, 0, 0]
    assert history.below == [[], [], ["rare"], ["rare"], ["rare"]]
    (sentence,) = history.sentences()
    assert "kept epoch 2: epoch 3 has the least validation loss" in sentence and "rare (12 → 0)" in sentence
    told = predict(network, rows(1, 1, 1).ids).argmax(-1)
    assert told.tolist() == [0, 1, 2]

    monkeypatch.setattr("overproof.distillation.training.watch", lambda *_: {})
    network, history = run()
    assert history.best_epoch == 2 and int(network.epoch) == 2 and history.sentences() == []
    assert predict(network, rows(1, 1, 1).ids).argmax(-1)[2] != 2, "what it would be without floors"


def test_a_family_below_its_floor_is_shown_more_often_in_the_next_epoch() -> None:
    network, _ = run()
    shown = [counts[2] for counts in network.shown]
    assert shown[:3] == pytest.approx([4 * 2.51] * 3, abs=3) and min(shown[3:]) >= 4 * 5
    assert [counts[0] for counts in network.shown] == [500] * 5


def test_a_run_that_was_cut_off_decides_as_one_that_was_not(tmp_path: Path) -> None:
    whole, history = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c", stop_after=3)
    resumed, again = run(tmp_path / "c")
    assert again.resumed_at == 3
    assert (again.right, again.below, again.best_epoch) == (history.right, history.below, history.best_epoch)
    assert resumed.shown == whole.shown[3:] and int(resumed.epoch) == int(whole.epoch)
