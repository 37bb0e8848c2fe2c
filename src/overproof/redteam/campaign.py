"""Attack one model with one search: every event within its budget, the referee asked about what fools the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from overproof.redteam.base import Edited, Mutators
from overproof.redteam.minimize import fewest_edits
from overproof.redteam.objectives import Objective
from overproof.redteam.referee import Claim, Referee, Ruling
from overproof.redteam.search import LABEL_ONLY, SEARCHES
from overproof.redteam.search.drive import Asked, drive
from overproof.redteam.search.interface import Answer, Guide, Start
from overproof.redteam.victim import Reaction, Victim

RULINGS = 8  # claims an event that the referee is asked about: the full model costs a hundred times the student
GROWTH, ROOM = 3, 256  # an edited text may have three times the characters of its original, and some more


@dataclass(frozen=True)
class Target:
    """An event that is attacked.

    Attributes
    ----------
    row
        Its place among the events that were given.
    domain
        Which mutators and which oracle it gets.
    covered
        Whether the oracle proves that the event itself does something: only then can an edited one be proved.
    """

    row: int
    text: str
    family: str
    domain: str
    covered: bool


@dataclass(frozen=True)
class Success:
    """An edited event that does what was looked for, shortened to its fewest edits, and what the referee says of it."""

    edited: Edited
    ruling: Ruling


@dataclass(frozen=True)
class Attempt:
    """How the attack on one event ended: after how many queries, and with which success."""

    target: Target
    queries: int
    success: Success | None = None


@dataclass(frozen=True)
class Campaign:
    """One attack on one model.

    Attributes
    ----------
    search
        Name of the search, as in `SEARCHES`.
    objective
        What is looked for.
    mutators
        By domain.
    victim, before
        The model that is attacked, and the student before quantization; the latter is asked where the objective needs
        it.
    referee
        Who decides.
    budget
        Queries an event.
    seed
        Of everything random.
    guide
        Of the victim's log-odds of an attack; what a search in `WHITE_BOX` needs.
    """

    search: str
    objective: Objective
    mutators: Mapping[str, Mutators]
    victim: Victim
    before: Victim
    referee: Referee
    budget: int
    seed: int
    guide: Guide | None = None

    def run(self, targets: Sequence[Target]) -> list[Attempt]:
        """Attack some events side by side; what is drawn for one hangs on no other."""
        guide = None if self.guide is None else _following(self.guide, self.objective)
        starts = [replace(start_of(one, self.mutators), guide=guide) for one in targets]
        seeds = [f"{self.seed} {self.search} {one.text}" for one in targets]
        wave = _Wave(self, targets)
        outcomes = drive(SEARCHES[self.search], starts, wave.answers, budget=self.budget, seeds=seeds)
        found = {event: outcome.found for event, outcome in enumerate(outcomes) if outcome.found is not None}
        shortest = fewest_edits(found, starts, wave.still_counted)
        return [
            Attempt(
                target,
                outcomes[event].queries,
                Success(shortest[event], wave.rulings[event, shortest[event].text]) if event in shortest else None,
            )
            for event, target in enumerate(targets)
        ]


def start_of(target: Target, mutators: Mapping[str, Mutators]) -> Start:
    """Return where a search of an event begins."""
    return Start(target.text, mutators[target.domain], GROWTH * len(target.text) + ROOM)


def _following(guide: Guide, objective: Objective) -> Guide:
    """Turn a guide of log-odds into one of the loss, which falls where they go the way that they have to."""

    def signed(odds: Sequence[float]) -> list[float]:
        return [-objective.odds * value for value in odds]

    return Guide(lambda text, edited: signed(guide.estimate(text, edited)), lambda texts: signed(guide.exact(texts)))


@dataclass
class _Wave:
    """The events that are attacked side by side, and what the referee has said of them so far."""

    campaign: Campaign
    targets: Sequence[Target]
    rulings: dict[tuple[int, str], Ruling] = field(default_factory=dict)
    claims: Counter[int] = field(default_factory=Counter)

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answer a round of all events: the model first, and the referee about the first that fools it of each."""
        if not asked:
            return []
        now, before = self._reactions(asked)
        losses, fooled = self.campaign.objective.loss(now, before), self.campaign.objective.fooled(now, before)
        if self.campaign.search in LABEL_ONLY:
            losses = (~fooled).astype(np.float64)
        wanted = [row for row in np.flatnonzero(fooled).tolist() if self.claims[asked[row].event] < RULINGS]
        claimed = {asked[row].event: row for row in reversed(wanted)}  # the first of each event
        counted = set(self._counted(asked, wanted).values())
        refused = set(claimed.values()) - counted
        return [Answer(loss, row in counted, row in refused) for row, loss in enumerate(losses.tolist())]

    def still_counted(self, asked: Sequence[Asked]) -> dict[int, int]:
        """Return of each event the first text that counts; the referee is asked as often as it takes."""
        if not asked:
            return {}
        fooled = self.campaign.objective.fooled(*self._reactions(asked))
        return self._counted(asked, np.flatnonzero(fooled).tolist())

    def _reactions(self, asked: Sequence[Asked]) -> tuple[Reaction, Reaction]:
        campaign, texts = self.campaign, [one.edited.text for one in asked]
        now = campaign.victim(texts)
        return now, campaign.before(texts) if campaign.objective.differs else now

    def _counted(self, asked: Sequence[Asked], rows: Sequence[int]) -> dict[int, int]:
        """Ask the referee about the first of these rows of each event; returns event to row where it counts."""
        first: dict[int, int] = {}
        for row in rows:
            first.setdefault(asked[row].event, row)
        self.claims.update(first.keys())
        claims = [self._claim(asked[row]) for row in first.values()]
        rulings = self.campaign.referee.rule(claims, self.campaign.objective)
        counted = {}
        for (event, row), ruling in zip(first.items(), rulings, strict=True):
            if ruling.refused is None and (ruling.proved or not self.targets[event].covered):
                self.rulings[event, asked[row].edited.text] = ruling
                counted[event] = row
        return counted

    def _claim(self, one: Asked) -> Claim:
        target = self.targets[one.event]
        return Claim(target.domain, target.text, one.edited.text)
