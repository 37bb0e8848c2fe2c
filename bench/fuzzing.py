"""Fuzz whatever is read (`fuzz/`): how many inputs were tried, how fast, and what was found."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from settings import OUT

INPUTS, MINUTES, WORKERS = 1_000_000, 60, 2
NAME = "fuzzing"
WHAT = {
    "events": "files of events, in every format",
    "capture": "captures, by their packets",
    "table": "Parquet of any column types",
    "sink": "triage of both, into every sink",
    "bundle": "bundles, sealed anew",
    "evidence": "evidence stores, listed anew",
    "index": "indexes, sealed anew",
    "check": "check.json, sealed anew",
    "small": "gate files, cases of attacks, what was held out",
    "service": "requests to the service",
}


def measured() -> dict[str, Any]:
    """Run the fuzzer as `make fuzz` does."""
    report = OUT / f"{NAME}.json"
    limits = ["--inputs", str(INPUTS), "--minutes", str(MINUTES), "--workers", str(WORKERS)]
    done = subprocess.run([sys.executable, "-m", "fuzz", *limits, "--report", str(report)], check=False)
    if done.returncode not in (0, 1):  # 1: it found something
        raise RuntimeError(f"the fuzzer ended with {done.returncode}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def to_markdown(result: dict[str, Any]) -> str:
    """Write inputs, speed and findings of each target."""
    inputs, core = result["inputs"], result["core_seconds"]
    lines = ["| what is tried | inputs | a second of a core | findings |", "| --- | ---: | ---: | ---: |"]
    for name, count in inputs.items():
        found = sum(finding["target"] == name for finding in result["findings"])
        lines.append(f"| {WHAT[name]} | {count:,} | {count / max(core[name], 1e-9):,.0f} | {found} |")
    total, seconds = sum(inputs.values()), sum(core.values())
    lines.append(f"| all | {total:,} | {total / seconds:,.0f} | {len(result['findings'])} |")
    workers = f"{result['workers']} process{'es' if result['workers'] > 1 else ''}"
    kinds = "; ".join(f"{one['target']}: {one['kind']}, `{one['place']}`" for one in result["findings"])
    lines += [
        "",
        f"Seed {result['seed']}, {workers}, {_runs(result)}{result['seconds']:,.0f} s by the clock and "
        f"{seconds:,.0f} s of a core. "
        f"{result['kept']} inputs of earlier runs that failed are kept, and fail no more."
        + (f" Found: {kinds}." if kinds else ""),
    ]
    return "\n".join(lines)


def _runs(result: dict[str, Any]) -> str:
    runs = result.get("runs", 1)
    return f"{runs} runs, " if runs > 1 else ""
