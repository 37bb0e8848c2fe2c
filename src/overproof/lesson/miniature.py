"""Do the tutorial's main job in miniature, without torch: nearest neighbours teach a linear model, which is quantized.

So that the lesson can show its steps on the built-in traffic where no model was trained: the teacher remembers
simulated events, and answers with the classes of the nearest by character trigrams; the student is one matrix,
taught by the distillation loss alone. They are real models, and poor ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, distillation_gradient
from overproof.quantization.affine import Scheme, cost, dequantize, fit, quantize

BENIGN = "normal"
BUCKETS = 1024
NEIGHBOURS = 16
STEPS, RATE, MOMENTUM = 200, 40.0, 0.9
TEMPERATURE = 2.0
WEIGHTS = Scheme(symmetric=True, signed=True)
Judge = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class Small:
    """One model of the miniature.

    Attributes
    ----------
    judge
        Texts to logits, shape (n, classes).
    parameters, bytes
        Numbers that it holds, and what they take.
    """

    judge: Judge
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Miniature:
    """The three models, their classes, and the student's weights, shape (BUCKETS, classes)."""

    classes: tuple[str, ...]
    full: Small
    distilled: Small
    int8: Small
    weights: Floats


def miniature(events: pa.Table) -> Miniature:
    """Let one half of the events be remembered, and distil on the other.

    Parameters
    ----------
    events
        Labelled events, in any order.
    """
    texts, labels = events["text"].to_pylist(), events["label"].to_pylist()
    classes = tuple(sorted(set(labels)))
    truth = np.array([classes.index(label) for label in labels])
    half = len(texts) // 2
    memory = trigrams(texts[:half])
    teach = _neighbours(memory, truth[:half], len(classes))
    weights = _distil(trigrams(texts[half:]), teach(texts[half:]))
    grid = fit(weights, WEIGHTS, axis=1)
    return Miniature(
        classes=classes,
        full=Small(teach, memory.size + half, memory.nbytes + half),
        distilled=Small(_linear(weights), weights.size, weights.nbytes),
        int8=Small(_linear(dequantize(quantize(weights, grid), grid)), weights.size, cost(weights, grid).bytes_after),
        weights=weights,
    )


def trigrams(texts: Sequence[str]) -> Floats:
    """Hashed counts of byte trigrams, each row of length 1; shape (n, BUCKETS)."""
    counts = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    for row, text in zip(counts, texts, strict=True):
        row += np.bincount(trigram_rows(framed(text)), minlength=BUCKETS).astype(np.float32)
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


def framed(text: str) -> bytes:
    """Return a text's bytes between marks of where it begins and ends."""
    return f"^{text}$$".encode(errors="surrogatepass")


def trigram_rows(content: bytes) -> NDArray[np.uint32]:
    """Return the row of each of the trigrams in bytes, in their order."""
    b = np.frombuffer(content, dtype=np.uint8).astype(np.uint32)
    code = b[:-2] << 16 | b[1:-1] << 8 | b[2:]
    # Knuth's multiplicative hash: the upper bits of the product
    return np.asarray(code * np.uint32(2654435761) >> np.uint32(22), dtype=np.uint32)


def _neighbours(memory: Floats, truth: NDArray[np.intp], classes: int) -> Judge:
    """Logits are the log of the classes' shares among the nearest, each class counted once more (Laplace)."""

    def judge(texts: Sequence[str]) -> Floats:
        near = np.argpartition(-(trigrams(texts) @ memory.T), NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        votes = np.stack([(truth[near] == c).sum(axis=1) for c in range(classes)], axis=1)
        return np.log((votes + 1) / (NEIGHBOURS + classes)).astype(np.float32)

    return judge


def _linear(weights: Floats) -> Judge:
    return lambda texts: trigrams(texts) @ weights


def _distil(x: Floats, teacher: Floats) -> Floats:
    """Gradient descent with momentum on KL · T² to the teacher's logits."""
    weights = np.zeros((x.shape[1], teacher.shape[1]), dtype=np.float32)
    speed = np.zeros_like(weights)
    for _ in range(STEPS):
        gradient = x.T @ distillation_gradient(x @ weights, teacher, TEMPERATURE).astype(np.float32)
        speed = MOMENTUM * speed - RATE * gradient
        weights = weights + speed
    return weights
