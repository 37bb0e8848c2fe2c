"""Start a shell where it can reach neither network nor files nor processes, and learn what it would have run."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 2.0
CASES_A_START = 400


@dataclass(frozen=True)
class Ran:
    """What a script did where it could do nothing.

    Attributes
    ----------
    ended
        All its processes ended by themselves in time, and what they wrote was not too much to be compared.
    trace
        The lines of the shell's own trace, and the stand-ins' records: what was called with which words and input.
    out, err, files
        What was printed, and what was written to which file.
    """

    ended: bool
    trace: str
    out: str
    err: str
    files: tuple[tuple[str, str], ...]


@functools.cache
def missing() -> str:
    """Say why no script can be run on this machine; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "shells are run on Linux alone"
    if shutil.which("bash") is None:
        return "bash is not installed"
    try:
        done = _driven(["true garden"])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"this machine allows no namespace for a shell ({str(error).strip().splitlines()[-1][:120]})"
    return "" if done[0].ended and "true garden" in done[0].trace else "the namespace's shell does not run"


def run_scripts(scripts: Sequence[str], status: int = 0) -> list[Ran | None]:
    """Run scripts, each in an empty world of its own; None for one that no shell can be given.

    Parameters
    ----------
    status
        What the commands that stand for all programs answer: 0, or 127 as where they are not found.
    """
    can = [script for script in scripts if "\0" not in script]
    done: list[Ran] = []
    for first in range(0, len(can), CASES_A_START):
        done += _driven(can[first : first + CASES_A_START], status)
    answers = iter(done)
    return [None if "\0" in script else next(answers) for script in scripts]


@functools.cache
def _shell() -> tuple[str, tuple[str, ...]]:
    """Find bash and the libraries it needs."""
    shell = os.path.realpath(shutil.which("bash") or "/bin/bash")
    listed = subprocess.run(["ldd", shell], capture_output=True, text=True, check=True, timeout=10).stdout
    return shell, tuple(re.findall(r"(?:=>\s+|^\s+)(/\S+)", listed, re.MULTILINE))


def _driven(scripts: Sequence[str], status: int = 0) -> list[Ran]:
    """Start the driver once for many scripts."""
    if not scripts:
        return []
    shell, libraries = _shell()
    texts = [script.encode("utf-8", "surrogatepass").decode("latin-1") for script in scripts]
    cases = [{"script": text, "status": status, "seconds": SECONDS} for text in texts]
    order = json.dumps({"shell": shell, "libraries": libraries, "cases": cases})
    driver = str(Path(__file__).with_name("namespace_driver.py"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", driver],
        input=order,
        capture_output=True,
        text=True,
        timeout=30 + 2 * SECONDS * len(scripts),
    )
    if done.returncode != 0:
        raise OSError(done.stderr or f"the driver ended with {done.returncode}")
    return [_read(line) for line in done.stdout.splitlines()]


def _read(line: str) -> Ran:
    """Read one answer of the driver."""
    answer = json.loads(line)
    files = tuple(sorted(answer["files"].items()))
    return Ran(ended=answer["ended"], trace=answer["trace"], out=answer["out"], err=answer["err"], files=files)
