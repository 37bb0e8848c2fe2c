"""Run one search on many events at once, so that a model is asked about all their proposals in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from overproof.redteam.base import Edited
from overproof.redteam.search.interface import Answer, Proposals, Search, Start

STALE = 20  # rounds in a row that propose nothing new, after which a search has run dry


@dataclass(frozen=True)
class Asked:
    """An edited text of one of the events."""

    event: int
    edited: Edited


Ask = Callable[[Sequence[Asked]], Sequence[Answer]]


@dataclass(frozen=True)
class Outcome:
    """How a search ended on one event.

    Attributes
    ----------
    queries
        Texts that were asked about: up to the one that succeeded, or all.
    found
        The one that succeeded; None where none did.
    """

    queries: int
    found: Edited | None = None


@dataclass
class _Running:
    """A search on one event: what it proposed last, and all answers so far."""

    proposals: Proposals
    proposed: list[Edited] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    stale: int = 0

    def next_round(self, sent: list[Answer] | None) -> bool:
        """Send answers, take the next proposals; False where the search has ended."""
        try:
            self.proposed = next(self.proposals) if sent is None else self.proposals.send(sent)
        except StopIteration:
            return False
        return True

    def new(self, left: int) -> list[Edited]:
        """Return the proposals that were not asked about before, each text once, as many as the budget has left."""
        found = {edited.text: edited for edited in reversed(self.proposed) if edited.text not in self.answers}
        wanted = [edited for edited in self.proposed if found.get(edited.text) is edited]
        self.stale = 0 if wanted else self.stale + 1
        return wanted[:left]


def drive(search: Search, starts: Sequence[Start], ask: Ask, *, budget: int, seeds: Sequence[str]) -> list[Outcome]:
    """Search from every start until it succeeds, its budget is spent or it has run dry.

    Parameters
    ----------
    ask
        Answers edited texts in their order; a text is asked about once for each event.
    budget
        Texts that may be asked about for each event.
    seeds
        Of each start: what it draws hangs on nothing else.
    """
    running = {
        place: _Running(search(start, Random(seed)))
        for place, (start, seed) in enumerate(zip(starts, seeds, strict=True))
    }
    outcomes = [Outcome(0) for _ in starts]
    active = [place for place, one in running.items() if one.next_round(None)]
    while active:
        asked = [
            Asked(place, new) for place in active for new in running[place].new(budget - len(running[place].answers))
        ]
        for one, answer in zip(asked, ask(asked) if asked else (), strict=True):
            answers = running[one.event].answers
            if outcomes[one.event].found is None:
                answers[one.edited.text] = answer
                outcomes[one.event] = Outcome(len(answers), one.edited if answer.succeeded else None)
        active = [place for place in active if _goes_on(running[place], outcomes[place], budget)]
    return outcomes


def _goes_on(one: _Running, outcome: Outcome, budget: int) -> bool:
    if outcome.found is not None or outcome.queries >= budget or one.stale >= STALE:
        return False
    return one.next_round([one.answers[edited.text] for edited in one.proposed])
