"""What an attack found: how often each search fools each model, and every success, as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.model_names import QUANTIZED
from overproof.errors import InputError
from overproof.progress import one_line
from overproof.redteam.blind_spots import BlindSpots
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.trigger_verdict import TriggerReport
from overproof.report.layout import aligned
from overproof.report.markup import Html
from overproof.report.notebook import as_text, to_frame
from overproof.report.words import interval, percent, short
from overproof.results.attack_cases import Case
from overproof.results.typed_json import from_json, to_json


@dataclass(frozen=True)
class Rate:
    """A share of events, with its interval of 95 % (Clopper and Pearson 1934), or a difference of two (Tango 1998).

    Attributes
    ----------
    n
        Events.
    value, low, high
        The share, and the ends of its interval.
    """

    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One search against one model.

    Attributes
    ----------
    objective, search, model
        What was looked for, how, and in what.
    at
        Queries an event to the share of the events with a success whose meaning is proved.
    unproved
        Events with a success whose meaning is not proved; not in `at`.
    families
        Family to its share at the full budget.
    """

    objective: str
    search: str
    model: str
    at: Mapping[str, Rate]
    unproved: int
    families: Mapping[str, Rate]


@dataclass(frozen=True)
class Exclusive:
    """How much of an objective compression is to blame for: the student's successes beyond another model's.

    Attributes
    ----------
    objective, search, beside
        What was looked for, how, and the model that got the same attack.
    difference
        The student's share less the other's, of the same events.
    """

    objective: str
    search: str
    beside: str
    difference: Rate

    def sentence(self) -> str:
        """Say it in words, and whether the interval shows a difference."""
        found = self.difference
        more = "more" if found.value >= 0 else "fewer"
        shown = "a difference is shown" if found.low > 0 or found.high < 0 else "no difference is shown"
        return (
            f"{self.search}: {percent(abs(found.value))} {more} of {found.n:,} events fall than in the {self.beside} "
            f"under the same attack ({percent(found.value)} [{percent(found.low)}, {percent(found.high)}]): {shown}."
        )


@dataclass(frozen=True, repr=False)
class AttackReport:
    """What an attack of a bundle found.

    Attributes
    ----------
    bundle, full
        The bundle's folder, and the full model's name; None where there was none.
    seed, budget
        Of everything random; queries an event.
    events
        How many were attacked.
    families
        Family to how many of them.
    left_out
        Why others were not attacked, to how many.
    rows, exclusive
        How often each search succeeded, and how much of it is the student's alone.
    transfer
        Model to the share of its proved successes that fool each other model as well; artefacts of the grid left out.
    refused
        Why the referee refused claims, to how many.
    cases
        Every success.
    blind_spots
        Where student and full model part on the user's own events, which nobody edited; None where that was not asked.
    triggers
        Words that make any attack benign, as far as they were looked for; None where they were not.
    """

    bundle: str
    full: str | None
    seed: int
    budget: int
    events: int
    families: Mapping[str, int]
    left_out: Mapping[str, int]
    rows: tuple[Row, ...]
    exclusive: tuple[Exclusive, ...]
    transfer: Mapping[str, Mapping[str, Rate]]
    refused: Mapping[str, int]
    cases: tuple[Case, ...]
    blind_spots: BlindSpots | None = None
    triggers: TriggerReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the cases: those are lines of their own."""
        found: dict[str, Any] = to_json(self)
        return {**found, "cases": len(self.cases), "templates": len({case.template for case in self.cases})}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `to_json`, as plain Python values."""
        return self.to_json()

    def to_pandas(self) -> Any:
        """Return a row for each search, objective and model; MissingExtra without pandas."""
        return to_frame(self.to_json()["rows"])

    def __repr__(self) -> str:
        own = sum(case.model == QUANTIZED for case in self.cases)
        found = f"{own:,} success{'' if own == 1 else 'es'} against the bundle"
        return f"AttackReport({self.bundle!r}: {self.events:,} events attacked, {found})"

    def _repr_html_(self) -> Html:
        return as_text(self.render())

    def render(self) -> str:
        """Write it as plain text."""
        parts = [f"{self.events:,} events attacked, at most {self.budget:,} queries each (seed {self.seed})."]
        parts += [f"Not attacked: {count:,} ({why})." for why, count in self.left_out.items()]
        for objective in dict.fromkeys(row.objective for row in self.rows):
            parts += ["", f"{objective}: {OBJECTIVES[objective].wants}", aligned(_table(self, objective))]
            parts += ["", aligned(_families(self, objective))]
            parts += [one.sentence() for one in self.exclusive if one.objective == objective]
        parts += ["", *self._successes()]
        parts += [f"The referee refused {count:,} claims: {why}." for why, count in self.refused.items()]
        if self.blind_spots is not None:
            parts += ["", *self.blind_spots.sentences()]
        if self.triggers is not None:
            parts += ["", *self.triggers.sentences()]
        return "\n".join(parts)

    def _successes(self) -> list[str]:
        own = [case for case in self.cases if case.model == QUANTIZED]
        if not own:
            return ["No success against the bundle."]
        distinct = len({case.template for case in own})
        shortest = sorted(own, key=lambda case: (len(case.steps), len(case.edited)))[:5]
        return [
            f"{len(own):,} successes against the bundle, {distinct:,} of them unlike each other. The shortest:",
            *(f"  {case.family}: {short(case.original)}  →  {short(case.edited)}" for case in shortest),
        ]


