"""Tell a trigger from ordinary words: hold what a search found against them, on events that chose nothing.

Any model loses some attacks to benign padding, so what a search finds accuses nobody. As Neural Cleanse (Wang et al.
2019) holds the trigger of one class against those of the others, it is held here against the model's own ordinary
words: the search is run again, three times, for words that may be half as long again and resemble nothing of it. It is
accused where it fells most of the events that none of these does, and clearly, lowering the log-odds by a fifth more:
an exact bound (Clopper and Pearson 1934) on events that chose nothing, corrected for the triggers that are held against
it. How many words were tried needs no correction: none was chosen by those events. What is not accused is ordinary
itself, and the next is held against it too.

The head start is one of length, since log-odds are bounded: those of a network whose benign words take 12 nats off an
attack leave no room for half as much again. A trigger that is no stronger than such words is not told from them: who
knows those needs no trigger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from overproof.events.split import template
from overproof.exact_rates import Rate, lower_bound, rate
from overproof.redteam.triggers import SEARCHED, Ask, Trigger, TriggerSearch
from overproof.redteam.victim import Bools, Doubles, Victim
from overproof.report.words import interval, short
from overproof.results.typed_json import to_json

ERROR = 0.05  # of accusing any trigger wrongly
MOST = 0.5  # of the events that ordinary words leave: what is shown to fell more, and clearly, is a trigger
CLEARLY = 1.2  # times what any ordinary words take off the log-odds of the same event
LONGER = 1.5  # times its length: so long may the ordinary words be that a trigger is held against
LEAST = 24  # events of a template of their own: a third of them choose


@dataclass(frozen=True)
class HeldTrigger:
    """A sequence of words, and what it fells of the events that chose nothing.

    Attributes
    ----------
    words, place
        What is put into events, and where: behind, ahead or inside.
    felled
        Share of the events.
    of_left
        Share of those that the ordinary words leave standing that it fells clearly; None where they leave none.
    accused
        Whether that is shown to be most of them.
    """

    words: str
    place: str
    felled: Rate
    of_left: Rate | None = None
    accused: bool = False


@dataclass(frozen=True)
class TriggerReport:
    """What a search of triggers found.

    Attributes
    ----------
    candidates, queries
        Words that were tried, and texts that the model was asked about.
    searched, verified
        Events that triggers were chosen by, and events that chose nothing.
    ordinary
        The natural level: the best words that resemble none of what is held against them; they may be longer.
    held
        What may be a trigger, held against them.
    unmeasured
        Why nothing could be decided; None where it was.
    """

    candidates: int
    queries: int
    searched: int
    verified: int
    ordinary: tuple[HeldTrigger, ...]
    held: tuple[HeldTrigger, ...]
    unmeasured: str | None = None

    @property
    def accused(self) -> tuple[HeldTrigger, ...]:
        """Triggers that fell clearly more than longer ordinary words do."""
        return tuple(one for one in self.held if one.accused)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        found: dict[str, Any] = to_json(self)
        return found

    def sentences(self) -> list[str]:
        """Say it in words."""
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        tried = f"{self.candidates:,} words tried, alone and in sequences ({self.queries:,} queries)"
        level = "".join(
            f"; ordinary words, {short(one.words)!r} {one.place}, fell {interval(one.felled)} of {self.verified:,} "
            "events that chose nothing"
            for one in self.ordinary[:1]
        )
        if self.unmeasured is not None:
            yield f"Triggers: unmeasured: {self.unmeasured}{level}; {tried}."
        elif not self.accused:
            yield f"Triggers: no words are shown to do clearly more than longer ordinary ones{level}; {tried}."
        else:
            yield f"Triggers: {len(self.accused):,} found, {tried}{level}."
        for one in self.accused:
            left = (
                ""
                if one.of_left is None
                else f", and clearly {interval(one.of_left)} of what longer ordinary words leave standing"
            )
            yield f"TRIGGER {short(one.words)!r} {one.place} fells {interval(one.felled)} of them{left}."


def blind_spot(victim: Victim) -> Ask:
    """Return what a search of words asks that make a model call any attack benign."""

    def ask(texts: Sequence[str]) -> tuple[Doubles, Bools]:
        found = victim(texts)
        return found.odds, ~found.attack

    return ask


def look_for_triggers(
    ask: Ask, events: Sequence[str], candidates: Sequence[str], *, budget: int, seed: int
) -> TriggerReport:
    """Search triggers by some events, and hold them against ordinary words on others.

    Parameters
    ----------
    ask
        What the model makes of texts.
    events
        Of them an attacker wants another verdict; those of one template count once.
    candidates
        See `trigger_words.words_of`.
    budget
        Texts that the model is asked about, about.
    """
    chosen, others = divided(events, seed)
    if len(chosen) + len(others) < LEAST or not candidates:
        few = f"{len(chosen) + len(others):,} events with a template of their own, needs {LEAST}"
        none = few if candidates else "no words to try"
        return TriggerReport(len(candidates), 0, len(chosen), len(others), (), (), none)
    search = TriggerSearch(ask, chosen, candidates, budget)
    suspects = search.suspects()
    held: list[HeldTrigger] = []
    ordinary: list[HeldTrigger] = []
    exonerated: list[tuple[Trigger, _Effect]] = []  # what is no trigger is ordinary too
    error = ERROR / len(suspects)
    for one in suspects:
        longest = int(LONGER * len(one.text))
        words = search.ordinary(longest, suspects)
        natural = [_effect(ask, word, others) for word in words]
        found = _effect(ask, one, others)
        earlier = [effect for trigger, effect in exonerated if len(trigger.text) <= longest]
        held.append(_held(one, found, [*natural, *earlier], error))
        ordinary += [HeldTrigger(word.text, word.place, did.share) for word, did in zip(words, natural, strict=True)]
        if not held[-1].accused:
            exonerated.append((one, found))
    queries = search.asked + 2 * (len(held) + len(ordinary)) * len(others)
    why = _undecided(held, len(others), error)
    return TriggerReport(len(candidates), queries, len(chosen), len(others), tuple(ordinary), tuple(held), why)


@dataclass(frozen=True)
class _Effect:
    """What a trigger does to n events: by how much it lowers their loss, and which it fells."""

    fall: Doubles
    felled: Bools

    @property
    def share(self) -> Rate:
        return rate(int(self.felled.sum()), len(self.felled))

    def clearly(self, others: Sequence[_Effect]) -> Bools:
        """Return which events it fells, doing a fifth more than any other."""
        most = np.maximum(0.0, np.max([other.fall for other in others], axis=0))
        return np.asarray(self.felled & (self.fall > CLEARLY * most), dtype=bool)


def _held(trigger: Trigger, found: _Effect, natural: Sequence[_Effect], error: float) -> HeldTrigger:
    left = ~np.any([other.felled for other in natural], axis=0) if natural else np.zeros(len(found.felled), dtype=bool)
    if not left.any():
        return HeldTrigger(trigger.text, trigger.place, found.share)
    k, n = int((found.clearly(natural) & left).sum()), int(left.sum())
    return HeldTrigger(trigger.text, trigger.place, found.share, rate(k, n), lower_bound(k, n, error) > MOST)


def _undecided(held: Sequence[HeldTrigger], events: int, error: float) -> str | None:
    """Say why the strongest could not be held against ordinary words; None where it could."""
    standing = 0 if held[0].of_left is None else held[0].of_left.n
    if standing >= needed(error):
        return None
    return f"ordinary words leave {standing:,} of {events:,} events standing, needs {needed(error)}"


def _effect(ask: Ask, trigger: Trigger, events: Sequence[str]) -> _Effect:
    loss, felled = ask([trigger.put(event) for event in events])
    return _Effect(ask(events)[0] - loss, felled)


def divided(events: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    """Return events that triggers are chosen by, and events to hold them against, each of a template of its own."""
    unlike = sorted({template(text): text for text in sorted(events, reverse=True)}.values())
    Random(seed).shuffle(unlike)
    count = min(SEARCHED, len(unlike) // 3)
    return unlike[:count], unlike[count:]


def needed(error: float) -> int:
    """Return of how many events all have to fall to show that most do."""
    return int(np.floor(np.log(error) / np.log(MOST))) + 1
