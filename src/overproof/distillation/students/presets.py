"""List the networks' sizes by name; reading them needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.errors import InputError


@dataclass(frozen=True)
class EncoderConfig:
    """All sizes of one network.

    Attributes
    ----------
    layers, hidden, heads, feed_forward
        Depth, width, attention heads and the inner width of the feed-forward block.
    vocabulary
        Rows of the token embedding.
    positions
        Tokens of the longest window, [CLS] included; a multiple of 8.
    dropout
        Share of activations dropped while training.
    """

    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int = 128
    dropout: float = 0.1


PRESETS = {
    "tutorial-teacher": EncoderConfig(12, 768, 12, 3072, vocabulary=16384),
    "small-teacher": EncoderConfig(6, 384, 6, 1536, vocabulary=8192),
    "demo-teacher": EncoderConfig(4, 256, 4, 1024, vocabulary=4096),
    "tutorial-student": EncoderConfig(3, 256, 4, 512, vocabulary=8192),
    "small-student": EncoderConfig(2, 128, 2, 512, vocabulary=4096),
    "tiny-student": EncoderConfig(2, 64, 2, 256, vocabulary=4096),
}


def preset(name: str) -> EncoderConfig:
    """Return the sizes of a preset; InputError lists the names if there is none."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
