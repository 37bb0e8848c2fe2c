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
from overproof.exact_rates import Rate, rate
from overproof.redteam.region_search import LEAST, ROUNDS, Found, Search, by_neighbourhood, by_ngrams
from overproof.redteam.shared_ngrams import Bools, SharedNgrams, shared_ngrams
from overproof.report.words import interval, percent, short
from overproof.results.typed_json import to_json

Kind = Literal["missed", "false alarm"]

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

    def sentence(self) -> str:
        """Say it in words."""
        common = ", ".join(short(ngram, 30) for ngram in self.ngrams) or "like each other in the embedding"
        return (
            f"  {self.kind}: {self.count:,} events ({percent(self.share)}): {common}; of all such events "
            f"{interval(self.of_all)}, for example {short(self.examples[0].text)}"
        )


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

    def sentences(self) -> list[str]:
        """Say it in words, the region with the largest loss first."""
        head = (
            f"Of {self.events:,} unlabelled events the student misses {self.missed:,} that the full model detects, and "
            f"flags {self.false_alarms:,} that it does not; {len(self.regions):,} regions are blind spots, "
            f"{self.ungrouped:,} of these events are in none."
        )
        return [head, *(region.sentence() for region in self.regions)]


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


def _regions(events: _Events, kind: Kind, same: Bools, parted: Bools) -> Iterator[tuple[Region, Bools]]:
    """Yield the regions of one kind, with the events that each holds."""
    first = {text: row for row, text in reversed(list(enumerate(events.texts))) if same[row]}
    rows = np.array(sorted(first.values()), dtype=np.int64)
    if int(parted[rows].sum()) < LEAST:
        return
    texts, is_parted = [events.texts[row] for row in rows.tolist()], parted[rows]
    ngrams = shared_ngrams(texts, is_parted, LEAST)
    search = Search(is_parted, np.ones(len(rows), dtype=bool), _ERROR / 2 / (len(ngrams.ngrams) + ROUNDS))
    found = list(by_ngrams(events.texts, search, ngrams))
    if events.embeddings is not None:
        found += by_neighbourhood(events.embeddings, events.gaps, search, rows)
    for one in found:
        members = one.members & parted
        inside = members[rows]
        described = _described(ngrams, inside, ~one.members[rows])
        yield _region(events, kind, one, described, parted), one.members


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


def _region(events: _Events, kind: Kind, found: Found, ngrams: tuple[str, ...], parted: Bools) -> Region:
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
