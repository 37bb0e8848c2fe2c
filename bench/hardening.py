"""Harden students of real payloads, and attack them before and after with edits of another seed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attacks
from accuracy import STUDENT, TEACHER
from attacks import BUDGET, LOOKED_FOR
from settings import OUT, TEST, TRAIN, once
from students import FASTEST, FOLDER, comparison, recipe

import overproof
from overproof.bundle.model_names import CONTROL, DISTILLED, QUANTIZED
from overproof.jobs.attack_rates import BUDGETS
from overproof.progress import terminal
from overproof.redteam.result import Rate
from overproof.report.words import interval, percent
from overproof.results import Comparison
from overproof.results.hardening import Hardening

PLACE = OUT / "hardened"
SEED, HELD_SEED = 0, 1  # of the students and what they learn from; of the attacks that they are measured by
BEFORE, AFTER, PART = "as distilled", "hardened", "hardened by half of the families"
TAUGHT = ("cmdi", "path-traversal", "ssti", "xss")  # of `PART`; the others' attacks are edited by the measuring alone
STUDENTS = (FASTEST, "hybrid-student", STUDENT)
ALARM = "false-alarm"
SEARCH, STRONGER = "bandit", "gradient"  # what it learned against, and what it did not


def full(student: str) -> list[str]:
    """Return the full model: what the student learned from."""
    return [str(TEACHER), str(FOLDER / f"{student}-{SEED}.ngram-teacher")]


def made(student: str, state: str) -> dict[str, Any]:
    """Make a student, the fastest with its evidence; returns its comparison and its rounds."""
    comparison(student, SEED)  # its n-gram teacher
    out = place(student, state)
    families = TAUGHT if state == PART else ()
    options = {**recipe(student, TEACHER), "teacher": full(student)}
    report = overproof.compress(
        [TRAIN],
        test=[TEST],
        out=out,
        evidence=out.with_suffix(".evidence") if student == FASTEST else None,  # one more training
        seed=SEED,
        cache=OUT / "cache",
        harden=state != BEFORE,
        harden_families=families,
        console=terminal(),
        **options,
    )
    rounds = None if report.hardening is None else report.hardening.to_json()
    return {"comparison": report.comparison.to_json(), "hardening": rounds}


def place(student: str, state: str) -> Path:
    """Return where a student lies; one as distilled, without a control, is that of the table of students."""
    if state == BEFORE and student != FASTEST:
        return FOLDER / f"{student}-{SEED}"
    return PLACE / f"{student}-{state.replace(' ', '-')}"


def attacked(student: str, state: str) -> dict[str, Any]:
    """Spend the bandit on a student: alone, and past the cascade; on its control too, where it has one."""
    alone = spent(student, state, ["blind-spot"] if state == PART else ["blind-spot", "bypass"], SEARCH)
    if state == PART or student != FASTEST:
        return {"rows": alone["rows"], "exclusive": []}
    cascade = spent(student, state, ["evasion"], SEARCH, place(student, state).with_suffix(".evidence"))
    own = [row for row in cascade["rows"] if row["model"] == QUANTIZED]
    return {"rows": [*alone["rows"], *own], "exclusive": cascade["exclusive"]}


def spent(student: str, state: str, objectives: list[str], search: str, evidence: Path | None = None) -> dict[str, Any]:
    """Attack a student with edits of another seed than it learned from."""
    name = f"{student}-{state.replace(' ', '-')}/{'-'.join([*objectives, search])}"
    bundle = place(student, state)
    return attacks.spent(bundle, full(student), objectives, search, name, seed=HELD_SEED, evidence=evidence).to_json()


def measured() -> dict[str, Any]:
    """Make and attack every student before and after, and one that was taught by some families alone."""
    found: dict[str, Any] = {}
    for student in STUDENTS:
        for state in (BEFORE, AFTER, *([PART] if student == FASTEST else [])):
            name = f"{student}-{state.replace(' ', '-')}"
            if place(student, state).parent == PLACE:
                clean = once(f"hardening-made-{name}", partial(made, student, state))
            else:
                clean = {"comparison": comparison(student, SEED).to_json(), "hardening": None}
            one = once(f"hardening-{name}", partial(attacked, student, state))
            if state != PART:
                more = once(f"hardening-{name}-{ALARM}", partial(spent, student, state, [ALARM], SEARCH))
                one = {**one, "rows": [*one["rows"], *more["rows"]]}
            if state != PART and student == FASTEST:
                more = once(f"hardening-{name}-{STRONGER}", partial(spent, student, state, ["blind-spot"], STRONGER))
                one = {**one, "rows": [*one["rows"], *more["rows"]]}
            found[f"{student}, {state}"] = {**clean, **one}
    return found


def to_markdown(found: Mapping[str, Any]) -> str:
    """One table of attacks, one of unedited events, one of families, and the rounds."""
    return "\n\n".join([_attacks(found), _exclusive(found), _clean(found), _families(found), _rounds(found)])


def _attacks(found: Mapping[str, Any]) -> str:
    lines = [
        f"| what falls | search | student | {' | '.join(f'≤ {count} queries' for count in BUDGETS)} | unproved |",
        "| --- | --- | --- |" + " ---: |" * (len(BUDGETS) + 1),
    ]
    for objective, words in LOOKED_FOR.items():
        for name, one in found.items():
            for row in one["rows"]:
                if row["objective"] == objective and PART not in name:
                    cells = [*(_cell(row["at"][str(count)]) for count in BUDGETS), str(row["unproved"])]
                    lines.append(f"| {words} | {row['search']} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _exclusive(found: Mapping[str, Any]) -> str:
    lines = []
    for name, one in found.items():
        beside = {entry["beside"]: entry["difference"] for entry in one["exclusive"]}
        if beside:
            parts = ", ".join(f"{_cell(beside[model])} beyond the {model}" for model in (CONTROL, DISTILLED))
            lines.append(f"- {name}: past the cascade, not the full model, at {BUDGET:,} queries: {parts}.")
    return "\n".join(lines)


def _clean(found: Mapping[str, Any]) -> str:
    lines = [
        "| unedited test events, INT8 | accuracy | macro-F1 | FN | FP | attacks missed at 0.5 % false positives |",
        "| --- |" + " ---: |" * 5,
    ]
    for name, one in found.items():
        whole = Comparison.from_json(one["comparison"])
        row = whole.row(QUANTIZED)
        missed = whole.missed_at(QUANTIZED, 0.005)
        if row is None or row.metrics is None:
            raise RuntimeError(f"{name}: not measured")
        figures = [row.metrics.accuracy, row.metrics.macro_f1, row.metrics.fn_rate, row.metrics.fp_rate]
        cells = ["" if figure is None else percent(figure) for figure in figures]
        lines.append(f"| {name} | {' | '.join(cells)} | {'' if missed is None else interval(missed)} |")
    return "\n".join(lines)


def _families(found: Mapping[str, Any]) -> str:
    shown = {name: one for name, one in found.items() if name.startswith(FASTEST)}
    rows = {name: next(row for row in one["rows"] if row["objective"] == "blind-spot") for name, one in shown.items()}
    families = sorted({family for row in rows.values() for family in row["families"]})
    head = f"| {LOOKED_FOR['blind-spot']}, {BUDGET:,} queries | {' | '.join(rows)} |"
    lines = [head, "| --- |" + " ---: |" * len(rows)]
    for family in families:
        cells = [_cell(row["families"][family]) if family in row["families"] else "" for row in rows.values()]
        lines.append(f"| {family}{' (taught in the last column)' if family in TAUGHT else ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rounds(found: Mapping[str, Any]) -> str:
    lines = []
    for name, one in found.items():
        if one["hardening"] is not None:
            rounds = Hardening.from_json(one["hardening"])
            missed = ", ".join(percent(each.evasions.value) for each in rounds.rounds)
            alarms = ", ".join("" if each.alarms is None else percent(each.alarms.value) for each in rounds.rounds)
            lines.append(
                f"- {name}: round {rounds.taken} is taken; edits hide validation attacks, by round, {missed}; they "
                f"make alarms of benign validation events {alarms}."
            )
    return "\n".join(lines)


def _cell(rate: Mapping[str, float]) -> str:
    return interval(Rate(**rate))  # type: ignore[arg-type]
