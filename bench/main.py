"""All benchmarks, in order; writes their tables into the README. `make bench`, some four hours on two cores.

`python bench/main.py TABLE …` measures and writes only those.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import accuracy
import captures
import edge
import engines
import escalating
import field
import flows
import foreign
import fusion
import novelty
import portable
import service
import similarity
import speed
import teachers
import throughput
import transcript
from settings import DATA, OUT, README, once

import checks
import quantization

BEGIN, END = "<!-- bench: {} -->", "<!-- end -->"


def strip() -> str:
    """The strip that the first student's bundle stores."""
    accuracy.measured()
    return accuracy.comparison(accuracy.STUDENT, 0).to_markdown()


def seeds() -> str:
    """Means over the seeds."""
    accuracy.measured()
    return accuracy.over_seeds()


def parity() -> str:
    """What each conversion step changed."""
    return "\n".join(
        f"- seed {seed}, {step['step']}: max |Δlogit| {step['max_difference']:.2g}, "
        f"{step['flips']} of {step['events']:,} verdicts flip"
        for seed, report in zip(accuracy.SEEDS, accuracy.measured()["reports"], strict=True)
        for step in report["parity"]
    )


def other_teachers() -> str:
    """Other kinds of teachers."""
    return teachers.to_markdown(
        {kind: once(f"from-{kind}", lambda kind=kind: teachers.distilled(kind)) for kind in teachers.KINDS}  # type: ignore[misc]
    )


def foreigners() -> str:
    """A classifier that overproof did not make."""
    accuracy.measured()
    return foreign.to_markdown(
        {
            name: once(f"foreign-{place}", lambda name=name: foreign.measured(name))  # type: ignore[misc]
            for place, name in enumerate(foreign.GUARDS)
        }
    )


def after_students(name: str, module: Any) -> Callable[[], str]:
    """A table of a module that needs the students."""

    def table() -> str:
        accuracy.measured()
        return str(module.to_markdown(once(name, module.measured)))

    return table


def in_the_field(name: str, module: Any) -> Callable[[], str]:
    """A table of a module that needs the bundle of the strip with an embedding and thresholds of its own."""

    def table() -> str:
        once("field-http", escalating.made)
        return str(module.to_markdown(once(name, module.measured)))

    return table


def unseen() -> str:
    """What no model was taught; the students without a family are those of the check."""
    checks.checked_once()
    return in_the_field("novelty", novelty)()


TABLES: dict[str, Callable[[], str]] = {
    "strip": strip,
    "seeds": seeds,
    "parity": parity,
    "teachers": other_teachers,
    "foreign": foreigners,
    "portable": after_students("portable", portable),
    "speed": lambda: speed.to_markdown(once("speed", speed.measured)),
    "fusion": after_students("fusion", fusion),
    "quantization": after_students("quantization", quantization),
    "field": after_students("field", field),
    "check": lambda: checks.check_table(checks.checked_once()),
    "held-out": lambda: checks.held_out_table(checks.checked_once()),
    "sabotage": lambda: checks.sabotage_table(checks.sabotaged_once()),
    "flows": lambda: flows.flows_table(once("flows-check-json", flows.measured)),
    "escalating": in_the_field("escalating", escalating),
    "novelty": unseen,
    "throughput": in_the_field("throughput", throughput),
    "captures": lambda: captures.to_markdown(once("captures", captures.measured)),
    "service": in_the_field("service", service),
    "similarity": in_the_field("similarity", similarity),
    "engines": in_the_field("engines", engines),
    "edge": in_the_field("edge", edge),
    "transcript": lambda: transcript.to_markdown(once("demo", transcript.measured)),
}


def main(wanted: Sequence[str]) -> int:
    """Measure what has not been measured yet, then write the tables: all, or those that are named."""
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        print(f"bench: no table {', '.join(unknown)}: expected some of {', '.join(TABLES)}", file=sys.stderr)
        return 2
    if not DATA.is_dir():
        print(f"bench: {DATA} is not there; the benchmarks need its real payloads", file=sys.stderr)
        return 2
    if "portable" in (wanted or TABLES) and shutil.which(portable.QEMU) is None:
        print(f"bench: {portable.QEMU} is not there; install Debian's qemu-user", file=sys.stderr)
        return 2
    if "service" in (wanted or TABLES) and shutil.which("wrk") is None:
        print("bench: wrk is not there; install Debian's wrk", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    tables = {name: TABLES[name]() for name in wanted or TABLES}
    text = README.read_text()
    for name, table in tables.items():
        if BEGIN.format(name) not in text:
            raise RuntimeError(f"README.md has no place for the table {name!r}")
        head, _, rest = text.partition(BEGIN.format(name))
        _, _, tail = rest.partition(END)
        text = f"{head}{BEGIN.format(name)}\n{table.strip()}\n{END}{tail}"
    README.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
