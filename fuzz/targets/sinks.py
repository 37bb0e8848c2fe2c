"""Try triage from any table into any sink: every event has one verdict there, and whoever reads it can."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq

from fuzz import corpus
from fuzz.mutate import tables
from fuzz.target import Files, require
from fuzz.targets import readers
from overproof.bundle.manifest import open_bundle
from overproof.bundle.tiers import open_student
from overproof.inference.cascade import Cascade
from overproof.inference.sinks import SINKS
from overproof.inference.stream.job import RunContext, triage
from overproof.inference.stream.output import Request

HOW = "how.json"


def made(random: Random) -> Files:
    """Make a table of any types, or change a file of events, and choose where its verdicts go."""
    if random.random() < 0.7:
        files: Files = {"input.parquet": tables.parquet(random)}
    else:
        files = readers.events_file(random)
        del files[readers.SETTINGS]
    how = {
        "to": random.choice(list(SINKS)),
        "with_text": random.random() < 0.5,
        "top": random.choice((None, None, 2)),
        "group_similar": random.random() < 0.2,
    }
    return {**files, HOW: json.dumps(how).encode()}


@cache
def _cascade() -> Cascade:
    return Cascade(open_student(open_bundle(corpus.OWN / "bundle")))


def run(files: Files, folder: Path) -> None:
    """Judge it; count what was written, as another reader would."""
    name = next(name for name in files if name != HOW)
    (folder / name).write_bytes(files[name])
    how = json.loads(files[HOW])
    out = folder / "verdicts"
    context = RunContext()
    summary = triage(_cascade(), Request((str(folder / name),), str(out), **how), context=context)
    count = {"parquet": _parquet, "table": _table}.get(how["to"], _lines)
    written = count(out)
    require(written == summary.tally.written, f"written: {written} of {summary.tally.written} verdicts")
    wanted = summary.tally.events if how["top"] is None else min(how["top"], summary.tally.events)
    require(written == wanted, f"lost: {written} verdicts of {wanted} events")


def _lines(path: Path) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    for line in lines:
        require(line.endswith(b"\n"), "a line that does not end")
        require(
            isinstance(json.loads(line.decode("utf-8"), parse_constant=_no_number), dict), "a line that is no object"
        )
    return len(lines)


def _table(path: Path) -> int:
    """Count the rows below the head; of each the event may have a line of its own, indented."""
    lines = path.read_text("utf-8").splitlines()
    require(all(line.isprintable() for line in lines), "a line that could steer a terminal")
    return sum(not line.startswith("    ") for line in lines[1:])


def _no_number(word: str) -> Any:
    require(False, f"no JSON: {word}")


def _parquet(path: Path) -> int:
    table = pq.read_table(path)
    table.validate(full=True)
    return int(table.num_rows)
