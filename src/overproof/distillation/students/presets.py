"""List the networks' sizes by name; reading them needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from overproof.errors import InputError


@dataclass(frozen=True)
class NgramSizes:
    """Sizes of what reads hashed byte n-grams.

    Attributes
    ----------
    rows, width
        Of the table; rows are a power of two.
    hidden
        Width of the layer behind it.
    """

    rows: int = 2**16
    width: int = 16
    hidden: int = 64


@dataclass(frozen=True)
class NgramConfig:
    """All sizes of a network that reads n-grams alone.

    Attributes
    ----------
    positions
        Bytes of the longest window, plus one.
    """

    ngrams: NgramSizes = NgramSizes()
    positions: int = 65


@dataclass(frozen=True)
class EncoderConfig:
    """All sizes of an encoder.

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
    ngrams
        Of the n-gram part that shares its head; None for an encoder alone.
    """

    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int = 128
    dropout: float = 0.1
    ngrams: NgramSizes | None = None


NetworkConfig: TypeAlias = EncoderConfig | NgramConfig

ENCODERS = {
    "tutorial-teacher": EncoderConfig(12, 768, 12, 3072, vocabulary=16384),
    "small-teacher": EncoderConfig(6, 384, 6, 1536, vocabulary=8192),
    "demo-teacher": EncoderConfig(4, 256, 4, 1024, vocabulary=4096),
    "tutorial-student": EncoderConfig(3, 256, 4, 512, vocabulary=8192),
    "small-student": EncoderConfig(2, 128, 2, 512, vocabulary=4096),
    "hybrid-student": EncoderConfig(2, 256, 4, 512, vocabulary=8192, positions=64, ngrams=NgramSizes()),
    "tiny-student": EncoderConfig(2, 64, 2, 256, vocabulary=4096),
}
NGRAM = "ngram-student"
NGRAM_TEACHER = NgramConfig(NgramSizes(2**17, 32, 128))  # its table stays below what each step would map anew
PRESETS: dict[str, NetworkConfig] = {**ENCODERS, NGRAM: NgramConfig(), "ngram-teacher": NGRAM_TEACHER}

AUTO = "auto"  # in the place of a preset: one student of each of these, from which the smallest that will do is taken
LADDER = ("tiny-student", "small-student", NGRAM, "tutorial-student", "hybrid-student")


def require_student(name: str) -> None:
    """Raise InputError unless it is a preset, or `auto`."""
    if name != AUTO and name not in PRESETS:
        raise InputError(f"no preset {name!r}: expected one of {', '.join(PRESETS)}, or {AUTO}")


def preset(name: str) -> NetworkConfig:
    """Return the sizes of a preset; InputError lists the names if there is none."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


@dataclass(frozen=True)
class TransferShares:
    """How many events that nobody has labelled a student learns from, for each training event.

    Attributes
    ----------
    transfer
        Edited and recombined ones, which the teacher labels.
    consistency, joined
        Harmless edits, and lists of events, under the teacher's answer for the event as it was.
    """

    transfer: float
    consistency: float
    joined: float


def transfer_shares(config: NetworkConfig) -> TransferShares:
    """Return what a student learns from besides, unless it is told otherwise; why is in docs/log.md.

    N-grams lost accuracy by all of it, and are judged in short windows instead. An encoder alone learns from edits, and
    finds attacks in long benign text by the surroundings that are drawn anew each epoch; with n-grams beside it these
    cost too much, and a few lists of events take their place, and edits whose answer is known.
    """
    if isinstance(config, NgramConfig):
        return TransferShares(0.0, 0.0, 0.0)
    return TransferShares(0.5, 0.0, 0.0) if config.ngrams is None else TransferShares(0.0, 0.3, 0.05)


def config_json(config: NetworkConfig) -> dict[str, Any]:
    """Return the sizes as plain JSON."""
    return asdict(config)


def config_from_json(data: Mapping[str, Any]) -> NetworkConfig:
    """Read what `config_json` gave, among other entries; KeyError or TypeError if a size is missing."""
    kind: type[NetworkConfig] = EncoderConfig if "layers" in data else NgramConfig
    sizes = {f.name: data[f.name] for f in fields(kind) if f.name in data}
    if sizes.get("ngrams") is not None:
        sizes["ngrams"] = NgramSizes(**sizes["ngrams"])
    return kind(**sizes)
