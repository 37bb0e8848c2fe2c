"""Search for what parted events have in common: greedily, n-gram by n-gram, then around single events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.exact_rates import Rate, lower_bound, rate, upper_bound
from overproof.redteam.shared_ngrams import Bools, Ints, SharedNgrams

LEAST = 5  # parted events: fewer are no region
ROUNDS = 40  # n-grams that are looked at in turn, and as many neighbourhoods
_NEAR = 0.8  # cosine of embeddings, less their mean


@dataclass(frozen=True)
class Found:
    """A region before it is described: the n-gram that it holds or None, and its rates in the search."""

    held: str | None
    members: Bools  # of all events
    of_same: Rate
    elsewhere: Rate


@dataclass
class Search:
    """Greedy cover: which events are parted, which are left, and the chance of an error for each n-gram tried."""

    parted: Bools
    left: Bools
    error: float

    def rates(self, inside: Bools) -> tuple[Rate, Rate] | None:
        """Return how often events are parted inside and elsewhere, of those left; None where it may be chance."""
        inside, others = inside & self.left, ~inside & self.left
        n, k = int(inside.sum()), int((inside & self.parted).sum())
        m, j = int(others.sum()), int((others & self.parted).sum())
        if k < LEAST or not m or lower_bound(k, n, self.error) <= upper_bound(j, m, self.error):
            return None
        return rate(k, n), rate(j, m)


def by_ngrams(texts: Sequence[str], search: Search, ngrams: SharedNgrams) -> Iterator[Found]:
    """Take the n-gram that tells parted events best from others, again and again, of what the former left over."""
    lengths = np.array([len(ngram) for ngram in ngrams.ngrams])
    tried, evidence = np.zeros(len(lengths), dtype=bool), _evidence(ngrams, search)
    for _ in range(ROUNDS):
        evidence[tried] = 0.0
        best = float(evidence.max(initial=0.0))
        if best <= 0:
            return
        equal = np.flatnonzero(evidence >= best * (1 - 1e-12))
        ngram = int(equal[np.argmax(lengths[equal])])
        inside = np.zeros(len(search.left), dtype=bool)
        inside[ngrams.holders(ngram)] = True
        rates = search.rates(inside)
        tried[ngram] = True
        if rates is not None:
            search.left &= ~inside
            evidence = _evidence(ngrams, search)
            held = ngrams.ngrams[ngram]
            yield Found(held, np.fromiter((held in text for text in texts), bool), *rates)


def _evidence(ngrams: SharedNgrams, search: Search) -> NDArray[np.float64]:
    """Return how much likelier each n-gram's events are at a rate of their own, as logarithm; 0 for a lower rate."""
    parted, held = ngrams.counts(search.left & search.parted), ngrams.counts(search.left)
    overall = float((search.parted & search.left).sum() / max(1, search.left.sum()))
    own = parted / np.maximum(held, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = parted * np.log(own / overall) + (held - parted) * np.log(np.maximum(1 - own, 1e-300) / (1 - overall))
    return np.where((own > overall) & (parted >= LEAST) & np.isfinite(more), more, 0.0)


def by_neighbourhood(embeddings: Floats, gaps: NDArray[np.float64], search: Search, rows: Ints) -> Iterator[Found]:
    """Group what is left by embeddings: around the event with the largest gap, then the largest of what is left."""
    vectors = embeddings - embeddings.mean(axis=0)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    waiting = search.left & search.parted
    for _ in range(ROUNDS):
        if not waiting.any():
            return
        center = int(rows[np.argmax(np.where(waiting, gaps[rows], -1.0))])
        members = vectors @ vectors[center] >= _NEAR
        members[center] = True
        rates = search.rates(members[rows])
        waiting = waiting & ~members[rows]
        if rates is not None:
            search.left &= ~members[rows]
            yield Found(None, members, *rates)
