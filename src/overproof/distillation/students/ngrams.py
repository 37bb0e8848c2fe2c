"""Define the n-gram network: the sum over a text's hashed byte n-grams, one hidden layer, a head.

Its table is rounded to INT8 while it is trained (straight-through estimator, Bengio et al. 2013): what is exported adds
up whole numbers, and nothing is lost on the way. Source of the kind: Joulin et al. 2017, Bag of Tricks for Efficient
Text Classification; Weinberger et al. 2009, Feature Hashing.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from overproof.bundle.ngrams import NgramTable, ngram_rows
from overproof.bundle.tokenizer import AFTER
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable
from overproof.distillation.students.presets import NgramConfig, NgramSizes

LEVELS = 127  # INT8, symmetric
SPREAD = 0.1  # of an untrained row: what training never met must not speak (at 1.0 it did, docs/log.md)
LEAST = 1e-8  # a column's largest weight at least, so that its scale is a number above 0


class NgramPart(nn.Module):
    """Hashed n-grams to hidden features: table, sum by the root of the count, one layer, ReLU.

    forward(rows (k,) int64, starts (batch + 1,) int64) -> (batch, hidden): the table's rows of all n-grams, and where
    each window's start.
    """

    def __init__(self, sizes: NgramSizes) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(sizes.rows, sizes.width))
        self.bag = nn.Identity()  # where what the file takes as its input comes by
        self.hidden = nn.Linear(sizes.width, sizes.hidden)
        self.relu = nn.ReLU()

    def scales(self) -> Tensor:
        """Return what a step of each column is worth, shape (width,)."""
        table = self.table.detach()
        return torch.maximum(table.amax(0), -table.amin(0)).clamp(min=LEAST) / LEVELS

    def forward(self, rows: Tensor, starts: Tensor) -> Tensor:
        """Compute the features of each window."""
        read, place = _distinct(rows, len(self.table))  # to round all of the table took most of the time of training
        own, scales = functional.embedding(read, self.table), self.scales()
        rounded = own + (torch.round(own.detach() / scales) * scales - own.detach())
        sums = functional.embedding_bag(place, rounded, starts, mode="sum", include_last_offset=True)
        pooled = sums / (starts[1:] - starts[:-1])[:, None].sqrt()
        with torch.autocast(pooled.device.type, enabled=False):  # bf16 is coarser than the table, and no faster here
            return self.relu(self.hidden(self.bag(pooled)))  # type: ignore[no-any-return]

    def stored(self) -> NgramTable:
        """Return the table as it is deployed."""
        scales = self.scales()
        whole = torch.round(self.table.detach() / scales)
        return NgramTable(whole.cpu().numpy().astype(np.int8), scales.cpu().numpy())

    def restore(self, table: NgramTable) -> None:
        """Take a deployed table's values."""
        values = table.weights.astype(np.float32) * table.scales
        with torch.no_grad():
            self.table.copy_(torch.from_numpy(values))


class NgramNetwork(Trainable):
    """Bytes of windows, each after one marker, to logits (batch, classes)."""

    def __init__(self, config: NgramConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.ngrams = NgramPart(config.ngrams)
        self.head = nn.Linear(config.ngrams.hidden, classes)

    def initialize(self, seed: int) -> NgramNetwork:
        """Draw all weights from a seeded generator of our own; the global one stays untouched."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, p in sorted(self.named_parameters()):
                if name.endswith("bias"):
                    p.zero_()
                else:
                    p.normal_(0.0, SPREAD if name.endswith("table") else p.shape[-1] ** -0.5, generator=generator)
        return self

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        """Turn rows of bytes, each with the marker before and without the one behind, into what `forward` takes."""
        data = np.concatenate([part for row in ids for part in (row, (AFTER,))]).astype(np.uint8)
        starts = np.concatenate([[0], np.cumsum([len(row) + 1 for row in ids])]).astype(np.int64)
        return ngram_batch(data, starts, self.config.ngrams, self.head.weight.device)

    def forward(self, rows: Tensor, starts: Tensor) -> Tensor:
        """Compute logits of each row."""
        features = self.ngrams(rows, starts)
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features)  # type: ignore[no-any-return]


def _distinct(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which of so many rows are read, ascending, and of each that is read its place among these."""
    is_read = torch.zeros(count, dtype=torch.bool, device=rows.device)
    is_read[rows] = True
    return is_read.nonzero()[:, 0], (is_read.cumsum(0) - 1)[rows]


def new_ngram_network(config: NgramConfig, classes: int, *, seed: int) -> NgramNetwork:
    """Make an untrained network whose weights come from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        network = NgramNetwork(config, classes)
    return network.initialize(seed)


def ngram_batch(
    data: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NgramSizes, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Hash the n-grams of windows given as bytes: what `NgramPart` takes."""
    rows, offsets = ngram_rows(data, starts, sizes.rows)
    return torch.from_numpy(rows.astype(np.int64)).to(device), torch.from_numpy(offsets).to(device)
