"""Turn text into token windows: byte-level BPE, and overlapping windows over long events.

Every byte has a token, so no input is unknown. Nothing is folded: case, percent-encoding and
whitespace are what attacks are made of. What changes an answer (vocabulary, window sizes, limits)
travels in `tokenizer.json` and in the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from overproof.bundle.windows import Windows
from overproof.errors import BundleError
from overproof.portions import portions

BEFORE, AFTER = 0x02, 0x03  # a window's markers as bytes: where a text begins and ends tells
PAD = 0
CLS = 1
TOKEN_CHARACTERS = 16  # of one token, more than almost any has
TOKENIZED_AT_ONCE = 1 << 17  # characters: what the library makes of each takes hundreds of bytes
SPECIAL = ("[PAD]", "[CLS]")


@dataclass(frozen=True)
class Windowing:
    """How a long event is cut.

    Attributes
    ----------
    size
        Tokens a window holds, [CLS] included.
    overlap
        Tokens two neighbouring windows share.
    limit
        Windows judged at most; what lies behind them is reported as overflow.
    """

    size: int = 128
    overlap: int = 32
    limit: int = 16

    @property
    def stride(self) -> int:
        """Tokens from one window's start to the next one's."""
        return self.size - 1 - self.overlap

    @property
    def tokens(self) -> int:
        """Tokens of one event that are judged at most."""
        return self.size - 1 + (self.limit - 1) * self.stride

    def starts(self, tokens: int) -> list[int]:
        """Return where the windows of an event begin that has so many tokens.

        Up to `size - 1` tokens are one window; more get windows every `stride` tokens, the last one aligned to the
        event's end so that it is full, `limit` at most.
        """
        last = min(tokens, self.tokens) - (self.size - 1)
        return [0] if last <= 0 else [*range(0, last, self.stride), last]

    @property
    def characters(self) -> int:
        """Characters of one event that are tokenized at most: bounds the work an attacker can cause."""
        return TOKEN_CHARACTERS * self.tokens

    def work(self, text: str) -> int:
        """Return how many tokens of a text are judged at most; each stands for one byte of it or more."""
        begin = text[: self.tokens]
        size = len(begin) if begin.isascii() else len(begin.encode("utf-8", "surrogatepass"))
        return 1 + min(size, self.tokens)


@dataclass(frozen=True)
class TokenBytes:
    """The bytes that each token of a byte-level BPE stands for; [CLS] and [PAD] are a window's markers.

    Attributes
    ----------
    content, starts
        All tokens' bytes one after the other, and where each token's start, shape (vocabulary + 1,).
    """

    content: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def of_tokenizer(cls, tokenizer: tokenizers.Tokenizer) -> TokenBytes:
        """Read the vocabulary of a tokenizer that `train_bpe` made."""
        by_id = sorted((i, piece) for piece, i in tokenizer.get_vocab().items())
        markers = {SPECIAL[CLS]: bytes([BEFORE]), SPECIAL[PAD]: bytes([AFTER])}
        spelled = [markers.get(piece) or bytes(_BYTES[c] for c in piece) for _, piece in by_id]
        starts = np.concatenate([[0], np.cumsum([len(piece) for piece in spelled])]).astype(np.int64)
        return cls(np.frombuffer(b"".join(spelled), dtype=np.uint8), starts)

    def of(self, windows: Sequence[Sequence[int] | NDArray[np.int64]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return windows, each [CLS] first, as bytes between markers: what `ngrams` takes.

        All of them one after the other, and where each window's start, shape (windows + 1,).
        """
        ids = np.array([token for window in windows for token in (*window, PAD)], dtype=np.int64)
        lengths = self.starts[ids + 1] - self.starts[ids]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        place = np.arange(ends[-1]) + np.repeat(self.starts[ids] - ends[:-1], lengths)
        tokens = np.concatenate([[0], np.cumsum([len(window) + 1 for window in windows])]).astype(np.int64)
        return self.content[place], ends[tokens]


def _bytes_of_characters() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for (Radford et al. 2019).

    Printable Latin-1 characters stand for themselves, the other bytes for U+0100 and what follows, in their order.
    """
    themselves = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in themselves]
    return {chr(byte): byte for byte in themselves} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTES = _bytes_of_characters()


def train_bpe(texts: Iterable[str], *, vocabulary: int) -> tokenizers.Tokenizer:
    """Train a byte-level BPE on texts; deterministic for the same texts in the same order.

    Source: Sennrich et al. 2016 (BPE), Radford et al. 2019 (over bytes).
    """
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=16,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def require_ours(tokenizer: tokenizers.Tokenizer, where: str) -> None:
    """Raise BundleError unless a tokenizer differs in its vocabulary alone from what `train_bpe` makes.

    One that pads or truncates would tie a verdict to its batch, one that drops out to chance, and one that normalizes
    would let the tokens of a text stand for other bytes than the text's own.
    """
    if _settings(tokenizer) != _settings(_smallest()):
        raise BundleError(f"{where}: its settings are not those of a tokenizer that `overproof compress` trains")
    vocabulary = tokenizer.get_vocab()
    pieces = set(vocabulary) - set(SPECIAL)
    if sorted(vocabulary.values()) != list(range(len(vocabulary))) or not _BYTES.keys() <= pieces:
        raise BundleError(f"{where}: its vocabulary has gaps, expected tokens from 0 up, and one for each byte")
    if not all(_BYTES.keys() >= set(piece) for piece in pieces):
        raise BundleError(f"{where}: its vocabulary holds what stands for no bytes")


def _settings(tokenizer: tokenizers.Tokenizer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    model = {name: value for name, value in found["model"].items() if name not in ("vocab", "merges")}
    return {**found, "model": model}


@cache
def _smallest() -> tokenizers.Tokenizer:
    return train_bpe((), vocabulary=len(SPECIAL) + len(_BYTES))


def encode(tokenizer: tokenizers.Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without special tokens: where a text says [PAD] or [CLS], it is text."""
    tokenizer.encode_special_tokens = True
    ids: list[list[int]] = []
    for part in portions(map(len, texts), TOKENIZED_AT_ONCE):
        ids += [e.ids for e in tokenizer.encode_batch_fast(list(texts[part]), add_special_tokens=False)]
    return ids


def cut(tokenizer: tokenizers.Tokenizer, texts: Sequence[str], windowing: Windowing) -> Windows:
    """Cut each text into overlapping windows (see `Windowing.starts`)."""
    bound = windowing.characters
    overflow = np.fromiter((len(t) > bound for t in texts), dtype=np.bool_, count=len(texts))
    clipped = [t[:bound] for t in texts] if overflow.any() else texts
    body = windowing.size - 1
    ids: list[list[int]] = []
    owner: list[int] = []
    for event, tokens in enumerate(encode(tokenizer, clipped)):
        if len(tokens) <= body:
            ids.append([CLS, *tokens])
            owner.append(event)
            continue
        if len(tokens) > windowing.tokens:
            overflow[event] = True
            tokens = tokens[: windowing.tokens]
        starts = windowing.starts(len(tokens))
        ids.extend([CLS, *tokens[s : s + body]] for s in starts)
        owner.extend([event] * len(starts))
    return Windows(np.asarray(owner, dtype=np.int32), overflow, ids)
