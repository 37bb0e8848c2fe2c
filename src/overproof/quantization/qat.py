"""Train under the teacher with the rounding that the student will be deployed with (QAT).

Weights and activations pass through their grids on the way forward; rounding has the gradient of the identity
on the way back (straight-through estimator, Bengio et al. 2013), and the ranges are learned with the weights
(Esser et al. 2020, "Learned Step Size Quantization"; in logarithms, as Jain et al. 2020, so that one learning rate
fits every scale). The loss stays the distillation loss.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.func import functional_call

from overproof.bundle.runtime import OUTPUT, session
from overproof.bundle.windows import NGRAMS_INPUT
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable, predict
from overproof.distillation.deciding_windows import rows_of_windows
from overproof.distillation.fit import TrainedModel, TrainingSession, learn
from overproof.distillation.network_graph import folded, to_onnx
from overproof.distillation.students.encoder import Encoder
from overproof.distillation.students.ngrams import NgramNetwork
from overproof.distillation.training_set import TrainingSet
from overproof.errors import InputError, OverproofError
from overproof.progress import Console
from overproof.quantization.affine import Grid
from overproof.quantization.calibrate import Ranges
from overproof.quantization.calibrated_model import CalibratedModel
from overproof.quantization.layers import Layer, find_layers
from overproof.quantization.precisions import TRAINABLE
from overproof.quantization.schemes import ACTIVATIONS, weight_grid

PARITY, PARITY_EVENTS = 0.02, 256
STEPS = 250
RATE = 0.05  # of the learning rate that the student was trained with


@dataclass(frozen=True)
class QatPlan:
    """What quantization-aware training starts from, and what it learns from.

    Attributes
    ----------
    precision
        One of `precisions.TRAINABLE`.
    trained
        The student in float.
    training_set
        The one that the student itself was taught by.
    checkpoint
        See `training.train`.
    """

    precision: str
    trained: TrainedModel
    training_set: TrainingSet
    checkpoint: Path | None
    console: Console


def fine_tuning_set(training_set: TrainingSet) -> TrainingSet:
    """Limit training to one pass, or a few hundred steps, at small ones.

    The student has learned its task, only the rounding is new. Larger steps and more of them teach it other things
    (docs/log.md).
    """
    batches = max(1, len(training_set.examples.texts) // training_set.config.batch_rows)
    config = replace(
        training_set.config, epochs=max(1, -(-STEPS // batches)), learning_rate=RATE * training_set.config.learning_rate
    )
    return replace(training_set, config=config)


def train_with_rounding(calibrated: CalibratedModel, plan: QatPlan) -> CalibratedModel:
    """Train the student on, under the same teacher, as its quantized file computes.

    Parameters
    ----------
    calibrated
        The student with the ranges that learning starts from.

    Returns
    -------
    CalibratedModel
        The same student with learned weights, grids and ranges.

    Raises
    ------
    InputError
        A precision without integer activations.
    OverproofError
        If the file that is written does not compute what was trained.
    """
    precision, trained = plan.precision, plan.trained
    if precision not in TRAINABLE:
        raise InputError(f"quantization-aware training at {precision!r}: expected one of {', '.join(TRAINABLE)}")
    network = copy.deepcopy(trained.network)
    precisions = {layer.name: precision for layer in calibrated.layers}
    aware = QuantizationAware(network, calibrated.layers, precisions, calibrated.ranges)
    session = TrainingSession(plan.checkpoint, "student with rounding", plan.console)
    learn(aware, trained, fine_tuning_set(plan.training_set), session)
    grids, ranges = aware.learned()
    graph = to_onnx(network.eval())
    learned = CalibratedModel(replace(calibrated.quantizable, model=graph), find_layers(graph), ranges, grids)
    _require_parity(aware, learned.at(precisions), trained, plan.training_set.validation.texts[:PARITY_EVENTS])
    return learned


def fake_quantize(x: Tensor, scale: Tensor, zero: Tensor | float, qmin: int, qmax: int) -> Tensor:
    """Compute x̂ of `affine.quantize` and `affine.dequantize`, differentiable in x and in the scale.

    Parameters
    ----------
    x
        Any shape.
    scale, zero
        Broadcast against x; scale > 0.
    """
    q = torch.clamp(_rounded(x / scale) + zero, qmin, qmax)
    return (q - zero) * scale


class QuantizationAware(Trainable):
    """A network that computes as its QDQ file will; called as the network itself.

    Parameters
    ----------
    network
        The trained student; its weights are trained on, in place.
    layers, precisions
        What is quantized, and how (see `quantization.rewrite`); w4a32 has no integer activations to learn.
    ranges
        Of the activations, from calibration: where learning starts.
    """

    def __init__(
        self, network: Encoder | NgramNetwork, layers: Sequence[Layer], precisions: Mapping[str, str], ranges: Ranges
    ) -> None:
        super().__init__()
        self.network = network
        if network.ngrams is not None:
            network.ngrams.table.requires_grad_(False)  # rounded already, and a file that stays as it is
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # its noise is far above the rounding's
        self.starts = {layer.name: weight_grid(layer, precisions[layer.name]) for layer in layers}
        self.factors = {name: folded(network.config, name) for name in self.starts}
        self.steps = nn.ParameterList(torch.zeros(grid.scale.shape) for grid in self.starts.values())
        self.ranges = dict(ranges)
        self.tensors = [name for name in ranges if not name.endswith(".asked")]  # of the same tensor as its keys
        self.ends = nn.ParameterList(torch.zeros(2) for _ in self.tensors)
        for name, ends in zip(self.tensors, self.ends, strict=True):
            self._watch(name, ends)

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        """Turn rows into what `forward` takes, as the network itself does."""
        return self.network.batch(ids)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute logits of each row, as the quantized file does."""
        weights = dict(self.network.named_parameters())
        rounded = {}
        for (name, grid), log in zip(self.starts.items(), self.steps, strict=True):
            scale = torch.as_tensor(grid.scale, device=log.device) / self.factors[name] * log.exp()
            if not name.startswith("tokens"):
                scale = scale[:, None]  # torch keeps (out, in)
            rounded[name] = fake_quantize(weights[name], scale, 0.0, grid.qmin, grid.qmax)
        return functional_call(self.network, rounded, inputs)  # type: ignore[no-any-return]

    def learned(self) -> tuple[dict[str, Grid], Ranges]:
        """Return the grids of the weights and the ranges of the activations, as `quantization.rewrite` takes them."""
        grids = {
            name: replace(grid, scale=(grid.scale * np.exp(log.detach().cpu().numpy())).astype(np.float32))
            for (name, grid), log in zip(self.starts.items(), self.steps, strict=True)
        }
        found: Ranges = {}
        for name, ends in zip(self.tensors, self.ends, strict=True):
            low, high = (
                bound * factor for bound, factor in zip(self.ranges[name], ends.detach().exp().tolist(), strict=True)
            )
            found[name] = low, high
            asked = name.replace("attention_norm", "asked")
            if asked in self.ranges:
                found[asked] = low, high
        return grids, found

    def _watch(self, tensor: str, ends: nn.Parameter) -> None:
        """Put the named tensor of the ONNX graph through its grid, wherever torch has it."""
        low, high = self.ranges[tensor]

        def rounded(x: Tensor) -> Tensor:
            bounds = torch.tensor([min(low, 0.0), max(high, 0.0)], device=x.device) * ends.exp()
            qmin, qmax = ACTIVATIONS.limits
            scale = (bounds[1] - bounds[0]) / (qmax - qmin)
            return fake_quantize(x, scale, torch.clamp(_rounded(qmin - bounds[0] / scale), qmin, qmax), qmin, qmax)

        if tensor == NGRAMS_INPUT:
            tensor = "ngrams.bag"
        readers = {"context": "output", "inner": "narrow"}
        place, _, last = tensor.rpartition(".")
        if last in readers:
            module = self.network.get_submodule(f"{place}.{readers[last]}")
            module.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]),))
        else:
            module = self.network.get_submodule(tensor)
            module.register_forward_hook(lambda _, inputs, output: rounded(output))


def _require_parity(
    aware: QuantizationAware, model: onnx.ModelProto, trained: TrainedModel, texts: Sequence[str]
) -> None:
    """Require that the file computes what was trained.

    Torch sums in another order: a value on the edge of a step may fall to its other side, but no more than that.
    """
    runner, windows = session(model.SerializeToString()), trained.reader.read(texts)
    expected = predict(aware.eval(), rows_of_windows(windows))
    found = np.empty_like(expected)
    for rows, onnx_input in windows.batches():
        found[rows] = runner.run([OUTPUT], onnx_input)[0]
    apart = float(np.abs(expected - found).mean() / expected.std())
    if not apart <= PARITY:
        raise OverproofError(f"the quantized file is off what was trained by {apart:.1%} of the logits' spread")


def _rounded(x: Tensor) -> Tensor:
    """Round half to even; the gradient is that of x."""
    return x + (torch.round(x) - x).detach()
