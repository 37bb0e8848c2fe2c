"""Define the network, teacher and student alike: a small pre-norm transformer encoder.

Two choices make it fast at deploy time and cost nothing in the loss: the last layer answers for [CLS]
alone (its other rows are never read), and ReLU, whose one-sided output uses all 256 levels of U8.
"""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor, nn
from torch.nn import functional

from overproof.bundle.tokenizer import PAD
from overproof.distillation.students.presets import EncoderConfig

MASKED = -1e4  # large enough that exp() is exactly 0 in float32, small enough for bf16


class Layer(nn.Module):
    """Attention and feed-forward, each on a normalized input and added to the stream."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        d = config.hidden
        self.heads = config.heads
        self.scale = (d // config.heads) ** -0.5
        self.attention_norm = nn.LayerNorm(d)
        self.query = nn.Linear(d, d)
        self.key_value = nn.Linear(d, 2 * d)
        self.output = nn.Linear(d, d)
        self.feed_forward_norm = nn.LayerNorm(d)
        self.widen = nn.Linear(d, config.feed_forward)
        self.narrow = nn.Linear(config.feed_forward, d)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, bias: Tensor, *, first_only: bool) -> Tensor:
        """Compute x (batch, tokens, hidden) to the same shape, or (batch, 1, hidden) for [CLS] alone."""
        normal = self.attention_norm(x)
        key, value = self.key_value(normal).chunk(2, dim=-1)
        if first_only:
            x, normal = x[:, :1], normal[:, :1]
        # Written out: torch's fused attention is slower than this for rows as short as real events.
        scores = self._split(self.query(normal)) @ self._split(key).transpose(-1, -2) * self.scale
        context = functional.softmax(scores + bias, dim=-1) @ self._split(value)
        x = x + self.dropout(self.output(context.transpose(1, 2).flatten(2)))
        inner = functional.relu(self.widen(self.feed_forward_norm(x)))
        return x + self.dropout(self.narrow(inner))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)


class Encoder(nn.Module):
    """Token ids (batch, tokens), padded with PAD, to logits (batch, classes)."""

    def __init__(self, config: EncoderConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.positions = nn.Parameter(torch.empty(config.positions, config.hidden))
        self.embedding_norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(config.hidden)
        self.head = nn.Linear(config.hidden, classes)

    def initialize(self, seed: int) -> Encoder:
        """Draw all weights from a seeded generator of our own; the global one stays untouched."""
        generator = torch.Generator().manual_seed(seed)
        depth = (2 * self.config.layers) ** -0.5
        with torch.no_grad():
            for name, p in sorted(self.named_parameters()):
                if name.endswith("norm.weight"):
                    p.fill_(1.0)
                elif name.endswith("bias"):
                    p.zero_()
                elif name in ("tokens.weight", "positions"):
                    p.normal_(0.0, 0.02, generator=generator)
                else:
                    p.normal_(0.0, p.shape[-1] ** -0.5, generator=generator)
                    if name.endswith(("output.weight", "narrow.weight")):
                        p.mul_(depth)
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """Compute logits of each row."""
        bias = torch.zeros(ids.shape, device=ids.device).masked_fill(ids == PAD, MASKED)[:, None, None, :]
        x = self.embedding_norm(self.tokens(ids) + self.positions[: ids.shape[1]])
        x = self.dropout(x)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, bias.to(x.dtype), first_only=i == last)
        return self.head(self.final_norm(x[:, 0]))  # type: ignore[no-any-return]


def new_encoder(config: EncoderConfig, classes: int, *, seed: int) -> Encoder:
    """Make an untrained encoder whose weights come from `seed` alone."""
    with torch.random.fork_rng(devices=[]):  # torch's own initialization, which is overwritten, draws globally
        network = Encoder(config, classes)
    return network.initialize(seed)


def parameter_count(network: nn.Module) -> int:
    """Count the trainable numbers of the network."""
    return sum(p.numel() for p in network.parameters())


def config_json(config: EncoderConfig) -> dict[str, int | float]:
    """Return the config as plain JSON."""
    return asdict(config)
