"""Measure triage end to end on one core: events a second, peak memory on a million lines, import time, bundle size.

On real values of which no two are alike; beside the fastest student reading and writing take most of the time.
"""

from __future__ import annotations

import re
import subprocess
import sys
from math import nan
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import orjson
from settings import OUT, TEST, TRAIN, WAF
from students import FASTEST, FOLDER, RECOMMENDED, comparison

from overproof import load_events

VALUES = (TRAIN, TEST, WAF / "train_benign.csv.gz", WAF / "test_benign.csv.gz")
RUNS = 5
MILLION = 1_000_000

# A process of its own starts the triage: the peak memory of a child counts that of the process it was forked from.
LAUNCHER = """
import os, resource, subprocess, sys
os.sched_setaffinity(0, {0})
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def measured() -> dict[str, Any]:
    """Rates, memory and sizes."""
    texts = dict.fromkeys(text for path in VALUES for text in load_events(path)["text"].to_pylist())
    lines = [orjson.dumps({"text": text}) + b"\n" for text in texts]
    file = _written(OUT / "events.jsonl", lines)
    result: dict[str, Any] = {name: _distinct(name, file) for name in RECOMMENDED}
    million = _triage(_bundle(FASTEST), _written(file, (lines * (MILLION // len(lines) + 1))[:MILLION]))
    file.unlink()
    result["million"] = {"events": million["events"], "peak_mb": million["peak_mb"]}
    result["import_seconds"] = median(_import_seconds() for _ in range(7))
    return result


def _distinct(name: str, file: Path) -> dict[str, Any]:
    """Rates of one student on events of which no two are alike: of whole processes, and of what triage itself says."""
    comparison(name, 0)  # distils it if it is not there
    runs = [_triage(_bundle(name), file) for _ in range(RUNS)]
    return {
        "events": runs[0]["events"],
        "events_per_second": median(run["events"] / run["seconds"] for run in runs),
        "started_per_second": median(run["said"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "bundle_bytes": sum(path.stat().st_size for path in _bundle(name).iterdir()),
    }


def _bundle(name: str) -> Path:
    return FOLDER / f"{name}-0"


def _written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def _triage(where: Path, file: Path) -> dict[str, float]:
    """One whole process on one core, its start included."""
    verdicts = OUT / "verdicts.jsonl"
    begin = perf_counter()
    with verdicts.open("wb") as out:
        command = [sys.executable, "-m", "overproof", "triage", str(where), str(file)]
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, *command], stdout=out, stderr=subprocess.PIPE, text=True, check=True
        )
    seconds = perf_counter() - begin
    with verdicts.open("rb") as written:
        events = sum(1 for _ in written)
    verdicts.unlink()
    said = re.search(r"\(([\d,]+) a second\)", done.stderr)
    return {
        "events": events,
        "seconds": seconds,
        "said": float(said[1].replace(",", "")) if said else nan,
        "peak_mb": int(done.stderr.split()[-1]) / 1024,
    }


def _import_seconds() -> float:
    code = "from time import perf_counter as t; a = t(); import overproof; print(t() - a)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of what triage does end to end."""
    lines = ["| `overproof triage` end to end, one core | |", "| --- | ---: |"]
    for name in RECOMMENDED:
        r = result[name]
        lines += [
            f"| {name} INT8, {r['events']:,} distinct values | {r['events_per_second']:,.0f} events/s |",
            f"| the same, once it has started | {r['started_per_second']:,.0f} events/s |",
            f"| peak memory of it | {r['peak_mb']:.0f} MB |",
            f"| bundle, {name} | {r['bundle_bytes']:,} bytes |",
        ]
    million = result["million"]
    lines.append(f"| peak memory, {FASTEST} INT8, {million['events']:,} events | {million['peak_mb']:.0f} MB |")
    lines.append(f"| `import overproof` | {result['import_seconds']:.3f} s |")
    return "\n".join(lines)
