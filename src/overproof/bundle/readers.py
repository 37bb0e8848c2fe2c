"""Read text as a model does: tokens, hashed byte n-grams, or both of the same windows.

What a reader needs travels in the bundle: `tokenizer.json`, `ngrams.npz`, or both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import tokenizers

from overproof.bundle.ngrams import NgramTable, cut_bytes, restored
from overproof.bundle.tokenizer import TokenBytes, Windowing, cut, require_ours
from overproof.bundle.windows import Windows

TOKENIZER, NGRAMS = "tokenizer.json", "ngrams.npz"
READ_WITH = (TOKENIZER, NGRAMS)  # files of a bundle: one of them, or both


_WHOLE = Windowing(size=1 << 30, overlap=0, limit=1)  # what no text is longer than


class Reader(Protocol):
    """Turns texts into the windows that a model judges."""

    @property
    def windowing(self) -> Windowing:
        """How a long event is cut."""
        ...

    def read(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows, as the model's file takes them."""
        ...

    def files(self) -> dict[str, bytes]:
        """Return what a bundle holds of it: file name to content."""
        ...

    def spell(self, windows: Windows, window: int) -> list[str]:
        """Spell what the model reads of a window, piece by piece; part of a character becomes U+FFFD."""
        ...


@dataclass(frozen=True)
class TokenReader:
    """Reads tokens: what an encoder judges."""

    tokenizer: tokenizers.Tokenizer
    windowing: Windowing

    def read(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows of tokens."""
        return cut(self.tokenizer, texts, self.windowing)

    def files(self) -> dict[str, bytes]:
        """Return the tokenizer's file."""
        return {TOKENIZER: self.tokenizer.to_str().encode()}

    def spell(self, windows: Windows, window: int) -> list[str]:
        """Spell a window's tokens, without [CLS]."""
        ids = windows.ids[window][1:] if windows.ids else []
        return [self.tokenizer.decode([i], skip_special_tokens=False) for i in ids]


@dataclass(frozen=True)
class NgramReader:
    """Reads hashed byte n-grams; a window's size is counted in bytes."""

    table: NgramTable
    windowing: Windowing

    def read(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows of bytes, each the sum over its n-grams."""
        found = cut_bytes(texts, self.windowing)
        pooled = self.table.pooled(found.data, found.starts)
        return Windows(found.owner, found.overflow, ngrams=pooled, content=(found.data, found.starts))

    def files(self) -> dict[str, bytes]:
        """Return the table's file."""
        return {NGRAMS: self.table.stored()}

    def spell(self, windows: Windows, window: int) -> list[str]:
        """Return a window's text."""
        if windows.content is None:
            return []
        data, starts = windows.content
        return [data[starts[window] + 1 : starts[window + 1] - 1].tobytes().decode("utf-8", "replace")]


@dataclass(frozen=True)
class HybridReader:
    """Reads tokens, and the n-grams of the very bytes that each window's tokens stand for."""

    tokenizer: tokenizers.Tokenizer
    table: NgramTable
    windowing: Windowing

    def read(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows of tokens, with the sum over their n-grams."""
        windows = cut(self.tokenizer, texts, self.windowing)
        if len(windows) == len(texts) and not windows.overflow.any():  # each is its text, which is quicker to read
            whole = cut_bytes(texts, _WHOLE)
            data, starts = whole.data, whole.starts
        else:
            data, starts = self._bytes.of(windows.ids or [])
        return replace(windows, ngrams=self.table.pooled(data, starts))

    def files(self) -> dict[str, bytes]:
        """Return the files of tokenizer and table."""
        return {TOKENIZER: self.tokenizer.to_str().encode(), NGRAMS: self.table.stored()}

    def spell(self, windows: Windows, window: int) -> list[str]:
        """Spell a window's tokens, without [CLS]."""
        return TokenReader(self.tokenizer, self.windowing).spell(windows, window)

    @cached_property
    def _bytes(self) -> TokenBytes:
        return TokenBytes.of_tokenizer(self.tokenizer)


def reader_of(files: Mapping[str, bytes], windowing: Windowing, where: str) -> Reader:
    """Open what a bundle's files say of how its model reads.

    Parameters
    ----------
    where
        The bundle, for messages.

    Raises
    ------
    BundleError
        A table that is none, or a tokenizer of other settings than ours; an exception of `tokenizers` where its file
        is none.
    """
    tokenizer = tokenizers.Tokenizer.from_buffer(files[TOKENIZER]) if TOKENIZER in files else None
    if tokenizer is not None:
        require_ours(tokenizer, f"{where}/{TOKENIZER}")
    table = restored(files[NGRAMS], f"{where}/{NGRAMS}") if NGRAMS in files else None
    return make_reader(tokenizer, table, windowing)


def make_reader(tokenizer: tokenizers.Tokenizer | None, table: NgramTable | None, windowing: Windowing) -> Reader:
    """Return the reader of a model that has a tokenizer, a table of n-grams, or both."""
    if tokenizer is None:
        assert table is not None  # a bundle without either is refused when it is opened
        return NgramReader(table, windowing)
    return TokenReader(tokenizer, windowing) if table is None else HybridReader(tokenizer, table, windowing)
