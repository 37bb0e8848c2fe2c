"""Find the n-grams of tokens that texts share, and which text holds which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_TOKEN = re.compile(r"(\s*)(\w+|[^\w\s])")
_READ = 4096  # characters of a text: what comes behind them is not searched for n-grams
_LONGEST = 16  # tokens
_ROOT = 0


@dataclass(frozen=True)
class SharedNgrams:
    """N-grams, and which of some texts hold them.

    Attributes
    ----------
    ngrams
        As they stand in the texts, white space included.
    ngram, text
        A place each for every n-gram that a text holds: the n-gram's number, and the text's.
    """

    ngrams: tuple[str, ...]
    ngram: Ints
    text: Ints

    def counts(self, texts: Bools) -> Ints:
        """Count in how many of the texts each n-gram stands, shape (n-grams,)."""
        return np.bincount(self.ngram[texts[self.text]], minlength=len(self.ngrams)).astype(np.int64)

    def holders(self, ngram: int) -> Ints:
        """Return the numbers of the texts that hold an n-gram."""
        return np.asarray(self.text[self.ngram == ngram], dtype=np.int64)


@dataclass(frozen=True)
class _Tree:
    """Known n-grams by their tokens: for each the n-grams that are longer by a token; the root is empty."""

    ngrams: list[str]
    longer: list[dict[str, int]]


def shared_ngrams(texts: Sequence[str], among: Bools, least: int) -> SharedNgrams:
    """Find the n-grams of up to sixteen tokens that at least so many of some texts share, and all that hold them.

    Parameters
    ----------
    texts
        Of each, the first 4,096 characters are read.
    among
        Which texts must share an n-gram, shape (n,).
    least
        How many of those must hold it.
    """
    tree = _grown([_tokens(texts[row]) for row in np.flatnonzero(among).tolist()], least)
    held = [_held(_tokens(text), tree) for text in texts]
    return SharedNgrams(
        tuple(tree.ngrams[1:]),
        np.fromiter((number - 1 for numbers in held for number in numbers), np.int64),
        np.repeat(np.arange(len(held)), [len(numbers) for numbers in held]),
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    """Split a text into tokens, with the white space before each apart."""
    found: list[tuple[str, str]] = _TOKEN.findall(text[:_READ])
    return found


def _grown(texts: list[list[tuple[str, str]]], least: int) -> _Tree:
    """Grow n-grams token by token: a longer one is held by no more texts than its beginning is."""
    tree = _Tree([""], [{}])
    ends = [[(_ROOT, place) for place in range(len(tokens))] for tokens in texts]  # known n-grams, and what follows
    for _ in range(_LONGEST):
        holders: Counter[tuple[int, str]] = Counter()
        for tokens, places in zip(texts, ends, strict=True):
            holders.update({(ngram, _next(tokens, ngram, place)) for ngram, place in places})
        for ngram, token in sorted(key for key, count in holders.items() if count >= least):
            tree.longer[ngram][token] = len(tree.ngrams)
            tree.ngrams.append(tree.ngrams[ngram] + token)
            tree.longer.append({})
        for row, (tokens, places) in enumerate(zip(texts, ends, strict=True)):
            grown = ((tree.longer[ngram].get(_next(tokens, ngram, place)), place + 1) for ngram, place in places)
            ends[row] = [(ngram, place) for ngram, place in grown if ngram is not None and place < len(tokens)]
    return tree


def _next(tokens: list[tuple[str, str]], ngram: int, place: int) -> str:
    blank, token = tokens[place]
    return token if ngram == _ROOT else blank + token


def _held(tokens: list[tuple[str, str]], tree: _Tree) -> list[int]:
    """Return the numbers of the known n-grams that a text holds, sorted."""
    found: set[int] = set()
    first, longer, count = tree.longer[_ROOT], tree.longer, len(tokens)
    following = [blank + token for blank, token in tokens]
    for place, (_, token) in enumerate(tokens):
        ngram = first.get(token)
        while ngram is not None:
            found.add(ngram)
            place += 1
            ngram = longer[ngram].get(following[place]) if place < count else None
    return sorted(found)
