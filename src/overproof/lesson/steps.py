"""Compute the tutorial's steps: one function a step, every number from the functions that the product uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overproof.bundle.scores import distillation_gradient, distillation_loss, entropy_bits, softmax
from overproof.lesson.printed_values import CLASSES, MATRIX, MODELS, PACKETS, Model
from overproof.quantization.affine import Cost, Observer, Scheme, cost, dequantize, fit, minmax, quantize
from overproof.quantization.affine.grid import Floats
from overproof.quantization.affine.observers import Range

TEMPERATURES = (1, 2, 3, 4)
STUDENT = (-1.0, 0.0, 1.0)  # where the student of the lesson starts: sure of the order, not of how close it is
FLOAT_BYTES = 4
W: Floats = np.array([[float(x) for x in row] for row in MATRIX], dtype=np.float32)


@dataclass(frozen=True)
class Information:
    """What one soft label says, in bits.

    Attributes
    ----------
    name
        The packet's.
    total
        Sum of its probabilities.
    label
        The class that wins.
    entropy
        H(p).
    surprise
        -log2 of the winner's share: what learning the winner tells someone who holds p.
    relations
        KL(p ‖ r), where r gives the winner the same share and spreads the rest evenly: what only the soft label
        tells about the other classes.
    """

    name: str
    total: float
    label: str
    entropy: float
    surprise: float
    relations: float


def information() -> tuple[Information, ...]:
    """Measure each packet's soft label against its hard one."""
    found = []
    for packet in PACKETS:
        p = np.array([packet.probabilities])
        top = float(p.max())
        even = np.where(p == top, top, (1 - top) / (p.size - 1))
        found.append(
            Information(
                name=packet.name,
                total=float(p.sum()),
                label=CLASSES[int(p.argmax())],
                entropy=float(entropy_bits(p.astype(np.float32))[0]),
                surprise=-math.log2(top),
                relations=distillation_loss(logs(even), logs(p)) / math.log(2),
            )
        )
    return tuple(found)


def logs(probabilities: Sequence[Sequence[float]] | np.ndarray) -> Floats:
    """Return logits that softmax turns into these probabilities, shape (n, classes)."""
    return np.log(np.asarray(probabilities, dtype=np.float64)).astype(np.float32)


PACKET_LOGITS = logs([packet.probabilities for packet in PACKETS])


@dataclass(frozen=True)
class Softened:
    """Probabilities of one packet at temperature T, and their entropy in bits."""

    temperature: float
    probabilities: tuple[float, ...]
    entropy: float


def softened(logits: Floats, temperatures: Sequence[float] = TEMPERATURES) -> tuple[Softened, ...]:
    """Soften one packet's logits, shape (classes,), at each temperature."""
    found = []
    for t in temperatures:
        p = softmax(logits[None], t)
        found.append(Softened(t, tuple(map(float, p[0])), float(entropy_bits(p)[0])))
    return tuple(found)


@dataclass(frozen=True)
class Loss:
    """The distillation loss at temperature T.

    Attributes
    ----------
    loss, plain
        KL · T² and KL alone, in nats.
    gradient
        d loss / d student's logits, one row's, or the mean length of the rows' where there are several.
    gradient_plain
        The same without T².
    """

    temperature: float
    loss: float
    plain: float
    gradient: tuple[float, ...]
    gradient_plain: tuple[float, ...]


def losses(student: Floats, teacher: Floats, temperatures: Sequence[float] = TEMPERATURES) -> tuple[Loss, ...]:
    """Compute KL · T² of logits, shape (n, classes), at each temperature."""
    found = []
    for t in temperatures:
        loss = distillation_loss(student, teacher, t)
        rows = distillation_gradient(student, teacher, t) * len(student)
        gradient = rows[0] if len(rows) == 1 else np.linalg.norm(rows, axis=1).mean(keepdims=True)
        plain = gradient / t**2
        found.append(Loss(t, loss, loss / t**2, tuple(map(float, gradient)), tuple(map(float, plain))))
    return tuple(found)


