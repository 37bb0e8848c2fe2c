"""Describe what a network is taught, and how: examples, soft labels, and the settings of the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.distillation.augment import Ids
from overproof.distillation.limits import require_usable

UNLABELLED = -1


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, apart from the data and the network.

    Attributes
    ----------
    epochs, batch_rows, learning_rate, weight_decay, warmup, clip
        AdamW with linear warm-up over `warmup` of all steps, cosine decay, gradients clipped at norm `clip`.
    temperature, hard_weight
        T, and the weight of hard labels against the teacher's (see `mixed_loss`).
    patience
        Epochs without a better validation loss before training stops early.
    split_tokens
        Share of tokens split into the two pieces they were merged from, anew each epoch.
    carriers
        Share of rows set among benign events, up to a full window, anew each epoch.
    ngram_rate
        Steps of the part that reads n-grams, as a multiple of the others': most of it are rows that few events touch.
    seed
        Decides initialization, order and perturbation.
    """

    epochs: int = 6
    batch_rows: int = 128
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    warmup: float = 0.08
    clip: float = 1.0
    temperature: float = 2.0
    hard_weight: float = 0.5
    patience: int = 3
    split_tokens: float = 0.1
    carriers: float = 0.2
    ngram_rate: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_usable(self.temperature, self.hard_weight, self.epochs)


@dataclass(frozen=True)
class Examples:
    """Texts with what is known of them.

    Attributes
    ----------
    texts
        n events as text.
    targets
        Shape (n,): class index or UNLABELLED.
    soft
        Shape (n, classes): the teacher's logits, or None.
    kinds
        Family of each event, None where unknown.
    weights
        Shape (n,): how often each is shown, as a multiple of once; None shows all alike.
    """

    texts: Sequence[str]
    targets: NDArray[np.int64]
    soft: Floats | None
    kinds: Sequence[str | None]
    weights: NDArray[np.float64] | None = None

    @property
    def every_weight(self) -> NDArray[np.float64]:
        """How often each is shown, shape (n,)."""
        return np.ones(len(self.texts)) if self.weights is None else self.weights


@dataclass(frozen=True)
class Rows:
    """What the training loop learns from or is validated on.

    Attributes
    ----------
    ids
        Of each row the token ids, or the bytes, that are learned from.
    targets
        Shape (n,): class index, or UNLABELLED.
    teacher
        Shape (n, classes) logits, or None for hard labels alone.
    kinds
        Family of each row, None where unknown; rare ones are shown more often, and their recall is held
        (`rare_families`). None of all where there are none.
    weights
        Shape (n,): how often each is shown, times what its family's rarity asks for; None shows all alike.
    """

    ids: Ids
    targets: NDArray[np.int64]
    teacher: NDArray[np.float32] | None = None
    kinds: Sequence[str | None] = ()
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ids)


def joined(parts: Sequence[Examples]) -> Examples:
    """Join several sets of examples; all of them with soft labels, or none."""
    weighted = any(part.weights is not None for part in parts)
    soft = [part.soft for part in parts if part.soft is not None]
    return Examples(
        [text for part in parts for text in part.texts],
        np.concatenate([part.targets for part in parts]),
        np.concatenate(soft) if soft else None,
        [kind for part in parts for kind in part.kinds],
        np.concatenate([part.every_weight for part in parts]) if weighted else None,
    )


@dataclass(frozen=True)
class TrainingSet:
    """A network's lessons, and how it is taught.

    Attributes
    ----------
    benign
        For each class, in the order of the logits, whether it is benign.
    examples, validation
        What it learns from; what decides when to stop.
    config
        Settings of the training loop.
    """

    benign: Sequence[bool]
    examples: Examples
    validation: Examples
    config: TrainConfig
