"""Attack students that were trained on real payloads: which search, which family, and beside edits of others.

Three tables, each measured and written apart: students of http's payloads, students of these and of web sites' values,
and the same search with edits of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import waf
from accuracy import STUDENT
from settings import OUT, TEST, once
from students import FASTEST, RECOMMENDED, comparison

import overproof
from overproof.events.edits import EDITS
from overproof.jobs.attack import open_attacked
from overproof.jobs.attack_config import AttackConfig, AttackInputs
from overproof.jobs.attack_rates import BUDGETS, share
from overproof.jobs.attack_targets import choose
from overproof.progress import terminal
from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.campaign import Attempt, Campaign
from overproof.redteam.mutate import MUTATORS
from overproof.redteam.mutate.waf_a_mole import WAF_A_MOLE
from overproof.redteam.objectives import OBJECTIVES
from overproof.redteam.result import AttackReport, Rate
from overproof.redteam.search import SEARCHES
from overproof.report.words import interval

BUDGET, EVENTS = 1000, 100
SEED = 0
ALONE = "the student's verdict alone"
LOOKED_FOR = {
    "blind-spot": ALONE,
    "evasion": "past the cascade, not the full model",
    "bypass": "past the cascade",
    "false-alarm": "a benign event raises an alarm, not by the full model",
    "grid": "past INT8, not before quantization",
}
CASCADE = ("evasion", "bypass")
OURS, NAIVE, PUBLISHED = "ours", "case, encoding and white space, as a first try would", "WAF-A-MoLE's eight"


@dataclass(frozen=True)
class Trained:
    """Students by what they were trained on.

    Attributes
    ----------
    folder, before
        Where they lie, and what their names begin with.
    minilm
        Where the teacher is that each learned from, with an n-gram network beside it.
    make
        Trains a student where it is not there.
    students
        Which ones.
    searches
        What is spent on a student, by what is looked for.
    """

    folder: Path
    before: str
    minilm: Path
    make: Callable[[str], object]
    students: Sequence[str]
    searches: Mapping[str, Sequence[str]]

    def bundle(self, student: str) -> Path:
        """Return where a student lies."""
        return self.folder / f"{self.before}{student}-{SEED}"

    def full(self, student: str) -> list[str]:
        """Return its full model."""
        return [str(self.minilm), f"{self.bundle(student)}.ngram-teacher"]


HTTP, WEB = "http", "http and web sites"
TRAINED: Mapping[str, Trained] = {
    HTTP: Trained(
        OUT / "students",
        "",
        OUT / "teacher",
        lambda student: comparison(student, SEED),
        (*RECOMMENDED, STUDENT),
        {"blind-spot": tuple(SEARCHES), **dict.fromkeys((*CASCADE, "false-alarm"), ("bandit",))},
    ),
    WEB: Trained(
        waf.Run().folder,
        "known-",
        waf.Run().teacher("known"),
        lambda student: waf.one(waf.Run(), "known", student, SEED),
        (*RECOMMENDED, STUDENT),
        dict.fromkeys(("blind-spot", *CASCADE), ("bandit",)),
    ),
}


def attacked(trained_on: str, student: str, objective: str, search: str) -> dict[str, Any]:
    """Spend one search on one student."""
    trained = TRAINED[trained_on]
    trained.make(student)
    place = trained.bundle(student)
    report = spent(place, trained.full(student), [objective], search, f"{place.name}-{objective}-{search}")
    proved = sum(case.meaning == "proved" for case in report.cases)
    return {"rows": report.to_json()["rows"], "cases": len(report.cases), "proved": proved}


def spent(
    bundle: Path,
    full: Sequence[str],
    objectives: Sequence[str],
    search: str,
    name: str,
    *,
    seed: int = SEED,
    evidence: Path | None = None,
) -> AttackReport:
    """Attack a bundle with test payloads, by the budget and the number of events of all tables."""
    return overproof.attack(
        bundle,
        [str(TEST)],
        full=full,
        evidence=evidence,
        objectives=objectives,
        searches=[search],
        out=OUT / "attacks" / name,
        budget=BUDGET,
        sample=EVENTS,
        seed=seed,
        triggers=0,
        console=terminal(),
    )


def by_student(trained_on: str) -> dict[str, Any]:
    """Spend all searches on all students of some data."""
    found: dict[str, Any] = {}
    trained = TRAINED[trained_on]
    for student in trained.students:
        place = trained.bundle(student).name
        runs = [
            once(f"attack-{place}-{objective}-{search}", partial(attacked, trained_on, student, objective, search))
            for objective, searches in trained.searches.items()
            for search in searches
        ]
        # that benign words stay benign words is no proof of an attack's meaning
        edited = [run for run in runs if OBJECTIVES[run["rows"][0]["objective"]].edits == "attacks"]
        found[f"{student}, trained on {trained_on}"] = {
            "rows": [row for run in runs for row in run["rows"]],
            "cases": sum(run["cases"] for run in edited),
            "proved": sum(run["proved"] for run in edited),
        }
    return found


def naive() -> Mutators:
    """Return the harmless edits that a verdict is checked under, as mutators."""

    def of(edit: Any) -> Mutator:
        return lambda text, random: random.choice(list(edit(text)) or [text])

    return {name: of(edit) for name, edit in EDITS.items()}


def beside_others(student: str, edits: str, search: str, families: tuple[str, ...]) -> dict[str, Any]:
    """Spend a search on a student by some edits."""
    trained = TRAINED[HTTP]
    trained.make(student)
    config = AttackConfig([str(TEST)], objectives=("blind-spot",), budget=BUDGET, sample=EVENTS, families=families)
    attack = open_attacked(config, AttackInputs(trained.bundle(student), trained.full(student)))
    events = overproof.load_events([str(TEST)])
    targets = choose(config, events, attack.cascade.student.manifest.benign, attack.judges).attacks
    mutators = {PUBLISHED: {"sql": WAF_A_MOLE}, NAIVE: dict.fromkeys(MUTATORS, naive())}.get(edits, MUTATORS)
    int8 = next(iter(attack.victims.values()))
    campaign = Campaign(search, OBJECTIVES["blind-spot"], mutators, int8, int8, attack.judges.referee, BUDGET, SEED)
    return _counted(campaign.run(targets))


def _counted(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Count events that fell by queries; and all of them, proved or not."""
    fell = [one for one in attempts if one.success is not None and one.success.ruling.proved]
    at = {str(k): vars(share(sum(one.queries <= k for one in fell), len(attempts))) for k in BUDGETS}
    return {"at": at, "unproved": sum(one.success is not None for one in attempts) - len(fell)}


