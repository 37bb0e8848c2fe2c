"""Find the data of the benchmarks, and keep what takes long: a second run goes on where the first one stopped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SETTING = "OVERPROOF_DATA"
_given = os.environ.get(SETTING)
DATA = Path(_given).resolve() if _given else Path("../shared/data")
# Everything runs in the root and names files from there: what a bundle says of its teacher is the same anywhere.
os.chdir(Path(__file__).resolve().parents[1])
OUT = Path("out/bench")
TRAIN, TEST = DATA / "http" / "train.csv.gz", DATA / "http" / "test.csv.gz"
FLOWS, CAPTURES, WAF = DATA / "nsl-kdd", DATA / "captures", DATA / "waf"
LINES, COMMANDS = DATA / "logs", DATA / "shell"
SEEDS = (0, 1, 2)
PAYLOADS = ((TRAIN, "real HTTP payloads to train on"), (TEST, "real HTTP payloads to test on"))
# What each table reads; the others read the payloads.
RECORDED = ((CAPTURES, "captures and logs of pcap, Zeek, Suricata and web servers"),)
NSL_KDD = ((FLOWS, "the files of NSL-KDD"),)
REQUESTS = (*PAYLOADS, (WAF, "real benign request values of web sites"))
NEEDED = {
    "core-rule-set": REQUESTS,
    "waf": REQUESTS,
    "others-models": REQUESTS,
    "others-rules": REQUESTS,
    "attacks-web": REQUESTS,
    "field": REQUESTS,
    "flows": NSL_KDD,
    "domains": (
        *NSL_KDD,
        (LINES, "log lines of CrowdSec's hub"),
        (COMMANDS, "shell commands, attacks and benign ones"),
    ),
    "neighbours": (
        *PAYLOADS,
        *NSL_KDD,
        (LINES, "log lines of CrowdSec's hub"),
        (COMMANDS, "shell commands, attacks and benign ones"),
    ),
    "captures": RECORDED,
    "readers": PAYLOADS + RECORDED,
    "novelty": PAYLOADS + RECORDED,
    "fuzzing": (),
    "transcript": (),
    "demo": (),
    "coverage": (),
    "replays": (),
    "by-chance": (),
    "power": (),
    "guards": (),
    "winners": (),
}


def missing_data(tables: Iterable[str]) -> str | None:
    """Say in one line what of the data for these tables is missing, and which setting names its place; else None."""
    for table in tables:
        for path, content in NEEDED.get(table, PAYLOADS):
            if not path.exists():
                return (
                    f"{path} is missing (expected: {content}; table {table!r}): set {SETTING} to the folder that holds "
                    f"http, waf, nsl-kdd, logs, shell and captures; docs/benchmarks.md says what is in them"
                )
    return None


def once(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `compute`, kept in `out/bench/NAME.json`; delete the file to measure again."""
    path = OUT / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    print(f"bench: {name}", file=sys.stderr, flush=True)
    result = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1))
    part.rename(path)
    return result
