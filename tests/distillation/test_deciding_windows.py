"""Test that a student learns from the window that decides, cut as it is deployed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from overproof.bundle.ngrams import cut_bytes
from overproof.bundle.tokenizer import CLS, Windowing, cut, encode, train_bpe
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable
from overproof.distillation.deciding_windows import WindowCutter, predict_rows
from overproof.distillation.fit import fit, predict_taught, student_config
from overproof.distillation.students.presets import NgramConfig, NgramSizes
from overproof.distillation.training import TrainingTask, train
from overproof.distillation.training_set import Examples, Rows, TrainConfig, TrainingSet
from overproof.progress import SILENT

WINDOWING = Windowing(17, overlap=6, limit=8)
SIZES = NgramConfig(NgramSizes(rows=1 << 12, width=8, hidden=16), positions=17)
BENIGN = (True, False)
CUTTER = WindowCutter(WINDOWING, BENIGN)
TOKENIZER = train_bpe(["page=1&sort=asc", "select name from users"], vocabulary=280)


@given(st.lists(st.binary(max_size=200).map(lambda b: b.decode("latin-1")), min_size=1, max_size=4))
def test_bytes_are_cut_as_they_are_judged(texts: list[str]) -> None:
    windows, owner = CUTTER.cut([np.array([2, *text.encode()]) for text in texts])
    judged = cut_bytes(texts, WINDOWING)
    assert owner.tolist() == judged.owner.tolist()
    for window, start, end in zip(windows, judged.starts[:-1], judged.starts[1:], strict=True):
        assert window.tolist() == judged.data[start : end - 1].tolist()


@given(st.lists(st.text(max_size=120), min_size=1, max_size=4))
def test_tokens_are_cut_as_they_are_judged(texts: list[str]) -> None:
    windows, owner = CUTTER.cut([np.array([CLS, *tokens]) for tokens in encode(TOKENIZER, texts)])
    judged = cut(TOKENIZER, texts, WINDOWING)
    assert owner.tolist() == judged.owner.tolist()
    assert [window.tolist() for window in windows] == judged.ids


def test_the_window_with_the_highest_attack_probability_decides_and_of_equal_ones_the_first() -> None:
    logits = np.array([[3, 0], [0, 1], [2, 2], [5, 4], [5, 4], [9, 0]], dtype=np.float32)
    owner = np.array([0, 0, 0, 1, 1, 2], dtype=np.int32)
    assert CUTTER.deciding(logits, owner).tolist() == [1, 3, 5]


class OneWeightAWindow(Trainable):
    """Gives each window the logits of its first byte, which are all it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.of_byte = nn.Embedding(256, 2)

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        return (torch.tensor([int(row[1]) for row in ids]),)

    def forward(self, first: Tensor) -> Tensor:
        found: Tensor = self.of_byte(first)
        return found


def test_no_window_but_the_deciding_one_learns() -> None:
    network = OneWeightAWindow()
    with torch.no_grad():
        network.of_byte.weight.zero_()
        network.of_byte.weight[7, 1] = 2.0  # speaks for an attack
    before = network.of_byte.weight.detach().clone()
    event = np.array([2, *[5] * 16, *[7] * 16])
    rows = Rows([event], np.array([0]), None, [None])
    config = TrainConfig(epochs=1, batch_rows=1, learning_rate=0.1, weight_decay=0.0, hard_weight=1.0)
    assert predict_rows(network, [event], CUTTER).tolist() == [[0.0, 2.0]]
    train(network, TrainingTask(rows, rows, config, cutter=CUTTER))
    changed = (network.of_byte.weight != before).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [7]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_student_calls_long_benign_events_benign_and_finds_what_only_their_end_holds(seed: int) -> None:
    random = np.random.default_rng(seed)
    words = [f"{a}{b}" for a in "bcdfg" for b in "aeiou"]

    def sentence() -> str:
        return " ".join(random.choice(words, 20))

    # `zz` alone is benign and `zz;` an attack, so that what only looks like one is to be unlearned in every window
    texts = [sentence()[:50] + end + sentence()[:40] for _ in range(150) for end in (" zz ", " zz;")]
    targets = np.tile([0, 1], 150)
    examples = Examples(texts, targets, None, [None] * len(texts))
    config = replace(student_config(SIZES, 20, len(texts)), hard_weight=1.0, batch_rows=32, seed=seed)
    trained = fit(SIZES, TrainingSet(BENIGN, examples, examples, config), checkpoint=None, what="x", console=SILENT)
    found = predict_taught(trained, texts, BENIGN).argmax(axis=1)
    assert (found == targets).mean() > 0.97
