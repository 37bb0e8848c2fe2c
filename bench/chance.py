"""Count how often gates fail by chance, how often they see a sabotage, and how many events they need to pass."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import retrainings
from interval_coverage import WORKERS, within
from retrainings import Harm, Student, checked, failed, retrained

from overproof.checks.base import PASSED
from overproof.checks.stats import clopper_pearson
from overproof.checks.verdict import ALONE, ESCALATED

RETRAININGS = 100
HEALTHY = (Student(2000, churn=0.5), Student(10_000, churn=0.2), Student(10_000, churn=1.0))
LIMIT, LIMIT_RUNS = Student(10_000, churn=0.0), 150
SABOTAGED, SABOTAGES = Student(10_000), 20
HARMS: dict[str, Harm] = {
    "nine in ten of a rare family lost": retrainings.rare_family,
    "half of a small slice lost": retrainings.one_slice,
    "a sixth of the hard benign events flagged": retrainings.hard_benign,
}
SIZES, ATTACKS, CAMPAIGNS, RUNS = (500, 1000, 2000, 5000, 10_000, 20_000), (0.1, 0.5), (1, 2, 5), 5
OF_RARE = ("rare/family", "rare/slices", "rare/pooled", "rare/hard-benign")
Found = dict[str, Any]
Job = tuple[Student, int, Harm | None]


KINDS = ("healthy", "limit", "sabotaged")


def chance(kind: str) -> Found:
    """Retrain healthy students, one that loses just what it may, or three that were sabotaged: five minutes in all."""
    groups: dict[str, dict[str, list[Job]]] = {
        "healthy": {
            str(k): [(student, seed, None) for seed in range(RETRAININGS)] for k, student in enumerate(HEALTHY)
        },
        "limit": {"limit": [(LIMIT, seed, retrainings.at_the_limit) for seed in range(LIMIT_RUNS)]},
        "sabotaged": {name: [(SABOTAGED, seed, harm) for seed in range(SABOTAGES)] for name, harm in HARMS.items()},
    }
    return _all(groups[kind])


def power() -> Found:
    """Retrain healthy students on few and many events, of few and many attacks, in campaigns or not: five minutes."""
    groups: dict[str, list[Job]] = {
        f"{n} {attacks} {campaigns}": [(Student(n, attacks, campaigns), seed, None) for seed in range(RUNS)]
        for attacks in ATTACKS
        for campaigns in CAMPAIGNS
        for n in SIZES
    }
    return _all(groups)


def _all(groups: dict[str, list[Job]]) -> Found:
    with ProcessPoolExecutor(WORKERS) as pool:
        done = iter(list(pool.map(_run, [job for jobs in groups.values() for job in jobs])))
    return {name: [next(done) for _ in jobs] for name, jobs in groups.items()}


def _run(job: Job) -> Found:
    return checked(retrained(*job))


def chance_table(found: Found) -> str:
    """Write how often gates fail by chance, and how often they see what was done to a student."""
    lines = [
        "| healthy student | runs | any gate failed | which | alone | with escalation | not |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: |",
    ]
    for k, student in enumerate(HEALTHY):
        runs = found["healthy"][str(k)]
        which = Counter(key for run in runs for key in failed(run))
        decisions = Counter(run["decision"] for run in runs)
        alone, escalated = decisions[ALONE], decisions[ESCALATED]
        lines.append(
            f"| {student.events:,} events, {student.churn:.0%} drawn anew | {len(runs)} | {_any(runs, '')} | "
            f"{', '.join(f'{key} {n}' for key, n in which.items()) or '-'} | {alone} | {escalated} | "
            f"{len(runs) - alone - escalated} |"
        )
    runs = found["limit"]["limit"]
    lines += ["", f"| a student at the limit, {len(runs)} runs | failed by chance |", "| --- | --- |"]
    lines += [f"| {family} | {_any(runs, family)} |" for family in OF_RARE]
    lines += ["", "| sabotage | accuracy lost | runs | seen | by |", "| --- | ---: | ---: | ---: | --- |"]
    for name in HARMS:
        runs = found["sabotaged"][name]
        by = Counter(key for run in runs for key in failed(run))
        lost = sum(run["lost"] for run in runs) / len(runs)
        seen = sum(bool(failed(run)) and run["decision"] not in (ALONE, ESCALATED) for run in runs)
        named = ", ".join(f"{key} {n}" for key, n in by.most_common(4))
        lines.append(f"| {name} | {100 * lost:.2f} points | {len(runs)} | {seen} | {named} |")
    return "\n".join(lines)


def power_table(found: Found) -> str:
    """Write how often a healthy student passes, by number of events, and what closes the check where it does not."""
    sizes = " | ".join(f"{n:,}" for n in SIZES)
    lines = [f"| deployed, of {RUNS} (alone) | {sizes} |", "| --- |" + " --- |" * len(SIZES)]
    for attacks in ATTACKS:
        for campaigns in CAMPAIGNS:
            cells = [_deployed(found[f"{n} {attacks} {campaigns}"]) for n in SIZES]
            name = f"{attacks:.0%} attacks, campaigns of {campaigns} on average"
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    title = f"passed, of {RUNS}: {ATTACKS[-1]:.0%} attacks, no campaigns"
    lines += ["", f"| {title} | {sizes} |", "| --- |" + " ---: |" * len(SIZES)]
    columns = [found[f"{n} {ATTACKS[-1]} {CAMPAIGNS[0]}"] for n in SIZES]
    for key in sorted({key for runs in columns for run in runs for key in run["gates"]}):
        passed = [sum(run["gates"].get(key) == PASSED for run in runs) for runs in columns]
        lines.append(f"| {key} | " + " | ".join(map(str, passed)) + " |")
    return "\n".join(lines)


def _deployed(runs: list[Found]) -> str:
    alone, escalated = (sum(run["decision"] == decision for run in runs) for decision in (ALONE, ESCALATED))
    closing = Counter(key for run in runs if run["decision"] not in (ALONE, ESCALATED) for key in run["closed"])
    why = f": {', '.join(key for key, _ in closing.most_common(2))}" if closing else ""
    return f"{alone + escalated} ({alone}){why}"


def _any(runs: list[Found], family: str) -> str:
    k = sum(any(key.startswith(family) for key in failed(run)) for run in runs)
    return within(clopper_pearson(k, len(runs)))
