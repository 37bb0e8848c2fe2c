"""The losses against arithmetic done by hand, and the loop: it learns, stops, resumes, and is repeatable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from overproof.bundle import scores
from overproof.distillation.batches import predict
from overproof.distillation.checkpoint import History, discard
from overproof.distillation.fit import student_config
from overproof.distillation.losses import distillation_loss, mixed_loss
from overproof.distillation.students.encoder import Encoder
from overproof.distillation.students.presets import EncoderConfig, preset
from overproof.distillation.training import TrainingTask, _Run, train
from overproof.distillation.training_set import UNLABELLED, Rows, TrainConfig
from overproof.errors import InputError

SIZES = EncoderConfig(1, 32, 2, 64, vocabulary=40, positions=16, dropout=0.1)
CONFIG = TrainConfig(epochs=4, batch_rows=16, learning_rate=5e-3, temperature=2.0, seed=3)


def test_distillation_loss_by_hand() -> None:
    teacher = torch.log(torch.tensor([[0.05, 0.45, 0.50]], dtype=torch.float64))
    student = torch.log(torch.tensor([[0.20, 0.30, 0.50]], dtype=torch.float64))
    p = np.array([0.05, 0.45, 0.50]) ** 0.5
    q = np.array([0.20, 0.30, 0.50]) ** 0.5
    p, q = p / p.sum(), q / q.sum()
    assert distillation_loss(student, teacher, 2.0).item() == pytest.approx(4 * (p * np.log(p / q)).sum())
    assert distillation_loss(teacher, teacher, 3.0).item() == pytest.approx(0.0, abs=1e-12)


def test_the_numpy_twin_gives_the_loss_and_autograds_gradient() -> None:
    random = np.random.default_rng(0)
    student, teacher = (random.normal(0, 3, (20, 5)).astype(np.float32) for _ in range(2))
    for temperature in (0.5, 1.0, 2.0, 7.0):
        z = torch.tensor(student, dtype=torch.float64, requires_grad=True)
        loss = distillation_loss(z, torch.tensor(teacher, dtype=torch.float64), temperature)
        loss.backward()
        assert scores.distillation_loss(student, teacher, temperature) == pytest.approx(loss.item(), rel=1e-12)
        assert z.grad is not None
        found = scores.distillation_gradient(student, teacher, temperature)
        np.testing.assert_allclose(found, z.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_gradient_does_not_fade_with_temperature() -> None:
    """The reason for T²: at large T the gradient is (z_s - z_t) / classes, whatever T (Hinton et al., eq. 4)."""
    teacher = torch.tensor([[1.0, -1.0, 0.0]])
    student = torch.tensor([[0.5, 0.25, -0.75]], requires_grad=True)
    distillation_loss(student, teacher, 200.0).backward()
    np.testing.assert_allclose(student.grad, (student.detach() - teacher) / 3, atol=5e-3)


def test_unlabelled_rows_learn_through_the_teacher_alone() -> None:
    student = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([0, UNLABELLED])
    mixed_loss(student, student.detach(), targets, temperature=2.0, hard_weight=0.5).backward()
    assert student.grad is not None
    assert student.grad[0].abs().sum() > 0.01
    torch.testing.assert_close(student.grad[1], torch.zeros(3), atol=1e-6, rtol=0)


def test_without_a_teacher_it_is_cross_entropy() -> None:
    student, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, UNLABELLED, 1])
    expected = functional.cross_entropy(student, targets, ignore_index=UNLABELLED)
    assert mixed_loss(student, None, targets, temperature=1.0, hard_weight=1.0).item() == pytest.approx(expected.item())


def rows(count: int, seed: int) -> Rows:
    """Class 1 if token 7 comes before token 9, class 0 if after: order, which a bag of tokens cannot see."""
    random = np.random.default_rng(seed)
    ids, targets = [], []
    for _ in range(count):
        row = random.integers(10, 40, int(random.integers(4, 14)))
        places = sorted(random.choice(len(row), 2, replace=False))
        target = int(random.integers(2))
        row[places] = (7, 9) if target else (9, 7)
        ids.append(np.concatenate([[1], row]))
        targets.append(target)
    return Rows(ids, np.array(targets))


def run(
    checkpoint: Path | None = None, stop_after: int = 99, epochs: int = 4, events: int = 400
) -> tuple[Encoder, History]:
    network = Encoder(SIZES, 2).initialize(0)

    def maybe_die(history: History) -> None:
        if len(history.losses) == stop_after:
            raise KeyboardInterrupt

    config = TrainConfig(**{**CONFIG.__dict__, "epochs": epochs})
    task = TrainingTask(rows(events, 0), rows(100, 1), config)
    history = train(network, task, checkpoint=checkpoint, on_epoch=maybe_die)
    return network, history


@pytest.mark.slow
def test_it_learns_order() -> None:
    network, history = run(epochs=14, events=1600)
    fresh = rows(300, 2)
    assert (predict(network, fresh.ids).argmax(1) == fresh.targets).mean() > 0.9
    assert history.losses[-1] < history.losses[0] / 2


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole, _ = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c", stop_after=2)
    assert (tmp_path / "c").is_dir()
    resumed, history = run(tmp_path / "c")
    assert history.resumed_at == 2
    again, _ = run(tmp_path / "c")  # a finished run is kept until it is discarded: nothing is trained twice
    assert torch.equal(again.head.weight, resumed.head.weight)
    discard(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.slow
def test_another_runs_checkpoint_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c", stop_after=1)
    assert run(tmp_path / "c", epochs=3)[1].resumed_at == 0


def test_a_run_is_known_by_all_that_decides_it() -> None:
    """Also by the weights that it begins with, and by the events that say when it ends."""
    network, task = Encoder(SIZES, 2).initialize(0), TrainingTask(rows(40, 0), rows(20, 1), CONFIG)
    known = _Run(network, task).fingerprint()
    assert _Run(Encoder(SIZES, 2).initialize(0), task).fingerprint() == known
    others = [
        (Encoder(SIZES, 2).initialize(1), task),
        (network, replace(task, rows=rows(40, 2))),
        (network, replace(task, validation=rows(20, 2))),
        (network, replace(task, config=replace(CONFIG, seed=CONFIG.seed + 1))),
    ]
    assert known not in {_Run(*other).fingerprint() for other in others}


def test_divergence_is_told_not_trained_on() -> None:
    network = Encoder(SIZES, 2).initialize(0)
    network.head.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="diverged"):
        train(network, TrainingTask(rows(40, 0), rows(10, 1), CONFIG))


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"hard_weight": 1.5}, {"epochs": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is .*expected"):
        TrainConfig(**wrong)


def test_an_ngram_network_goes_through_few_events_more_often() -> None:
    sizes = preset("ngram-student")
    usual, few = (student_config(sizes, None, rows) for rows in (10**6, 600))
    assert usual == student_config(sizes, None, 32_000) and (usual.epochs, usual.patience) == (8, 3)
    assert few.epochs == 214 and few.patience == 53, "stops early in proportion, not in the warm-up"
    assert student_config(sizes, None, 0).epochs > 0
    assert student_config(sizes, 5, 600).epochs == 5, "what was asked for"


def test_an_encoder_goes_through_few_events_as_often_as_through_many() -> None:
    sizes = preset("tiny-student")
    assert student_config(sizes, None, 600) == student_config(sizes, None, 10**6)


def test_an_ngram_part_takes_larger_steps_than_the_encoder_it_shares_a_head_with() -> None:
    hybrid, alone = (student_config(preset(f"{kind}-student"), None, 50_000) for kind in ("hybrid", "ngram"))
    assert hybrid.learning_rate * hybrid.ngram_rate == pytest.approx(alone.learning_rate)
    assert hybrid.learning_rate == student_config(preset("tutorial-student"), None, 50_000).learning_rate
    assert hybrid.carriers == alone.carriers == 0.0
