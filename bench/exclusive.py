"""Spend one attack on a student, its retrained control, itself before quantization, and the linear baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from accuracy import STUDENT, TEACHER
from attacks import BUDGET, HTTP, LOOKED_FOR, SEED, TRAINED, spent
from settings import OUT, TEST, TRAIN, once
from students import RECOMMENDED, recipe

import overproof
from overproof.bundle.model_names import QUANTIZED
from overproof.progress import terminal
from overproof.redteam.result import Rate
from overproof.report.words import interval

PLACE = OUT / "exclusive"
STUDENTS = (*RECOMMENDED, STUDENT)
OBJECTIVE, GRID, SEARCH = "evasion", "grid", "bandit"


def attacked(student: str) -> dict[str, Any]:
    """Make a student once more, with its control, and attack all of them."""
    trained = TRAINED[HTTP]
    trained.make(student)  # its n-gram teacher
    bundle = PLACE / trained.bundle(student).name
    evidence = bundle.with_name(f"{bundle.name}.evidence")
    if not evidence.is_dir():
        options = {**recipe(student, TEACHER), "teacher": trained.full(student)}
        overproof.compress(
            [TRAIN],
            test=[TEST],
            out=bundle,
            evidence=evidence,
            seed=SEED,
            cache=OUT / "cache",
            console=terminal(),
            **options,
        )
    name = f"{bundle.name}-exclusive"
    return spent(bundle, trained.full(student), [OBJECTIVE, GRID], SEARCH, name, evidence=evidence).to_json()


def measured() -> dict[str, Any]:
    """Attack each student and what stands beside it."""
    return {student: once(f"attack-exclusive-{student}-{SEED}", partial(attacked, student)) for student in STUDENTS}


def to_markdown(found: Mapping[str, Any]) -> str:
    """Write what fell of each model, what of it is the student's alone, and what fools others too."""
    return "\n\n".join([_exclusive(found), _transfer(found)])


def _exclusive(found: Mapping[str, Any]) -> str:
    lines = [
        f"| student | {SEARCH}, {BUDGET:,} queries | model | falls | the student falls more by |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    for student, one in found.items():
        beside = {(entry["objective"], entry["beside"]): _cell(entry["difference"]) for entry in one["exclusive"]}
        for row in one["rows"]:
            key = row["objective"], row["model"]
            cells = [LOOKED_FOR[key[0]], key[1], _cell(row["at"][str(BUDGET)]), beside.get(key, "")]
            lines.append(f"| {student} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _transfer(found: Mapping[str, Any]) -> str:
    models = _models(found)
    lines = [f"| of what fools | also fools: {' | '.join(models)} |", "| --- |" + " ---: |" * len(models)]
    for student, one in found.items():
        for model, others in one["transfer"].items():
            who = student if model == QUANTIZED else f"{student}'s {model}"
            cells = [_cell(others[other]) if other in others else "" for other in models]
            lines.append(f"| {who} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _models(found: Mapping[str, Any]) -> Sequence[str]:
    return list(dict.fromkeys(row["model"] for one in found.values() for row in one["rows"]))


def _cell(rate: Mapping[str, float]) -> str:
    return interval(Rate(**rate))  # type: ignore[arg-type]
