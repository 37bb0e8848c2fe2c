"""Write verdicts: as JSON lines, Parquet, OCSF Detection Findings, ECS documents or a table for people.

`SINKS` is the whole list of forms; one module each.
"""

from __future__ import annotations

from overproof.errors import InputError
from overproof.inference.sinks.ecs import document
from overproof.inference.sinks.interface import About, Sink, Writer
from overproof.inference.sinks.jsonl import JSONL
from overproof.inference.sinks.lines import line_sink
from overproof.inference.sinks.ocsf import finding
from overproof.inference.sinks.parquet import PARQUET
from overproof.inference.sinks.table import TABLE
from overproof.inference.sinks.verdict_batch import VerdictBatch

__all__ = ["SINKS", "About", "Sink", "VerdictBatch", "Writer", "sink_for"]

SINKS: dict[str, Sink] = {
    "jsonl": JSONL,
    "parquet": PARQUET,
    "ocsf": line_sink(".ocsf.jsonl", finding),
    "ecs": line_sink(".ecs.jsonl", document),
    "table": TABLE,
}

_COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".zip")


def sink_for(to: str | None, out: str) -> Sink:
    """Return the sink of a form; without one, that of the longest extension that the output's name ends with, or jsonl.

    Raises
    ------
    InputError
        If there is no such form, or the name promises a compressed file.
    """
    if out.lower().endswith(_COMPRESSED):
        raise InputError(f"{out}: verdicts are not compressed, expected another name, or - and a pipe")
    if to is not None:
        if to not in SINKS:
            raise InputError(f"form {to!r}: expected one of {', '.join(SINKS)}")
        return SINKS[to]
    fitting = [sink for sink in SINKS.values() if sink.extension and out.lower().endswith(sink.extension)]
    return max(fitting, key=lambda sink: len(sink.extension), default=SINKS["jsonl"])
