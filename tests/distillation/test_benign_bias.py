"""Test the bias that makes as many events benign as are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn

from overproof.distillation.benign_bias import benign_shift, shift_benign
from overproof.distillation.training_set import UNLABELLED

BENIGN = (False, True, False)


def drawn(count: int, lean: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels that follow them, but for benign logits that are too high by `lean`."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, 3)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (random.random(count)[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    logits[:, 1] += lean
    return logits, targets


@pytest.mark.parametrize("lean", [-2.0, 0.0, 1.5])
def test_it_takes_back_what_is_too_much(lean: float) -> None:
    assert benign_shift(*drawn(20_000, lean), BENIGN) == pytest.approx(-lean, abs=0.08)


def test_as_many_are_expected_to_be_benign_as_are() -> None:
    logits, targets = drawn(5_000, 1.0)
    shift = benign_shift(logits, targets, BENIGN)
    odds = logits[:, 1].astype(float) - np.logaddexp(logits[:, 0].astype(float), logits[:, 2].astype(float))
    assert expit(odds + shift).sum() + shift == pytest.approx((targets == 1).sum(), abs=1e-3)


def test_few_events_change_little_and_none_change_nothing() -> None:
    assert abs(benign_shift(*drawn(5, 3.0), BENIGN)) < 2.0
    logits, targets = drawn(50, 3.0)
    assert benign_shift(logits, np.full_like(targets, UNLABELLED), BENIGN) == pytest.approx(0.0, abs=1e-9)


def test_no_logits_are_too_far_apart() -> None:
    hopeless = np.tile(np.array([[900.0, -900.0, 0.0]], dtype=np.float32), (40, 1))
    assert benign_shift(hopeless, np.ones(40, dtype=np.int64), BENIGN) == pytest.approx(40.0)


def test_unlabelled_events_do_not_count() -> None:
    logits, targets = drawn(500, 1.0)
    more = np.concatenate([logits, np.full((100, 3), 9.0, dtype=np.float32)])
    unknown = np.concatenate([targets, np.full(100, UNLABELLED)])
    assert benign_shift(more, unknown, BENIGN) == benign_shift(logits, targets, BENIGN)


def test_the_benign_biases_alone_are_shifted() -> None:
    head = nn.Linear(4, 3)
    before = head.bias.detach().clone()
    shift_benign(head, -1.25, BENIGN)
    torch.testing.assert_close(head.bias.detach() - before, torch.tensor([0.0, -1.25, 0.0]))
