"""Whoever holds a quantized file knows the student's weights, up to what rounding took."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from overproof.bundle.runtime import session
from overproof.distillation.batches import predict
from overproof.distillation.network_graph import from_onnx
from overproof.quantization.float_weights import float_weights
from overproof.quantization.rewrite import quantize_model

from ..conftest import Made

LOST = {"w8a8": 0.02, "w4a8": 0.25, "w4a32": 0.25}  # of a weight's root mean square


@pytest.mark.parametrize("precision", LOST)
def test_weights_come_back_as_far_as_they_were_kept(made: Made, precision: str) -> None:
    random = np.random.default_rng(0)
    onnx_inputs = [{"input_ids": random.integers(2, made.network.config.vocabulary, (16, n))} for n in (4, 12)]
    quantized = quantize_model(made.fp32, onnx_inputs, precision)
    assert any(node.op_type == "DequantizeLinear" for node in quantized.graph.node)
    network = from_onnx(float_weights(quantized), made.network.config)
    before = made.network.state_dict()
    for name, value in network.state_dict().items():
        error = (value - before[name]).square().mean().sqrt() / before[name].square().mean().sqrt().clamp(min=1e-6)
        assert error < LOST[precision], name


def test_a_model_that_is_not_quantized_gives_its_own(made: Made) -> None:
    found = {weight.name: numpy_helper.to_array(weight) for weight in float_weights(made.fp32).graph.initializer}
    for weight in made.fp32.graph.initializer:
        np.testing.assert_array_equal(found[weight.name], numpy_helper.to_array(weight))


@pytest.mark.parametrize("precision", LOST)
def test_the_network_read_back_says_what_the_quantized_file_says_but_for_rounded_activations(
    made: Made, precision: str
) -> None:
    ids = np.random.default_rng(1).integers(2, made.network.config.vocabulary, (64, 8))
    quantized = quantize_model(made.fp32, [{"input_ids": ids}], precision)
    said = session(quantized.SerializeToString()).run(["logits"], {"input_ids": ids})[0]
    again = predict(from_onnx(float_weights(quantized), made.network.config), list(ids))
    assert (said.argmax(1) == again.argmax(1)).mean() > 0.9
    assert np.abs(said - again).mean() < 0.1 * said.std()
