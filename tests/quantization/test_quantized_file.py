"""The INT8 file: what is stored, and that a verdict hangs on the event alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from overproof.bundle.runtime import session
from overproof.errors import InputError
from overproof.quantization.calibrate import observe
from overproof.quantization.onnx_inputs import with_outputs
from overproof.quantization.rewrite import quantize_model

if TYPE_CHECKING:
    from ..conftest import Made


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}


def test_every_matrix_is_int8_within_the_reduced_range(made: Made) -> None:
    before, after = weights(made.fp32), weights(made.int8)
    matrices = [n for n, w in before.items() if w.ndim == 2 and n not in ("tokens.weight", "positions")]
    assert len(matrices) == 2 * 5 + 1
    for name in matrices:
        assert after[name].dtype == np.int8
        assert np.abs(after[name].astype(int)).max() == 64
        back = after[name] * after[f"{name}.scale"]
        assert np.abs(back - before[name]).max() <= after[f"{name}.scale"].max() / 2 * 1.001
    assert after["tokens.weight"].dtype == np.int8


def test_logits_stay_close_to_fp32(made: Made) -> None:
    ids = np.random.default_rng(1).integers(2, 200, (400, 16))
    a, b = (session(m.SerializeToString()).run(None, {"input_ids": ids})[0] for m in (made.fp32, made.int8))
    signal, noise = a.std(), (a - b).std()
    assert noise < 0.1 * signal
    assert (a.argmax(1) != b.argmax(1)).mean() < 0.05


def test_a_verdict_does_not_depend_on_batch_order_padding_or_threads(made: Made) -> None:
    file = made.int8.SerializeToString()
    one, two = session(file), session(file, threads=2)
    random = np.random.default_rng(2)
    ids = random.integers(2, 200, (64, 12))
    together = one.run(None, {"input_ids": ids})[0]
    alone = np.concatenate([one.run(None, {"input_ids": row[None]})[0] for row in ids])
    order = random.permutation(64)
    shuffled = np.empty_like(together)
    shuffled[order] = one.run(None, {"input_ids": ids[order]})[0]
    threaded = two.run(None, {"input_ids": ids})[0]
    for other in (alone, shuffled, threaded):
        np.testing.assert_array_equal(together, other)
    padded = one.run(None, {"input_ids": np.pad(ids, ((0, 0), (0, 20)))})[0]
    np.testing.assert_array_equal(together.argmax(1), padded.argmax(1))
    assert len(set(together.argmax(1))) > 1, "all verdicts alike: the test would pass for any model"


def test_ranges_taken_from_the_batch_would_have_failed_that(made: Made) -> None:
    """Dynamic quantization is the same file calibrated on each batch: the same event then gets other logits."""
    ids = np.random.default_rng(2).integers(2, 200, (64, 12))
    in_company, alone = (
        session(quantize_model(made.fp32, [{"input_ids": batch}]).SerializeToString()).run(
            None, {"input_ids": ids[:1]}
        )[0]
        for batch in (ids, ids[:1])
    )
    assert np.abs(in_company - alone).max() > 0.01


def test_ranges_are_those_seen(made: Made) -> None:
    ids = np.random.default_rng(3).integers(2, 200, (8, 9))
    name = "layers.0.inner"
    seen = session(with_outputs(made.fp32, [name]).SerializeToString()).run([name], {"input_ids": ids})[0]
    onnx_inputs = [{"input_ids": ids[:4]}, {"input_ids": ids[4:]}]
    assert observe(made.fp32, [name], onnx_inputs)[name] == pytest.approx((seen.min(), seen.max()))


def test_no_calibration_and_broken_weights_are_refused(made: Made) -> None:
    with pytest.raises(InputError, match="no calibration events"):
        quantize_model(made.fp32, [])
    broken = onnx.ModelProto()
    broken.CopyFrom(made.fp32)
    head = next(w for w in broken.graph.initializer if w.name == "head.weight")
    head.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(head), np.nan), "head.weight"))
    with pytest.raises(InputError, match="inf or NaN"):
        quantize_model(broken, [{"input_ids": np.full((2, 4), 5)}])