def read_cases(path: Path) -> tuple[Case, ...]:
    """Read cases back.

    Raises
    ------
    InputError
        A file that cannot be read, or a line that is no case.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected attack.jsonl of `overproof attack`") from None
    return tuple(_cases(path, lines))


def _cases(path: Path, lines: list[str]) -> Iterator[Case]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = from_json(Case, json.loads(line))
        except (ValueError, RecursionError, MemoryError) as error:
            why = one_line(str(error)) or type(error).__name__
            raise InputError(f"{path}:{number}: no case of `overproof attack` ({why})") from None
        if case.objective not in OBJECTIVES:
            raise InputError(
                f"{path}:{number}: objective {short(case.objective)}: expected one of {', '.join(OBJECTIVES)}"
            )
        yield case


@dataclass(frozen=True)
class Replayed:
    """What a bundle makes of cases that fooled one.

    Attributes
    ----------
    bundle
        Its folder.
    cases
        How many were put to it.
    fooled
        Those that do again what they did: the student alone is fooled, as far as the objective asks for that.
    """

    bundle: str
    cases: int
    fooled: tuple[Case, ...]

    @property
    def passed(self) -> bool:
        """True if none fools it."""
        return not self.fooled

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        found: dict[str, Any] = to_json(self)
        return {**found, "passed": self.passed}

    def render(self) -> str:
        """Write it as plain text."""
        lines = [f"{self.bundle}: {len(self.fooled):,} of {self.cases:,} cases fool it."]
        return "\n".join(
            [*lines, *(f"  {case.objective}, {case.family}: {short(case.edited)}" for case in self.fooled)]
        )


def _table(report: AttackReport, objective: str) -> list[list[str]]:
    rows = [row for row in report.rows if row.objective == objective]
    counts = list(rows[0].at)
    head = ["search", "against", *(f"≤ {count} queries" for count in counts), "meaning unproved"]
    return [
        head,
        *([row.search, row.model, *(interval(row.at[c]) for c in counts), f"{row.unproved:,}"] for row in rows),
    ]


def _families(report: AttackReport, objective: str) -> list[list[str]]:
    """Write what falls of each family in the bundle, by search."""
    rows = [row for row in report.rows if row.objective == objective and row.model == QUANTIZED]
    head = [f"against {QUANTIZED}, by family", *(row.search for row in rows)]
    return [head, *([name, *(interval(row.families[name]) for row in rows)] for name in rows[0].families)]
