"""Replay the guarantee of the escalation: how often is more lost than was promised?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from campaigns import MISSED, Setting, Shows, drawn
from interval_coverage import WORKERS, within

from overproof.checks.base import PASSED
from overproof.checks.escalation.compute import GUARANTEE, escalation
from overproof.checks.escalation.result import EscalationThreshold
from overproof.checks.stats import clopper_pearson

MEANS = (1, 2, 5, 20, 100)
SHOWS: tuple[Shows, ...] = ("group", "text", "fresh group, same text", "group and text")
CAMPAIGNS = (118, 236)  # half of the first can just show 5 %, if nothing is lost
REPEATS = {True: 76, False: 12}  # fewer where each event is judged by itself: those take long and break nothing
BESIDE = 150
LIMIT, DEFAULT, MANY = 0.05, 0.005, 1500
SLACK = 1e-9
Found = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """How often of so many runs a promise was given, and how often more is lost than was promised."""

    runs: int
    promised: int
    broken: int


def replayed(setting: Setting, seeds: Iterable[int]) -> Replayed:
    """Draw events, let the check choose its threshold by them, and look up what is truly lost at it."""
    runs = promised = broken = 0
    for seed in seeds:
        found = escalation(drawn(setting, seed))
        threshold = found.data.threshold
        given = next(gate for gate in found.gates if gate.key == GUARANTEE).status == PASSED
        runs += 1
        if given and isinstance(threshold, EscalationThreshold):
            promised += 1
            broken += setting.lost(threshold.value) > setting.limit + SLACK
    return Replayed(runs, promised, broken)


def settings(mean: int) -> list[Setting]:
    """List the settings of the 10,560 replays whose campaigns are of that size."""
    return [
        Setting(mean, alike, shows, campaigns, scores)
        for alike in (True, False)
        for shows in SHOWS
        for campaigns in CAMPAIGNS
        for scores in MISSED
    ]


def others() -> dict[str, list[Setting]]:
    """List the settings beside them: the limit as it is by default, and what no bound can know of."""
    base = Setting(1, True, "group and text", CAMPAIGNS[-1], "sure of them", LIMIT)
    default = replace(base, campaigns=MANY, limit=DEFAULT)
    return {
        **{
            f"limit 0.5 %, {MANY:,} campaigns of {mean} on average, {like}": [
                replace(default, mean=mean, alike=alike, scores=scores) for scores in MISSED
            ]
            for mean in (1, 2, 5)
            for alike, like in ((True, "alike"), (False, "each judged by itself"))
        },
        **{
            f"campaigns of {mean} on average, those larger than that alone are lost": [
                replace(base, mean=mean, larger=True)
            ]
            for mean in (2, 5, 20)
        },
        **{
            f"campaigns of {mean} on average, alike, that show in neither group nor text": [
                replace(base, mean=mean, shows="nothing")
            ]
            for mean in (2, 5, 20)
        },
    }


def measured(mean: int) -> list[Found]:
    """Replay the settings of one size of campaigns; all sizes take some five minutes on two cores.

    Every setting has seeds of its own.
    """
    jobs = [
        (setting, range(seed, seed + REPEATS[setting.alike]))
        for seed, setting in zip(itertools.count(100_000 * mean, 1000), settings(mean), strict=False)
    ]
    with ProcessPoolExecutor(WORKERS) as pool:
        done = list(pool.map(_replayed, jobs))
    return [{**asdict(setting), **asdict(row)} for (setting, _), row in zip(jobs, done, strict=True)]


def beside() -> list[Found]:
    """Replay what stands beside them, in two minutes."""
    jobs = [
        (name, setting, range(100_000 * k, 100_000 * k + BESIDE // len(part)))
        for k, (name, part) in enumerate(others().items(), start=1000)
        for setting in part
    ]
    with ProcessPoolExecutor(WORKERS) as pool:
        done = list(pool.map(_replayed, [job[1:] for job in jobs]))
    return [{"name": job[0], **asdict(row)} for job, row in zip(jobs, done, strict=True)]


def _replayed(job: tuple[Setting, range]) -> Replayed:
    return replayed(*job)


def to_markdown(rows: list[Found], beside: list[Found]) -> str:
    """Write how often the promise was broken, setting by setting, and how often it was given."""
    whole = _sum(rows)
    lines = [
        f"{whole['runs']:,} replays: the promise was given in {_given(whole)} of them and broken in {_broken(whole)}; "
        "5 % are allowed.",
        "",
        "| broken; given | " + " | ".join(SHOWS) + " |",
        "| --- |" + " --- |" * len(SHOWS),
    ]
    for mean in MEANS:
        for alike in (True, False):
            cells = [
                _sum([row for row in rows if (row["mean"], row["alike"], row["shows"]) == (mean, alike, shows)])
                for shows in SHOWS
            ]
            name = f"campaigns of {mean} on average, {'alike' if alike else 'each judged by itself'}"
            lines.append(f"| {name} | " + " | ".join(f"{_broken(cell)}; {_given(cell)}" for cell in cells) + " |")
    lines += ["", "| by what is missed, all settings | broken | given |", "| --- | --- | --- |"]
    for scores in MISSED:
        part = _sum([row for row in rows if row["scores"] == scores])
        lines.append(f"| {scores} | {_broken(part)} | {_given(part)} |")
    lines += ["", f"| beside these, {BESIDE} runs each | broken | given |", "| --- | --- | --- |"]
    for name in dict.fromkeys(row["name"] for row in beside):
        part = _sum([row for row in beside if row["name"] == name])
        lines.append(f"| {name} | {_broken(part)} | {_given(part)} |")
    return "\n".join(lines)


def _sum(rows: list[Found]) -> Found:
    return {key: sum(row[key] for row in rows) for key in ("runs", "promised", "broken")}


def _broken(cell: Found) -> str:
    return within(clopper_pearson(cell["broken"], cell["runs"]))


def _given(cell: Found) -> str:
    return f"{cell['promised'] / cell['runs']:.0%}"
