"""Pad rows of token ids into batches, and compute a network's logits for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overproof.distillation.augment import Ids

STEP = 8  # batches are padded to its multiples: oneDNN compiles its kernels anew for every shape it meets


class Trainable(nn.Module, ABC):
    """A network that says itself how rows of token ids become its input."""

    @abstractmethod
    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        """Turn rows into what the network is called with."""

    def answers(self, *inputs: Tensor) -> Tensor:
        """Compute what is to be as the teacher says, shape (answers, rows, classes): its logits, and its parts'."""
        logits: Tensor = self(*inputs)
        return logits[None]


def shuffled(ids: Ids, size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batch rows of like length together, in random order: sorted by length with noise, then cut and shuffled."""
    lengths = np.array([len(i) for i in ids], dtype=np.float64)
    order = np.argsort(lengths * random.uniform(0.9, 1.1, len(ids)))
    for start in random.permutation(np.arange(0, len(ids), size)):
        yield order[start : start + size]


def padded(ids: Ids, pad: int, device: torch.device) -> Tensor:
    """Pad rows to one tensor."""
    width = -(-max(len(i) for i in ids) // STEP) * STEP
    out = np.full((len(ids), width), pad, dtype=np.int64)
    for row, values in enumerate(ids):
        out[row, : len(values)] = values
    return torch.from_numpy(out).to(device)


@torch.inference_mode()
def predict(network: Trainable, ids: Ids, batch_rows: int = 256) -> NDArray[np.float32]:
    """Compute logits of each row in float32, shape (n, classes); rows go in length order, little is padded."""
    network.eval()
    order = np.argsort([len(i) for i in ids], kind="stable")
    parts = [
        network(*network.batch([ids[k] for k in order[s : s + batch_rows]])).float().cpu().numpy()
        for s in range(0, len(ids), batch_rows)
    ]
    logits = np.concatenate(parts)
    out = np.empty_like(logits)
    out[order] = logits
    return out
