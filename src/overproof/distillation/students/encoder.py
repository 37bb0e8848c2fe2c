"""Define the network, teacher and student alike: a small pre-norm transformer encoder.

Two choices make it fast at deploy time and cost nothing in the loss: the last layer answers for [CLS]
alone (its other rows are never read), and ReLU, whose one-sided output uses all 256 levels of U8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from overproof.bundle.tokenizer import PAD, TokenBytes
from overproof.distillation.augment import Ids
from overproof.distillation.batches import Trainable, padded
from overproof.distillation.students.ngrams import SPREAD, NgramPart, ngram_batch
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


class Encoder(Trainable):
    """Token ids (batch, tokens), padded with PAD, to logits (batch, classes).

    With an n-gram part, the hashed n-grams of the same windows come in beside the tokens, and one head reads both: the
    n-grams know what was seen, the encoder what it means.

    Parameters
    ----------
    token_bytes
        What each token's bytes are; needed to train a network with an n-gram part.
    """

    def __init__(self, config: EncoderConfig, classes: int, token_bytes: TokenBytes | None = None) -> None:
        super().__init__()
        self.config = config
        self.token_bytes = token_bytes
        self.tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.positions = nn.Parameter(torch.empty(config.positions, config.hidden))
        self.embedding_norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(config.hidden)
        self.ngrams = None if config.ngrams is None else NgramPart(config.ngrams)
        self.ngrams_norm = None if config.ngrams is None else nn.LayerNorm(config.ngrams.hidden)
        self.joined = nn.Identity()  # where what the head reads of both comes by
        extra = 0 if config.ngrams is None else config.ngrams.hidden
        self.head = nn.Linear(config.hidden + extra, classes)

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
                elif name == "ngrams.table":
                    p.normal_(0.0, SPREAD, generator=generator)
                elif name in ("tokens.weight", "positions"):
                    p.normal_(0.0, 0.02, generator=generator)
                else:
                    p.normal_(0.0, p.shape[-1] ** -0.5, generator=generator)
                    if name.endswith(("output.weight", "narrow.weight")):
                        p.mul_(depth)
        return self

    def batch(self, ids: Ids) -> tuple[Tensor, ...]:
        """Turn rows of token ids into what `forward` takes."""
        device = self.positions.device
        tokens = padded(ids, PAD, device)
        if self.config.ngrams is None:
            return (tokens,)
        if self.token_bytes is None:
            raise ValueError("a network with an n-gram part needs the bytes of its tokens")
        return tokens, *ngram_batch(*self.token_bytes.of(ids), self.config.ngrams, device)

    def answers(self, *inputs: Tensor) -> Tensor:
        """Compute its logits, and with an n-gram part also what encoder and n-grams would each answer alone.

        The head's logits are half the sum of these two, so that each part learns all it can, not what the other leaves
        (deep supervision, Lee et al. 2015).
        """
        read = self._read(*inputs)
        logits = self.head(read)
        if self.ngrams is None:
            return logits[None]  # type: ignore[no-any-return]
        width, bias = self.config.hidden, self.head.bias
        parts = ((read[:, :width], self.head.weight[:, :width]), (read[:, width:], self.head.weight[:, width:]))
        return torch.stack([logits, *(2 * functional.linear(x, weight) + bias for x, weight in parts)])

    def forward(self, ids: Tensor, rows: Tensor | None = None, starts: Tensor | None = None) -> Tensor:
        """Compute logits of each row; `rows` and `starts` are the n-grams' (see `NgramPart`)."""
        return self.head(self._read(ids, rows, starts))  # type: ignore[no-any-return]

    def _read(self, ids: Tensor, rows: Tensor | None = None, starts: Tensor | None = None) -> Tensor:
        """Compute what the head reads of each row."""
        bias = torch.zeros(ids.shape, device=ids.device).masked_fill(ids == PAD, MASKED)[:, None, None, :]
        x = self.embedding_norm(self.tokens(ids) + self.positions[: ids.shape[1]])
        x = self.dropout(x)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, bias.to(x.dtype), first_only=i == last)
        read: Tensor = self.final_norm(x[:, 0])
        if self.ngrams is None or self.ngrams_norm is None:
            return read
        return self.joined(torch.cat([read, self.ngrams_norm(self.ngrams(rows, starts))], dim=-1))  # type: ignore[no-any-return]


def new_encoder(config: EncoderConfig, classes: int, *, seed: int, token_bytes: TokenBytes | None = None) -> Encoder:
    """Make an untrained encoder whose weights come from `seed` alone."""
    with torch.random.fork_rng(devices=[]):  # torch's own initialization, which is overwritten, draws globally
        network = Encoder(config, classes, token_bytes)
    return network.initialize(seed)


def parameter_count(network: nn.Module) -> int:
    """Count the trainable numbers of the network."""
    return sum(p.numel() for p in network.parameters())
