"""Measure triage end to end on one core: events a second, peak memory on a million lines, import time, bundle size.

Students are timed on the test payloads several times over; the fastest of them, beside which reading and writing take
most of the time, on real values of which no two are alike.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from math import nan
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import orjson
from accuracy import SMALLEST, STUDENT, bundle, student
from settings import OUT, TEST, TRAIN, WAF, once

from overproof import load_events

FASTEST = "ngram-student"
VALUES = (TRAIN, TEST, WAF / "train_benign.csv.gz", WAF / "test_benign.csv.gz")
COPIES = {STUDENT: 5, SMALLEST: 20}
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
    header, *lines = gzip.decompress(TEST.read_bytes()).splitlines(keepends=True)
    result: dict[str, Any] = {}
    for name, copies in COPIES.items():
        file = _written(OUT / "events.csv", header, lines * copies)
        rates = [_triage(bundle(name, 0), file) for _ in range(3)]
        result[name] = {
            "events": rates[0]["events"],
            "events_per_second": median(r["events"] / r["seconds"] for r in rates),
            "bundle_bytes": sum(p.stat().st_size for p in bundle(name, 0).iterdir()),
        }
    result[FASTEST] = _distinct()
    file = _written(OUT / "events.csv", header, (lines * (MILLION // len(lines) + 1))[: MILLION * 2])
    million = _triage(bundle(SMALLEST, 0), file)
    result["million"] = {"events": million["events"], "peak_mb": million["peak_mb"]}
    imports = [_import_seconds() for _ in range(7)]
    result["import_seconds"] = median(imports)
    file.unlink()
    return result


def _distinct() -> dict[str, Any]:
    """Rates of the fastest student: of whole processes, and of what triage itself says, its start left out."""
    once(f"{FASTEST}-0", lambda: student(FASTEST, 0))
    texts = dict.fromkeys(text for path in VALUES for text in load_events(path)["text"].to_pylist())
    file = _written(OUT / "events.jsonl", b"", [orjson.dumps({"text": text}) + b"\n" for text in texts])
    runs = [_triage(bundle(FASTEST, 0), file) for _ in range(5)]
    file.unlink()
    return {
        "events": runs[0]["events"],
        "events_per_second": median(run["events"] / run["seconds"] for run in runs),
        "started_per_second": median(run["said"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "bundle_bytes": sum(p.stat().st_size for p in bundle(FASTEST, 0).iterdir()),
    }


def _written(path: Path, header: bytes, lines: list[bytes]) -> Path:
    path.write_bytes(header + b"".join(lines))
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
    lines = ["| end to end, one core | |", "| --- | ---: |"]
    for name in COPIES:
        r = result[name]
        lines.append(f"| `overproof triage`, {name} INT8 | {r['events_per_second']:,.0f} events/s |")
        lines.append(f"| bundle, {name} | {r['bundle_bytes']:,} bytes |")
    fast, million = result[FASTEST], result["million"]
    lines += [
        f"| `overproof triage`, {FASTEST} INT8, {fast['events']:,} distinct values | "
        f"{fast['events_per_second']:,.0f} events/s |",
        f"| the same, once it has started | {fast['started_per_second']:,.0f} events/s |",
        f"| peak memory of it | {fast['peak_mb']:.0f} MB |",
        f"| bundle, {FASTEST} | {fast['bundle_bytes']:,} bytes |",
    ]
    lines.append(f"| peak memory, {million['events']:,} events | {million['peak_mb']:.0f} MB |")
    lines.append(f"| `import overproof` | {result['import_seconds']:.3f} s |")
    return "\n".join(lines)
