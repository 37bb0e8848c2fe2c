"""Run all benchmarks in order and write their tables into docs/benchmarks.md; `make bench`, four hours on two cores.

The README has one small table of them, and what the demo ends with. `python bench/main.py TABLE …` measures and writes
only those that are named.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import accuracy
import attacks
import captures
import core_rule_set
import domains
import edge
import edited
import engines
import escalating
import exclusive
import explanations
import field
import flooding
import flows
import foreign
import fusion
import fuzzing
import hardening
import neighbours
import novelty
import others_models
import others_quantization
import others_rules
import picture
import portable
import proof
import readers
import service
import similarity
import speed
import students
import teachers
import throughput
import transcript
import waf
from settings import OUT, SEEDS, missing_data, once

import checks
import quantization

BEGIN, END = "<!-- bench: {} -->", "<!-- end -->"
PAGE = Path("docs/benchmarks.md")
README = Path("README.md")
ELSEWHERE = {"headline": README, "demo": README}  # tables that stand on another page


def headline() -> str:
    """Write the README's table: size, speed and errors of the four models, and where the linear one is better."""
    return accuracy.headline(students.comparison(students.FASTEST, 0))


def comparison() -> str:
    """Write the comparison that the first student's bundle stores."""
    accuracy.measured()
    return accuracy.comparison(accuracy.STUDENT, 0).to_markdown()


def seeds() -> str:
    """Write the means over the seeds."""
    accuracy.measured()
    return accuracy.over_seeds()


def parity() -> str:
    """Write what each conversion step changed."""
    return "\n".join(
        f"- seed {seed}, {step['step']}: max |Δlogit| {step['max_difference']:.2g}, "
        f"{step['flips']} of {step['events']:,} verdicts flip"
        for seed, report in zip(SEEDS, accuracy.measured()["reports"], strict=True)
        for step in report["parity"]
    )


def other_teachers() -> str:
    """Write the students of other kinds of teachers."""
    return teachers.to_markdown(
        {kind: once(f"from-{kind}", lambda kind=kind: teachers.distilled(kind)) for kind in teachers.KINDS}  # type: ignore[misc]
    )


def foreigners() -> str:
    """Write what quantization does to a classifier that overproof did not make."""
    accuracy.measured()
    return foreign.to_markdown(
        {
            name: once(f"foreign-{place}", lambda name=name: foreign.measured(name))  # type: ignore[misc]
            for place, name in enumerate(foreign.GUARDS)
        }
    )


def after_students(name: str, module: Any) -> Callable[[], str]:
    """Return the table of a module that needs the students."""

    def table() -> str:
        accuracy.measured()
        return str(module.to_markdown(once(name, module.measured)))

    return table


def deployed(name: str, module: Any) -> Callable[[], str]:
    """Return the table of a module that needs the compared student's bundle, with its embedding and thresholds."""

    def table() -> str:
        once("deployed-http", escalating.made)
        return str(module.to_markdown(once(name, module.measured)))

    return table


