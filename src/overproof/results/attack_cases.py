"""Hold what an attack found: edited events that fool a bundle, each a regression case, as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from overproof.results.typed_json import to_json

PROVED = "proved"


@dataclass(frozen=True)
class Step:
    """One edit that can be repeated.

    Attributes
    ----------
    name, seed
        The mutator's name, and what decides where and how it edits.
    """

    name: str
    seed: int


@dataclass(frozen=True)
class Case:
    """One success: a regression case.

    Attributes
    ----------
    objective, search, model
        What was looked for, how, and in what.
    family, domain, origin
        Of the event, and where it was read.
    original, edited
        Its text before and after.
    steps
        The edits, as few as it takes.
    queries
        How many edited texts the model had been asked about.
    full
        The full model's probability that the edited text is an attack; None where it was not asked.
    meaning, how
        What the oracle says: `proved` or `unproved`, and by what.
    template
        What successes that are alike share: the event's template and the names of the edits.
    """

    objective: str
    search: str
    model: str
    family: str
    domain: str
    origin: str
    original: str
    edited: str
    steps: tuple[Step, ...]
    queries: int
    full: float | None
    meaning: str
    how: str
    template: str

    @property
    def edits(self) -> tuple[str, ...]:
        """The names of its edits, each once."""
        return tuple(dict.fromkeys(step.name for step in self.steps))


def cases_to_lines(cases: Iterable[Case]) -> str:
    """Write cases as JSON lines."""
    return "".join(f"{json.dumps(to_json(case))}\n" for case in cases)


def unlike(cases: Sequence[Case]) -> list[Case]:
    """Return one case of each template: the proved before the others, the fewest edits first."""
    found: dict[str, Case] = {}
    for case in sorted(cases, key=lambda case: (case.meaning != PROVED, len(case.steps), len(case.edited))):
        found.setdefault(case.template, case)
    return list(found.values())
