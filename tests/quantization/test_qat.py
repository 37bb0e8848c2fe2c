"""Training with the rounding: what torch computes is what the file computes, and it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.runtime import session
from overproof.distillation.losses import distillation_loss
from overproof.distillation.network_graph import from_onnx, to_onnx
from overproof.errors import InputError
from overproof.quantization.affine import Scheme, dequantize, fit, quantize
from overproof.quantization.calibrate import observe
from overproof.quantization.layers import find_layers
from overproof.quantization.qat import QuantizationAware, fake_quantize
from overproof.quantization.rewrite import rewrite, watched

if TYPE_CHECKING:
    from ..conftest import Made

PRECISIONS = pytest.mark.parametrize("precision", ["w8a8", "w4a8"])


def aware(made: Made, precision: str) -> QuantizationAware:
    layers = find_layers(made.fp32)
    ids = np.random.default_rng(0).integers(2, 200, (64, 12))
    ranges = observe(made.fp32, watched(layers), [{"input_ids": ids}])
    network = from_onnx(made.fp32, made.network.config)
    return QuantizationAware(network, layers, {layer.name: precision for layer in layers}, ranges).eval()


def logits_of_both(model: QuantizationAware, precision: str) -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(1).integers(2, 200, (200, 12))
    graph = to_onnx(model.network)
    layers = find_layers(graph)
    grids, ranges = model.learned()
    file = rewrite(graph, layers, ranges, {layer.name: precision for layer in layers}, grids).SerializeToString()
    with torch.inference_mode():
        return model(torch.from_numpy(ids)).numpy(), session(file).run(None, {"input_ids": ids})[0]


def nearly_the_same(a: np.ndarray, b: np.ndarray) -> None:
    """Sums in another order may push a few values over the edge of a step."""
    assert np.median(np.abs(a - b)) < 1e-4 * a.std()
    assert np.abs(a - b).mean() < 0.01 * a.std()
    assert (a.argmax(1) != b.argmax(1)).mean() <= 0.01


@given(st.integers(2, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_fake_quantization_is_the_arithmetic_of_affine(bits: int, symmetric: bool, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(64).astype(np.float32)
    grid = fit(x, Scheme(bits=bits, symmetric=symmetric, signed=True))
    found = fake_quantize(torch.from_numpy(x), torch.tensor(grid.scale), float(grid.zero_point), grid.qmin, grid.qmax)
    np.testing.assert_array_equal(found.numpy(), dequantize(quantize(x, grid), grid))


def test_gradients_pass_straight_through_inside_the_range_and_move_the_scale() -> None:
    x = torch.tensor([0.3, -0.2, 5.0], requires_grad=True)
    scale = torch.tensor(0.1, requires_grad=True)
    fake_quantize(x, scale, 0.0, -7, 7).sum().backward()
    assert x.grad is not None and x.grad.tolist() == pytest.approx([1, 1, 0])
    # d x̂ / d scale is round(x / s) - x / s inside, qmax outside (Esser et al. 2020, eq. 3)
    assert scale.grad is not None and float(scale.grad) == pytest.approx((3 - 3) + (-2 + 2) + 7, abs=1e-5)


def test_an_encoder_survives_the_way_to_onnx_and_back(made: Made) -> None:
    back = from_onnx(made.fp32, made.network.config)
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, 200, (8, 10)))
    with torch.inference_mode():
        np.testing.assert_allclose(back(ids).numpy(), made.network(ids).numpy(), atol=1e-5)
    with pytest.raises(InputError, match="not a network that overproof wrote"):
        from_onnx(made.int8.__class__(), made.network.config)


@PRECISIONS
def test_before_training_it_is_calibration(made: Made, precision: str) -> None:
    model = aware(made, precision)
    torch_logits, file_logits = logits_of_both(model, precision)
    nearly_the_same(torch_logits, file_logits)
    assert np.abs(torch_logits - made.network(torch.zeros(1, 1, dtype=torch.int64)).detach().numpy()).max() > 0


@PRECISIONS
def test_what_was_learned_reaches_the_file(made: Made, precision: str) -> None:
    model = aware(made, precision)
    before, _ = logits_of_both(model, precision)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in (*model.steps, *model.ends):
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
        model.network.layers[0].query.weight.mul_(1.1)
    learned, file_logits = logits_of_both(model, precision)
    assert np.abs(learned - before).mean() > 0.02 * before.std(), "the change must be seen, or parity proves nothing"
    nearly_the_same(learned, file_logits)


def test_training_brings_four_bits_back_to_the_float_model(made: Made) -> None:
    model = aware(made, "w4a8").train()
    ids = torch.from_numpy(np.random.default_rng(2).integers(2, 200, (256, 12)))
    with torch.no_grad():
        wanted = made.network(ids)

    def divergence() -> torch.Tensor:
        return distillation_loss(model(ids), wanted, temperature=1.0)

    before = float(divergence().detach())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        divergence().backward()
        optimizer.step()
    assert float(divergence().detach()) < before / 3
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (*model.steps, *model.ends))