def unseen() -> str:
    """Write what no model was taught; the students without a family are those of the check."""
    checks.checked_once()
    return deployed("novelty", novelty)()


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "comparison": comparison,
    "seeds": seeds,
    "parity": parity,
    "teachers": other_teachers,
    "foreign": foreigners,
    "portable": after_students("portable", portable),
    "speed": lambda: speed.to_markdown(once("speed", speed.measured)),
    "fusion": after_students("fusion", fusion),
    "quantization": after_students("quantization", quantization),
    "waf": lambda: waf.to_markdown(once("waf", waf.measured)),
    "core-rule-set": lambda: core_rule_set.to_markdown(once("core-rule-set", core_rule_set.measured)),
    "others-quantization": lambda: others_quantization.to_markdown(others_quantization.all_measured()),
    "others-models": lambda: others_models.to_markdown(once("others-models", others_models.measured)),
    "others-rules": lambda: others_rules.to_markdown(once("others-rules", others_rules.measured)),
    "students": lambda: students.to_markdown(students.measured()),
    "held-families": lambda: students.held_out_table(students.measured_without_families()),
    "edits": lambda: edited.to_markdown(edited.measured()),
    "attacks": lambda: attacks.to_markdown(attacks.HTTP),
    "attacks-web": lambda: attacks.to_markdown(attacks.WEB),
    "attacks-others": attacks.others,
    "attacks-exclusive": lambda: exclusive.to_markdown(exclusive.measured()),
    "hardening": lambda: hardening.to_markdown(hardening.measured()),
    "flooding": lambda: flooding.to_markdown(once("flooding", flooding.measured)),
    "domains": lambda: domains.to_markdown(domains.measured()),
    "field": lambda: field.to_markdown(once("field", field.measured)),
    "check": lambda: checks.check_table(checks.checked_once()),
    "held-out": lambda: checks.held_out_table(checks.checked_once()),
    "sabotage": lambda: checks.sabotage_table(checks.sabotaged_once()),
    "flows": lambda: flows.flows_table(once("flows-check-json", flows.measured)),
    "escalating": deployed("escalating", escalating),
    "novelty": unseen,
    "throughput": deployed("throughput", throughput),
    readers.NAME: lambda: readers.to_markdown(once(readers.NAME, readers.measured)),
    "captures": lambda: captures.to_markdown(once("captures", captures.measured)),
    "service": deployed("service", service),
    "similarity": deployed("similarity", similarity),
    neighbours.NAME: lambda: neighbours.to_markdown(once(neighbours.NAME, neighbours.measured)),
    explanations.NAME: lambda: explanations.to_markdown(once(explanations.NAME, explanations.measured)),
    "engines": deployed("engines", engines),
    "edge": deployed("edge", edge),
    fuzzing.NAME: lambda: fuzzing.to_markdown(once(fuzzing.NAME, fuzzing.measured)),
    "transcript": lambda: transcript.to_markdown(once("transcript", transcript.measured)),
    "demo": lambda: transcript.last_screen(once("transcript", transcript.measured)),
    **proof.TABLES,
}


def main(wanted: Sequence[str]) -> int:
    """Measure what has not been measured yet, then write the tables: all, or those that are named."""
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        print(f"bench: no table {', '.join(unknown)}: expected some of {', '.join(TABLES)}", file=sys.stderr)
        return 2
    missing = missing_data(wanted or TABLES)
    if missing is not None:
        print(f"bench: {missing}", file=sys.stderr)
        return 2
    if "portable" in (wanted or TABLES) and shutil.which(portable.QEMU) is None:
        print(f"bench: {portable.QEMU} is not there; install Debian's qemu-user", file=sys.stderr)
        return 2
    if readers.NAME in (wanted or TABLES) and (absent := readers.absent()) is not None:
        print(f"bench: {absent}", file=sys.stderr)
        return 2
    if "service" in (wanted or TABLES) and shutil.which("wrk") is None:
        print("bench: wrk is not there; install Debian's wrk", file=sys.stderr)
        return 2
    if "core-rule-set" in (wanted or TABLES) and (absent := core_rule_set.absent()) is not None:
        print(f"bench: {absent}", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    tables = {name: TABLES[name]() for name in wanted or TABLES}
    for name, table in tables.items():
        write_table(ELSEWHERE.get(name, PAGE), name, table)
    if "headline" in tables:
        picture.PICTURE.write_text(picture.drawn(picture.headline()))
    return 0


def write_table(page: Path, name: str, table: str) -> None:
    """Replace what stands between the marks of a table."""
    text = page.read_text()
    if BEGIN.format(name) not in text:
        raise RuntimeError(f"{page} has no place for the table {name!r}")
    head, _, rest = text.partition(BEGIN.format(name))
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN.format(name)}\n{table.strip()}\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
