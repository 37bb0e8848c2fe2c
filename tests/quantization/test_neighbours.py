"""Neighbouring grid points: what is rounded moves by one integer at most, in the direction that was drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from overproof.bundle.manifest import MODEL, Bundle, digest, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.quantization.grid_neighbours import neighbouring_logits, rounded_activations, shifted

if TYPE_CHECKING:
    from ..conftest import Made

TEXTS = ["select * from users", "<script>alert(1)</script>", "GET /index.html", "x"]


def one_rounding() -> onnx.ModelProto:
    """x, rounded to a grid of step 0.5 around 10."""
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("Cast", ["q"], ["y"], to=1)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("s", TensorProto.FLOAT, [], [0.5]), helper.make_tensor("z", TensorProto.UINT8, [], [10])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_first_two_draws_round_up_and_down() -> None:
    x = np.array([0.0, 0.1, 0.24, 0.26, 0.5, 1.01, -0.3], dtype=np.float32)
    up, down = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
        for model in shifted(one_rounding(), 2, 0)
    )
    assert up.tolist() == (np.ceil(x / 0.5) + 10).tolist()
    assert down.tolist() == (np.floor(x / 0.5) + 10).tolist()


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Bundle:
    from overproof.bundle.manifest import Manifest, write_bundle
    from overproof.bundle.tokenizer import Windowing

    files = {MODEL: made.int8.SerializeToString(), "tokenizer.json": made.tokenizer.to_str().encode()}
    manifest = Manifest(
        format=1,
        overproof="0",
        classes=("a", "b", "benign"),
        benign=("benign",),
        windowing=Windowing(size=32, overlap=8, limit=2),
        normalization="none",
        thresholds={},
        temperature=2.0,
        hard_weight=0.5,
        seed=0,
        precision="int8",
        network={},
        data={},
        teacher={},
        parity=(),
        versions={},
        files={name: digest(content) for name, content in files.items()},
    )
    write_bundle(tmp_path / "bundle", manifest, files)
    return open_bundle(tmp_path / "bundle")


def test_logits_move_a_little_and_the_same_way_each_time(bundle: Bundle) -> None:
    own = OnnxScorer(bundle).score(TEXTS).logits
    moved = neighbouring_logits(bundle, TEXTS, draws=4)
    assert moved is not None and moved.shape == (4, len(TEXTS), 3)
    assert np.array_equal(moved, neighbouring_logits(bundle, TEXTS, draws=4))
    assert 0 < np.abs(moved - own).max() < np.ptp(own)


def test_a_model_in_float_has_no_neighbours(bundle: Bundle, made: Made) -> None:
    assert rounded_activations(made.int8) and not rounded_activations(made.fp32)
    floats = replace(bundle, files={**bundle.files, MODEL: made.fp32.SerializeToString()})
    assert neighbouring_logits(floats, TEXTS) is None
