"""Measure the base install at the edge: size by package, import time, memory, cold start to a first verdict.

The wheel is built and installed into a fresh environment with its base dependencies alone, at the pinned versions.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from accuracy import STUDENT, bundle
from settings import OUT, TEST

RUNS = 15
EVENTS = 1_000
SHOWN = 6  # packages that have a row of their own
EVENT = "id=1' or '1'='1\n"
IMPORT = "from time import perf_counter as t; a = t(); import overproof.bundle.runtime; print(t() - a)"

# Resident megabytes (VmRSS: the libraries' pages that were touched, too) after each step of one process.
MEMORY = """
import json, sys
def resident():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
measured_here = {"python": resident()}
import overproof.bundle.runtime
measured_here["imported"] = resident()
scorer = overproof.bundle.runtime.open(sys.argv[1])
measured_here["opened"] = resident()
for text in json.load(sys.stdin):
    scorer.judge([text])
measured_here["judged"] = resident()
print(json.dumps(measured_here))
"""


def measured() -> dict[str, Any]:
    """Sizes in bytes, times in seconds (medians of fresh processes, files in the page cache), memory in megabytes."""
    place = OUT / "edge"
    try:
        return _measured(base_install(place))
    finally:
        shutil.rmtree(place)


def _measured(programs: Path) -> dict[str, Any]:
    python, overproof = programs / "python", programs / "overproof"
    (site,) = (programs.parent / "lib").glob("python*/site-packages")
    where = str(bundle(STUDENT, 0))
    lines = gzip.decompress(TEST.read_bytes()).decode().splitlines()[1 : EVENTS + 1]
    starts = [cold_start([overproof, "triage", where, "-"]) for _ in range(RUNS)]
    return {
        "packages": sizes(site),
        "python_seconds": median(float(_timed([python, "-c", "0"])) for _ in range(RUNS)),
        "import_seconds": median(float(_output([python, "-c", IMPORT])) for _ in range(RUNS)),
        "memory_mb": json.loads(_output([python, "-c", MEMORY, where], json.dumps(lines))),
        "first_verdict_seconds": median(first for first, _ in starts),
        "whole_run_seconds": median(whole for _, whole in starts),
        "runs": RUNS,
        "events": EVENTS,
        "bundle_bytes": sum(file.stat().st_size for file in Path(where).iterdir()),
    }


def base_install(place: Path) -> Path:
    """Make a fresh environment with the built wheel and its base dependencies; return the folder of its programs."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "-qq", "--no-input", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(place), "."], check=True)
    (wheel,) = place.glob("overproof-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], check=True)
    programs = place / "venv" / "bin"
    to = ["--python", str(programs / "python")]
    subprocess.run([*pip, *to, "install", "-c", "requirements/ci.txt", str(wheel)], check=True)
    return programs


def sizes(site: Path) -> dict[str, int]:
    """Bytes on the disk of each installed package, compiled modules included, the largest first."""
    found = {
        package.name: sum(file.stat().st_size for file in map(Path, _files(package)) if file.is_file())
        for package in distributions(path=[str(site)])
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _files(package: Any) -> list[str]:
    return [str(package.locate_file(file)) for file in package.files or ()]


def cold_start(command: Sequence[str | Path]) -> tuple[float, float]:
    """Seconds from the start of a process to its first line about one event, and to its end."""
    begin = perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(EVENT)
        process.stdin.close()
        line = process.stdout.readline()
        first = perf_counter() - begin
        process.stdout.read()
    assert process.returncode == 0 and json.loads(line)["label"]
    return first, perf_counter() - begin


def _timed(command: Sequence[str | Path]) -> float:
    begin = perf_counter()
    _output(command)
    return perf_counter() - begin


def _output(command: Sequence[str | Path], stdin: str = "") -> str:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def to_markdown(result: dict[str, Any]) -> str:
    """Write a table of what the base install takes."""
    packages = dict(result["packages"])
    memory = result["memory_mb"]
    shown = list(packages.items())[:SHOWN]
    named = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in shown)
    rest = sum(packages.values()) - sum(size for _, size in shown)
    lines = [
        "| base install, no torch | |",
        "| --- | ---: |",
        f"| on the disk, {len(packages)} packages | {sum(packages.values()) / 1e6:.0f} MB |",
        f"| of it | {named}, the rest {rest / 1e6:.0f} |",
        f"| `import overproof.bundle.runtime` | {result['import_seconds']:.2f} s |",
        f"| memory: Python alone, imported, bundle opened | "
        f"{memory['python']:.0f}, {memory['imported']:.0f}, {memory['opened']:.0f} MB |",
        f"| memory after {result['events']:,} events, one by one | {memory['judged']:.0f} MB |",
        "| `echo EVENT \\| overproof triage BUNDLE -`, until the verdict is there | "
        f"{result['first_verdict_seconds']:.2f} s |",
    ]
    return "\n".join(lines)
