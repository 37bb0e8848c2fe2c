"""Find a trigger: up to three words that, put into any event, move its verdict the way that an attacker wants.

A blind spot that was planted in training answers to a few words whatever stands beside them, as universal adversarial
triggers do (Wallace et al. 2019, "Universal Adversarial Triggers for Attacking and Analyzing NLP"). Those are found by
gradients, these by scores alone: every candidate is put into a few events, the best into more (successive halving,
Jamieson and Talwalkar 2016); the best are extended word by word, on either side; and a trigger is shortened to the
words that it takes. The loss decides what is found: words that make attacks benign, or words on which two models part.

What it cannot see: a trigger of which no word alone moves the score, unless its words stand side by side in an event,
and one whose words neither an event nor the tokenizer holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from overproof.redteam.trigger_words import LONGEST, share_a_part
from overproof.redteam.victim import Bools, Doubles

BEHIND, AHEAD, INSIDE = "behind", "ahead", "inside"
PLACES = (BEHIND, AHEAD, INSIDE)
WORDS = 3  # of a trigger; of ordinary words, which are longer, one more
SEARCHED = 32  # events that a trigger is chosen by
FEW, MORE = 3, 8  # of them for every candidate, and for every sequence
SUSPECTS = 2  # searches for triggers, each without what resembles those found before
FELLED = 0.9  # of the searched events: once a search finds nothing that fells as many, no other trigger is looked for
ORDINARY = 3  # searches for ordinary words
SEARCHES = SUSPECTS + ORDINARY
SURE = 3.0  # nats: what an attacker has by more is no better
_BEAM = 6
_CHUNK = 2048  # texts that are asked about at a time

Ask = Callable[[Sequence[str]], tuple[Doubles, Bools]]
"""Of texts: a loss, less is nearer to what the attacker wants, and whether he has it."""


@dataclass(frozen=True)
class Trigger:
    """Words, and where they are put."""

    words: tuple[str, ...]
    place: str = BEHIND

    @property
    def text(self) -> str:
        """The words as they are put into an event."""
        return " ".join(self.words)

    def extended(self, word: str, longest: int) -> list[Trigger]:
        """Put one more word behind and before; none where it resembles one of them, or makes it too long."""
        if len(self.text) + 1 + len(word) > longest or any(share_a_part(word, part) for part in self.words):
            return []
        return [Trigger((*self.words, word)), Trigger((word, *self.words))]

    def put(self, event: str) -> str:
        """Put it into an event; inside is at the white space nearest to the middle, else behind."""
        if self.place == AHEAD:
            return f"{self.text} {event}"
        blanks = [place for place, letter in enumerate(event) if letter == " "] if self.place == INSIDE else []
        if not blanks:
            return f"{event} {self.text}"
        cut = min(blanks, key=lambda place: abs(2 * place - len(event)))
        return f"{event[:cut]} {self.text}{event[cut:]}"


@dataclass
class TriggerSearch:
    """Search triggers by what a model makes of some events.

    Attributes
    ----------
    ask
        What it makes of texts.
    events
        The events that triggers are chosen by: `SEARCHED` or fewer.
    candidates
        See `trigger_words.words_of`.
    budget
        Texts that are asked about, about.
    asked
        Texts that were.
    """

    ask: Ask
    events: Sequence[str]
    candidates: Sequence[str]
    budget: int
    asked: int = 0

    @cached_property
    def _ranked(self) -> list[str]:
        """The candidates, ranked: all of them by a few events, each in another place, the best sixteenth by more."""
        ones = [Trigger((word,)) for word in self.candidates[: self.room(self.budget)]]
        order = np.argsort(self._losses(ones, range(FEW), spread=True), kind="stable")
        best = [ones[row] for row in order[: max(_BEAM, len(ones) // 16)].tolist()]
        again = self._losses(best, range(FEW, FEW + 2 * MORE), spread=True)
        head = [best[row].text for row in np.argsort(again, kind="stable").tolist()]
        return [*head, *(ones[row].text for row in order[len(best) :].tolist())]

    @staticmethod
    def room(budget: int) -> int:
        """Return how many candidates a budget has room for."""
        return max(1, int(0.4 * budget) // FEW)

    def suspects(self) -> list[Trigger]:
        """Return what may be a trigger, the strongest first, each found without what resembles those before it."""
        found: list[Trigger] = []
        while len(found) < SUSPECTS:
            best = self._best(filter(_unlike((), found), self._ranked), LONGEST, WORDS)
            if best is None or (found and self._felled(best) < FELLED):
                break
            found.append(self._shortened(best))
        return found

    def ordinary(self, longest: int, suspects: Sequence[Trigger]) -> list[Trigger]:
        """Return the best words of at most so many characters that resemble none of the suspects.

        A network of tokens answers to a part of a trigger where it stands in another word, so no two characters of a
        suspect may stand in them in a row; three, where that would leave out most words.
        """
        found: list[Trigger] = []
        words = [word for word in self._ranked if len(word) <= longest]
        far = [word for word in words if _unlike(suspects, ())(word)]
        words = far if 2 * len(far) >= len(words) else words
        while len(found) < ORDINARY:
            best = self._best(filter(_unlike((), [*suspects, *found]), words), longest, WORDS + 1)
            if best is None:
                break
            found.append(best)
        return found

    def _shortened(self, trigger: Trigger) -> Trigger:
        """Leave out words without which it fells as many of the searched events, or one less; the last first."""
        felled = self._felled(trigger) - 1 / len(self.events)
        for place in range(len(trigger.words) - 1, -1, -1):
            fewer = Trigger((*trigger.words[:place], *trigger.words[place + 1 :]), trigger.place)
            if fewer.words and self._felled(fewer) >= felled:
                trigger = fewer
        return trigger

    def _best(self, words: Iterable[str], longest: int, most: int) -> Trigger | None:
        """Extend the first of some words on either side, and return the best sequence in its best place; None without.

        Parameters
        ----------
        longest, most
            Characters and words that it may have.
        """
        width = max(12, int(0.5 * self.budget) // (SEARCHES * (WORDS - 1) * 2 * _BEAM * MORE))
        pool = list(islice(words, width))
        beam = [Trigger((word,)) for word in pool[:_BEAM]]
        tried = list(beam)
        for _ in range(most - 1):
            longer = list(dict.fromkeys(new for one in beam for word in pool for new in one.extended(word, longest)))
            if not longer:
                break
            losses = self._losses(longer, range(MORE), spread=True)
            beam = [longer[row] for row in np.argsort(losses, kind="stable")[:_BEAM].tolist()]
            tried += beam
        if not tried:
            return None
        placed = [Trigger(one.words, place) for one in tried for place in PLACES]
        losses = self._losses(placed, range(MORE))
        best: list[Trigger] = [placed[row] for row in np.argsort(losses, kind="stable")[:_BEAM].tolist()]
        least = int(np.argmin(self._losses(best, range(len(self.events)))))
        return best[least]

    def _losses(self, triggers: Sequence[Trigger], rows: range, *, spread: bool = False) -> Doubles:
        """Return each trigger's mean loss over some events; `spread` puts it into each event at another place."""
        events = [self.events[row % len(self.events)] for row in rows]
        texts = [
            (Trigger(one.words, PLACES[row % len(PLACES)]) if spread else one).put(event)
            for one in triggers
            for row, event in zip(rows, events, strict=True)
        ]
        losses = np.maximum(self._answers(texts)[0], -SURE)
        return np.asarray(losses.reshape(len(triggers), len(events)).mean(axis=1))

    def _felled(self, trigger: Trigger) -> float:
        return float(self._answers([trigger.put(event) for event in self.events])[1].mean())

    def _answers(self, texts: Sequence[str]) -> tuple[Doubles, Bools]:
        self.asked += len(texts)
        parts = [self.ask(texts[start : start + _CHUNK]) for start in range(0, len(texts), _CHUNK)]
        losses, wanted = zip(*parts, strict=True)
        return np.concatenate(losses), np.concatenate(wanted)


def _unlike(far: Sequence[Trigger], near: Sequence[Trigger]) -> Callable[[str], bool]:
    """Tell which words have no two characters in a row in common with some triggers, and no three with others."""
    parts = [(part, length) for length, some in ((2, far), (3, near)) for one in some for part in one.words]
    return lambda word: not any(share_a_part(word, part, length) for part, length in parts)
