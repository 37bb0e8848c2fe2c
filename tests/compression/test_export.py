"""The graph we write computes what torch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from overproof.compression.export import to_onnx
from overproof.compression.student import Encoder, EncoderConfig
from overproof.runtime import session

if TYPE_CHECKING:
    from ..conftest import Made


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_logits_equal_torchs(layers: int) -> None:
    config = EncoderConfig(layers, 32, 4, 64, vocabulary=100, positions=24)
    network = Encoder(config, 5).initialize(1).eval()
    for p in network.parameters():  # biases and norms away from their neutral start, or mistakes would hide
        p.data.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(2)) * 0.1)
    ids = np.random.default_rng(0).integers(2, 100, (6, 20))
    ids[0, 3:] = 0
    ids[1, 1:] = 0
    with torch.inference_mode():
        expected = network(torch.from_numpy(ids)).numpy()
    got = session(to_onnx(network).SerializeToString()).run(None, {"input_ids": ids})[0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_padding_changes_nothing_in_fp32(made: Made) -> None:
    runner = session(made.fp32.SerializeToString())
    ids = np.random.default_rng(0).integers(2, 200, (3, 10))
    wide = np.pad(ids, ((0, 0), (0, 20)))
    a, b = (runner.run(None, {"input_ids": x})[0] for x in (ids, wide))
    np.testing.assert_allclose(a, b, atol=1e-5)
