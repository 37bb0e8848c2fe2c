"""Explain verdicts by occlusion: a span carried a verdict if the model, asked again without it, is less sure of it.

The model that is deployed is asked, whatever it is made of, and the very text without the span: so an explanation holds
by construction as far as it says anything. What is read of it is the log-odds of an attack, which do not saturate as
probabilities do. Source: Zeiler and Fergus 2014 (occlusion), Li et al. 2016 (erasure of words).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Scorer, Scores
from overproof.inference.explanation.pieces import Place, chunks_of, pieces_of, places_within, runs_of
from overproof.portions import portions

MOST_SPANS = 3
AT_ONCE = 1 << 16  # characters of the events that are explained together, each of which is asked about many times
_CLEARLY = 1.0  # log-odds below even that are as good as any lower ones
_SHORT = 8  # characters by which the shortest spans are not preferred to somewhat longer ones, which say more
_KEPT = 0.9  # share of what a span carries that it must still carry when it is trimmed
_LEAST = 0.05  # share of an event's log-odds that a span must carry, if even odds are far

Odds = NDArray[np.float64]
Question: TypeAlias = Generator[list[str], Odds, tuple["Span", ...]]


@dataclass(frozen=True)
class Span:
    """Part of an event's text that carried its verdict.

    Attributes
    ----------
    start, end
        Its first character, and the one behind its last, counted from 0.
    weight
        By how much the log-odds of an attack (natural logarithm) fall when it is taken out; of a second span, when it
        is taken out with those before it.
    """

    start: int
    end: int
    weight: float

    @property
    def place(self) -> Place:
        """Start and end."""
        return self.start, self.end


def explain(scorer: Scorer, texts: Sequence[str]) -> list[tuple[Span, ...]]:
    """Find the spans that carried each event's verdict as an attack, at most `MOST_SPANS`, in the order they are found.

    Spans are sought until the rest is more likely benign than not. For each span the model is asked at most 320 times
    about at most `pieces.CHUNK` characters; of a longer event the part that alone looks most like an attack is
    explained. An event's spans depend on no other event.

    Parameters
    ----------
    scorer
        The model whose verdicts are explained.
    texts
        Events as text, n of them.

    Returns
    -------
    The spans of each event, n tuples; empty where no span carries anything, or the model has only benign classes, or
    none.
    """
    found: list[tuple[Span, ...]] = []
    for part in portions(map(len, texts), AT_ONCE):
        found += _answered(scorer, [_search(text) for text in texts[part]])
    return found


def attack_log_odds(scores: Scores) -> Odds:
    """Return log p(attack) - log p(benign) of each event, shape (n,); infinite where the logits are no numbers."""
    benign = np.zeros(len(scores.classes), dtype=bool) if scores.benign is None else scores.benign
    logits = scores.logits.astype(np.float64)
    if benign.all() or not benign.any():
        return np.zeros(len(logits))
    with np.errstate(invalid="ignore"):
        odds = np.logaddexp.reduce(logits[:, ~benign], axis=1) - np.logaddexp.reduce(logits[:, benign], axis=1)
    return np.where(np.isnan(odds), np.inf, odds)


def without(text: str, places: Iterable[Place]) -> str:
    """Take what lies between the places, which do not overlap, out of a text."""
    for start, end in sorted(places, reverse=True):
        text = text[:start] + text[end:]
    return text


def _answered(scorer: Scorer, searches: list[Question]) -> list[tuple[Span, ...]]:
    """Put the questions of several searches to the model together, until all have ended."""
    found: dict[int, tuple[Span, ...]] = {}
    asked = {place: next(search) for place, search in enumerate(searches)}
    while asked:
        odds = attack_log_odds(scorer.score([text for texts in asked.values() for text in texts]))
        parts = np.split(odds, np.cumsum([len(texts) for texts in asked.values()])[:-1])
        places, asked = list(asked), {}
        for place, part in zip(places, parts, strict=True):
            try:
                asked[place] = searches[place].send(part)
            except StopIteration as end:
                found[place] = end.value
    return [found[place] for place in range(len(searches))]


def _search(text: str) -> Question:
    """Ask for one event: yield texts, be sent their log-odds, return spans."""
    chunks = chunks_of(text)
    odds = yield [text[begin:end] for begin, end in chunks]
    chosen = int(odds.argmax())
    (begin, end), now = chunks[chosen], float(odds[chosen])
    chunk, taken = text[begin:end], list[Place]()
    spans: list[Span] = []
    while math.isfinite(now) and len(spans) < MOST_SPANS and (now > 0 or not spans):
        runs = runs_of(chunk, taken)
        if not runs:
            break
        drops = now - (yield [without(chunk, [*taken, run]) for run in runs])
        best = _best(runs, drops, now, len(chunk))
        if best is None:
            break
        place, drop = yield from _trimmed(chunk, taken, runs[best], now, float(drops[best]))
        place, drop = yield from _moved(chunk, taken, place, now, drop)
        spans.append(Span(begin + place[0], begin + place[1], round(drop, 3)))
        taken.append(place)
        now -= drop
    return tuple(spans)


def _best(runs: Sequence[Place], drops: Odds, now: float, length: int) -> int | None:
    """Return which run is named: the best of those within half of the text, or else of all; None where none carries."""
    lengths = np.array([end - start for start, end in runs])
    worth = _worth(drops, now) / np.sqrt(_SHORT + lengths)
    for longest in (length / 2, length):
        best = int(np.where(lengths <= longest, worth, -np.inf).argmax())
        if lengths[best] <= longest and drops[best] >= _LEAST * max(now, _CLEARLY):
            return best
    return None


def _trimmed(
    chunk: str, taken: Sequence[Place], place: Place, now: float, drop: float
) -> Generator[list[str], Odds, tuple[Place, float]]:
    """Make a span shorter from the left, then from the right, as long as it carries nearly as much."""
    least = _KEPT * _worth(np.array([drop]), now)
    for from_left in (True, False):
        start, end = place
        cuts = [start + bound for bound in pieces_of(chunk[start:end])[1:-1]]
        places = [(cut, end) for cut in cuts] if from_left else [(start, cut) for cut in reversed(cuts)]
        drops = now - (yield [without(chunk, [*taken, shorter]) for shorter in places])
        kept = np.flatnonzero(_worth(drops, now) >= least)
        if len(kept):
            place, drop = places[kept[-1]], float(drops[kept[-1]])
    return place, drop


def _moved(
    chunk: str, taken: Sequence[Place], place: Place, now: float, drop: float
) -> Generator[list[str], Odds, tuple[Place, float]]:
    """Move a span to where one that is no longer carries most."""
    places = [run for run in places_within(chunk, taken, place[1] - place[0]) if run != place]
    drops = now - (yield [without(chunk, [*taken, other]) for other in places])
    best = int(drops.argmax()) if len(places) else 0
    return (places[best], float(drops[best])) if len(places) and drops[best] > drop else (place, drop)


def _worth(drops: Odds, now: float) -> Odds:
    """Bound what a fall of the log-odds counts for: below even odds more of it says no more."""
    return np.minimum(drops, max(now, 0.0) + _CLEARLY)
