"""Find blind spots without any edit: regions of unlabelled events where student and full model part.

An event that one holds for an attack and the other for benign is parted. Parted events are grouped by the n-grams that
they share, by greedy cover; a region is only reported where exact intervals, corrected for the number of n-grams that
were tried, say that its events are parted more often than all others. The comparison is among events of which the full
model says the same: n-grams of attacks are no blind spot only because attacks are what can be missed. Equal texts count
once in it; texts that are nearly equal are still taken for independent.

A region says that the two models part there, not which of them is right, and not that compression is to blame: a
retrained control, asked the same, says that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.redteam.exact_rates import Rate, lower_bound, rate, upper_bound
from overproof.redteam.shared_ngrams import Bools, Ints, SharedNgrams, shared_ngrams
from overproof.results.typed_json import to_json

Kind = Literal["missed", "false alarm"]

_LEAST = 5  # parted events: fewer are no region
_ROUNDS = 40  # n-grams that are looked at in turn, and as many neighbourhoods
_NEAR = 0.8  # cosine of embeddings, less their mean
_ERROR = 0.05  # chance that any n-gram of a student that parts at random is reported
_COMMON, _LIKELIER = 0.8, 3.0  # share of a region that its n-grams stand in, and how many times that of others
_SHOWN = 5


@dataclass(frozen=True)
class Limits:
    """From which probability on the student, and the full model, hold an event for an attack."""

    student: float
    full_model: float


@dataclass(frozen=True)
class Parted:
    """An event that student and full model part on: its row, and the probability of an attack that each gives."""

    row: int
    text: str
    student: float
    full_model: float


@dataclass(frozen=True)
class Region:
    """Events that student and full model part on, with something in common.

    Attributes
    ----------
    kind
        `missed`: the student says benign, the full model attack; `false alarm`: the other way round.
    held
        The n-gram that all its events hold; None for a neighbourhood of embeddings.
    ngrams
        What stands in most of its events, and far less often in others; the longest first.
    count, share
        Parted events, and their share of all events.
    mean_gap, loss
        Mean distance of the two probabilities, and its sum.
    of_all
        How often the two part among all events that hold the n-gram, or lie near: with its 95 % interval.
    of_same, elsewhere
        The same among those of which the full model says the same, and among all others of those. Equal texts count
        once.
    examples
        Those with the largest gap.
    """

    kind: Kind
    held: str | None
    ngrams: tuple[str, ...]
    count: int
    share: float
    mean_gap: float
    loss: float
    of_all: Rate
    of_same: Rate
    elsewhere: Rate
    examples: tuple[Parted, ...]


@dataclass(frozen=True)
class BlindSpots:
    """Where student and full model part.

    Attributes
    ----------
    events
        How many there were.
    missed, false_alarms
        How many of them are parted, in a region or not.
    regions
        The largest loss first; an event may be in several.
    ungrouped
        Parted events in no region: nothing that they share tells them from others.
    """

    events: int
    missed: int
    false_alarms: int
    regions: tuple[Region, ...]
    ungrouped: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        found: dict[str, Any] = to_json(self)
        return found


def blind_spots(
    texts: Sequence[str], student: Floats, full_model: Floats, limits: Limits, embeddings: Floats | None = None
) -> BlindSpots:
    """Find the regions where student and full model part.

    Parameters
    ----------
    texts
        The user's own events.
    student, full_model
        The probability of an attack that each gives, shape (n,).
    limits
        From which probability on each says attack.
    embeddings
        Of the events, shape (n, d), from any model: parted events that share no n-gram are grouped by them.

    Raises
    ------
    ValueError
        If there is not one probability of each, and one embedding, for every text.
    """
    n = len(texts)
    if student.shape != (n,) or full_model.shape != (n,) or (embeddings is not None and len(embeddings) != n):
        raise ValueError(f"{n} texts, but scores of shapes {student.shape} and {full_model.shape}")
    says, is_attack = student >= limits.student, full_model >= limits.full_model
    events = _Events(texts, student, full_model, embeddings)
    grouped = np.zeros(n, dtype=bool)
    regions: list[Region] = []
    is_parted = says != is_attack
    sides: tuple[tuple[Kind, Bools], ...] = (("missed", is_attack), ("false alarm", ~is_attack))
    for kind, same in sides:
        for region, members in _regions(events, kind, same, same & is_parted):
            regions.append(region)
            grouped |= members & same & is_parted
    regions.sort(key=lambda region: (-region.loss, region.held or "", region.ngrams))
    missed = int((is_parted & is_attack).sum())
    return BlindSpots(n, missed, int(is_parted.sum()) - missed, tuple(regions), int((is_parted & ~grouped).sum()))


@dataclass(frozen=True)
class _Events:
    texts: Sequence[str]
    student: Floats
    full_model: Floats
    embeddings: Floats | None

    @property
    def gaps(self) -> NDArray[np.float64]:
        return np.abs(self.full_model.astype(np.float64) - self.student)


@dataclass(frozen=True)
class _Found:
    """A region before it is described: the n-gram that it holds or None, and its rates in the search."""

    held: str | None
    members: Bools  # of all events
    of_same: Rate
    elsewhere: Rate


def _regions(events: _Events, kind: Kind, same: Bools, parted: Bools) -> Iterator[tuple[Region, Bools]]:
    """Yield the regions of one kind, with the events that each holds."""
    first = {text: row for row, text in reversed(list(enumerate(events.texts))) if same[row]}
    rows = np.array(sorted(first.values()), dtype=np.int64)
    if int(parted[rows].sum()) < _LEAST:
        return
    texts, is_parted = [events.texts[row] for row in rows.tolist()], parted[rows]
    ngrams = shared_ngrams(texts, is_parted, _LEAST)
    search = _Search(is_parted, np.ones(len(rows), dtype=bool), _ERROR / 2 / (len(ngrams.ngrams) + _ROUNDS))
    found = list(_by_ngrams(events, search, ngrams))
    if events.embeddings is not None:
        found += _by_neighbourhood(events, search, rows)
    for one in found:
        members = one.members & parted
        inside = members[rows]
        described = _described(ngrams, inside, ~one.members[rows])
        yield _region(events, kind, one, described, parted), one.members


@dataclass
class _Search:
    """Greedy cover: which events are parted, which are left, and the chance of an error for each n-gram tried."""

    parted: Bools
    left: Bools
    error: float

    def rates(self, inside: Bools) -> tuple[Rate, Rate] | None:
        """Return how often events are parted inside and elsewhere, of those left; None where it may be chance."""
        inside, others = inside & self.left, ~inside & self.left
        n, k = int(inside.sum()), int((inside & self.parted).sum())
        m, j = int(others.sum()), int((others & self.parted).sum())
        if k < _LEAST or not m or lower_bound(k, n, self.error) <= upper_bound(j, m, self.error):
            return None
        return rate(k, n), rate(j, m)


def _by_ngrams(events: _Events, search: _Search, ngrams: SharedNgrams) -> Iterator[_Found]:
    """Take the n-gram that tells parted events best from others, again and again, of what the former left over."""
    lengths = np.array([len(ngram) for ngram in ngrams.ngrams])
    tried, evidence = np.zeros(len(lengths), dtype=bool), _evidence(ngrams, search)
    for _ in range(_ROUNDS):
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
            yield _Found(held, np.fromiter((held in text for text in events.texts), bool), *rates)


def _evidence(ngrams: SharedNgrams, search: _Search) -> NDArray[np.float64]:
    """Return how much likelier each n-gram's events are at a rate of their own, as logarithm; 0 for a lower rate."""
    parted, held = ngrams.counts(search.left & search.parted), ngrams.counts(search.left)
    overall = float((search.parted & search.left).sum() / max(1, search.left.sum()))
    own = parted / np.maximum(held, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = parted * np.log(own / overall) + (held - parted) * np.log(np.maximum(1 - own, 1e-300) / (1 - overall))
    return np.where((own > overall) & (parted >= _LEAST) & np.isfinite(more), more, 0.0)


def _by_neighbourhood(events: _Events, search: _Search, rows: Ints) -> Iterator[_Found]:
    """Group what is left by embeddings: around the event with the largest gap, then the largest of what is left."""
    assert events.embeddings is not None
    vectors = events.embeddings - events.embeddings.mean(axis=0)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    gaps, waiting = events.gaps[rows], search.left & search.parted
    for _ in range(_ROUNDS):
        if not waiting.any():
            return
        center = int(rows[np.argmax(np.where(waiting, gaps, -1.0))])
        members = vectors @ vectors[center] >= _NEAR
        members[center] = True
        rates = search.rates(members[rows])
        waiting = waiting & ~members[rows]
        if rates is not None:
            search.left &= ~members[rows]
            yield _Found(None, members, *rates)


def _described(ngrams: SharedNgrams, inside: Bools, others: Bools) -> tuple[str, ...]:
    """Return n-grams that are common inside and far less so elsewhere, without parts of each other, longest first."""
    share = ngrams.counts(inside) / max(1, int(inside.sum()))
    other = ngrams.counts(others) / max(1, int(others.sum()))
    telling = np.flatnonzero((share >= _COMMON) & (share >= _LIKELIER * other))
    chosen: list[str] = []
    for ngram in sorted((ngrams.ngrams[number] for number in telling), key=lambda ngram: (-len(ngram), ngram)):
        if len(chosen) < _SHOWN and not any(ngram in longer for longer in chosen):
            chosen.append(ngram)
    return tuple(chosen)


def _region(events: _Events, kind: Kind, found: _Found, ngrams: tuple[str, ...], parted: Bools) -> Region:
    members = np.flatnonzero(found.members & parted)
    gaps = events.gaps[members]
    largest = members[np.argsort(-gaps, kind="stable")][:_SHOWN]
    seen = {events.texts[row]: bool(parted[row]) for row in np.flatnonzero(found.members).tolist()}
    return Region(
        kind=kind,
        held=found.held,
        ngrams=ngrams,
        count=len(members),
        share=len(members) / len(events.texts),
        mean_gap=float(gaps.mean()),
        loss=float(gaps.sum()),
        of_all=rate(sum(seen.values()), len(seen)),
        of_same=found.of_same,
        elsewhere=found.elsewhere,
        examples=tuple(
            Parted(row, events.texts[row], float(events.student[row]), float(events.full_model[row]))
            for row in largest.tolist()
        ),
    )