EVERY = "all families"
# Whom, by which edits, and which families: injected SQL is all that the published edits are made for.
BESIDE = (
    *(
        (FASTEST, "injected SQL", edits, search)
        for edits in (OURS, PUBLISHED, NAIVE)
        for search in ("random", "bandit")
    ),
    *((student, EVERY, edits, "bandit") for student in (STUDENT, FASTEST) for edits in (OURS, NAIVE)),
)
FAMILIES: Mapping[str, tuple[str, ...]] = {"injected SQL": ("sqli",), EVERY: ()}


def others() -> str:
    """Write what edits of others fell at the same number of queries."""
    counts = [str(count) for count in BUDGETS]
    lines = [
        f"| attacks, student | edits, search | {' | '.join(f'≤ {count} queries' for count in counts)} | unproved |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for student, attacks, edits, search in BESIDE:
        found = _beside(student, attacks, edits, search)
        cells = [*(_cell(found["at"][count]) for count in counts), str(found["unproved"])]
        lines.append(f"| {attacks}, {student} | {edits}, {search} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beside(student: str, attacks: str, edits: str, search: str) -> dict[str, Any]:
    if attacks == EVERY and edits == OURS:  # what the first table has
        name = f"attack-{TRAINED[HTTP].bundle(student).name}-blind-spot-{search}"
        found = once(name, partial(attacked, HTTP, student, "blind-spot", search))
        return dict(found["rows"][0])
    name = f"attack-beside-{student}-{attacks}-{edits.split()[0]}-{search}".replace(" ", "-")
    return once(name, partial(beside_others, student, edits, search, FAMILIES[attacks]))


def to_markdown(trained_on: str) -> str:
    """Write a table of searches and one of families."""
    students = by_student(trained_on)
    return "\n\n".join([_searches(students), _families(students), _note(students)])


def _cell(rate: Mapping[str, float]) -> str:
    return interval(Rate(**rate))  # type: ignore[arg-type]


def _searches(students: Mapping[str, Any]) -> str:
    counts = [str(count) for count in BUDGETS]
    lines = [
        f"| what falls | search | {' | '.join(f'≤ {count} queries' for count in counts)} | unproved |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for student, found in students.items():
        for row in found["rows"]:
            cells = [*(_cell(row["at"][count]) for count in counts), str(row["unproved"])]
            lines.append(f"| {student}: {LOOKED_FOR[row['objective']]} | {row['search']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _families(students: Mapping[str, Any]) -> str:
    rows = {student: _best(found["rows"])["families"] for student, found in students.items()}
    families = sorted({family for some in rows.values() for family in some})
    lines = [f"| {ALONE}, bandit, {BUDGET:,} queries | {' | '.join(rows)} |", "| --- |" + " ---: |" * len(rows)]
    lines += [
        f"| {family} | {' | '.join(_cell(some[family]) if family in some else '' for some in rows.values())} |"
        for family in families
    ]
    return "\n".join(lines)


def _best(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(row for row in rows if row["objective"] == "blind-spot" and row["search"] == "bandit")


def _note(students: Mapping[str, Any]) -> str:
    found = students.values()
    cases, proved = sum(one["cases"] for one in found), sum(one["proved"] for one in found)
    innocent = any(OBJECTIVES[row["objective"]].edits == "benign" for one in found for row in one["rows"])
    benign = ", and as many benign events that neither takes for attacks" if innocent else ""
    return (
        f"At most {EVENTS} attacks of the test payloads, evenly over the families, which student and full model detect "
        f"as they are{benign}. An attack falls where the verdict is "
        "benign, the full model's is not (but for what gets past the cascade), and an oracle proves that it still does "
        f"the same; of {cases:,} successful edits of attacks {proved:,} are proved, "
        "the others not counted. In brackets 95 % intervals."
    )
