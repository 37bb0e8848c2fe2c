"""Programs that we did not write, asked what a file of events holds; a test is skipped where one is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PACKAGES = {  # of Debian
    "systemd-journal-remote": "systemd-journal-remote",
    "journalctl": "systemd",
    "tshark": "tshark",
    "capinfos": "wireshark-common",
    "evtxexport": "libevtx-utils",
    "halog": "haproxy",
    "mlr": "miller",
}


def program(name: str) -> str:
    """Where a program is."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin:/bin:/usr/lib/systemd")
    if found is None:
        pytest.skip(f"no {name} on this machine (Debian: apt-get install {PACKAGES.get(name, name)})")
    return found


def said(name: str, *arguments: str | Path, given: bytes = b"", home: Path | None = None) -> bytes:
    """What a program writes on its standard output."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(home or "/nonexistent"), "TZ": "UTC"}
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=True, env=environment, timeout=120).stdout


def lnav(path: Path, table: str, columns: str = "*") -> list[dict[str, Any]]:
    """The records of a log as lnav reads them, in their order."""
    query = f";SELECT {columns} FROM {table} ORDER BY log_line"
    return json.loads(said("lnav", "-n", "-c", query, "-c", ":write-json-to -", path, home=path.parent))


def goaccess(path: Path, form: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The numbers of lines that GoAccess counts, and the different requests in them."""
    out = path.with_suffix(".json")
    options = ["--no-global-config", "--no-progress", "--max-items=5000"]
    if "%" in form:  # none of those that it has a name for
        options += ["--date-format=%d/%b/%Y", "--time-format=%T"]
    said("goaccess", path, f"--log-format={form}", "-o", out, *options)
    report = json.loads(out.read_text())
    counts = {name: report["general"][f"{name}_requests"] for name in ("total", "valid", "failed")}
    return counts, [(each["method"], each["data"]) for each in report["requests"]["data"]]


def jq(data: bytes, expression: str) -> list[Any]:
    """What jq makes of JSON, one value a line."""
    return [json.loads(line) for line in said("jq", "-c", expression, given=data).splitlines()]