@dataclass(frozen=True)
class Size:
    """What a drawn model's figures come to.

    Attributes
    ----------
    model
        As printed.
    parameters, bytes
        Its parameters as a number, and what they take at its bits.
    in_layers
        Parameters of that many transformer layers of that width; None where the tutorial does not say.
    rows
        Rows of an embedding that would make up the rest.
    """

    model: Model
    parameters: int
    bytes: int
    in_layers: int | None
    rows: int | None


def layer_parameters(hidden: int) -> int:
    """Count the parameters of a transformer layer whose feed-forward block is four times as wide.

    With biases and norms: 4 h² + 4 h for attention, 8 h² + 5 h for feed-forward, 4 h for two norms.
    """
    return 12 * hidden**2 + 13 * hidden


def sizes() -> tuple[Size, ...]:
    """Return the drawn models with their memory recomputed."""
    found = []
    for model in MODELS:
        parameters = int(float(model.millions) * 1e6)
        layers = rows = None
        if model.layers is not None and model.hidden is not None:
            layers = model.layers * layer_parameters(model.hidden)
            rows = (parameters - layers) // model.hidden
        found.append(Size(model, parameters, parameters * model.bits // 8, layers, rows))
    return tuple(found)


@dataclass(frozen=True)
class OnGrid:
    """A tensor on a grid.

    Attributes
    ----------
    scheme
        Which integers.
    scale, zero_point, low, high
        Of each grid: one for the tensor, or one a row.
    quantized, reconstructed
        q and x̂, flat, row by row.
    errors, relative
        |x̂ - x|, and that over |x| (0 where x is 0).
    cost
        The whole tensor's.
    """

    scheme: Scheme
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    quantized: tuple[int, ...]
    reconstructed: tuple[float, ...]
    errors: tuple[float, ...]
    relative: tuple[float, ...]
    cost: Cost


def on_grid(scheme: Scheme | None = None, *, share: float = 1.0, per_row: bool = False, x: Floats = W) -> OnGrid:
    """Quantize and dequantize x, shape (rows, columns), and say what it cost.

    Parameters
    ----------
    scheme
        Unsigned 8 bits, asymmetric, if None.
    share
        Share of the min-max range that the grid covers; below 1 it rounds finer and clips.
    per_row
        One grid for each row instead of one for all.
    """
    scheme = scheme or Scheme()
    grid = fit(x, scheme, axis=0 if per_row else None, observer=_narrowed(share))
    q = quantize(x, grid)
    back = dequantize(q, grid)
    errors = np.abs(back.astype(np.float64) - x)
    relative = errors / np.where(x == 0, 1, np.abs(x)).astype(np.float64)
    return OnGrid(
        scheme=scheme,
        scale=tuple(map(float, grid.scale.reshape(-1))),
        zero_point=tuple(map(int, grid.zero_point.reshape(-1))),
        low=tuple(map(float, grid.low.reshape(-1))),
        high=tuple(map(float, grid.high.reshape(-1))),
        quantized=tuple(map(int, q.reshape(-1))),
        reconstructed=tuple(map(float, back.reshape(-1))),
        errors=tuple(map(float, errors.reshape(-1))),
        relative=tuple(map(float, relative.reshape(-1))),
        cost=cost(x, grid, bits=scheme.bits),
    )


def _narrowed(share: float) -> Observer:
    def observe(rows: Floats, scheme: Scheme) -> Range:
        low, high = minmax(rows, scheme)
        return low * np.float32(share), high * np.float32(share)

    return observe


def float32_values(low: float, high: float) -> int:
    """Count the float32 numbers from low (below 0) to high (above 0): those of one sign count up with their bits."""
    below, above = (int(np.abs(np.float32(x)).view(np.int32)) for x in (low, high))
    return below + above + 1
