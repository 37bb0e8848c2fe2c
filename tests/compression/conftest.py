"""An untrained network with its ONNX and INT8 files: enough to test what does not hang on learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
import tokenizers

from overproof.compression.export import to_onnx
from overproof.compression.quantize import quantize_model
from overproof.compression.student import Encoder, EncoderConfig
from overproof.tokenize import train_bpe


@dataclass(frozen=True)
class Made:
    """A network, what it was exported to, and a tokenizer that fits it."""

    network: Encoder
    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    tokenizer: tokenizers.Tokenizer


@pytest.fixture(scope="session")
def made() -> Made:
    """Two layers of 32, three classes; logits spread out so that verdicts differ."""
    tokenizer = train_bpe(["select * from users", "<script>alert(1)</script>", "GET /index.html"] * 4, vocabulary=300)
    config = EncoderConfig(2, 32, 2, 64, vocabulary=tokenizer.get_vocab_size(), positions=32)
    network = Encoder(config, 3).initialize(0).eval()
    network.tokens.weight.data.mul_(30)
    network.positions.data.mul_(10)
    fp32 = to_onnx(network)
    random = np.random.default_rng(0)
    batches = [random.integers(2, config.vocabulary, (16, n)) for n in (4, 12, 32)]
    return Made(network, fp32, quantize_model(fp32, batches), tokenizer)
