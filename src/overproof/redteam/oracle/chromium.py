"""Render pages in a headless Chromium without network, and tell what each would have done to a visitor."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

Effects = tuple[str, ...]

QUIET_S = 20.0
"""So long may Chromium say nothing: what it renders by then is given up."""

CHUNK = 400
BARREN = 3
"""So many runs in a row without a word, and Chromium is not asked again."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data:; style-src 'unsafe-inline'; img-src data:"
WORDS = (
    "--headless=new --disable-gpu --disable-dev-shm-usage --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --enable-logging=stderr"
).split()


@cache
def program() -> tuple[str, ...] | str:
    """Find Chromium; the words that start it without network, or why it is not run."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        return "Chromium is not installed"
    root = os.geteuid() == 0
    apart = ["unshare", "--map-root-user" if root else "--map-current-user", "--net"]
    if shutil.which(apart[0]) and subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0:
        return (*apart, found, *(["--no-sandbox"] if root else []), *WORDS)
    # Root's Chromium has no sandbox of its own: nothing would be left between a payload and this machine.
    return "no namespace can be made, and Chromium is not run as root without one" if root else (found, *WORDS)


def effects(pages: Sequence[str]) -> list[Effects | None]:
    """Tell what each page would have done; None for one that did not end in time."""
    found: list[Effects | None] = []
    barren = 0
    while len(found) < len(pages) and barren < BARREN:
        chunk = pages[len(found) : len(found) + CHUNK]
        known = list(_run(chunk))
        barren = 0 if known else barren + 1
        found += known if len(known) == len(chunk) else [*known, None]
    return found + [None] * (len(pages) - len(found))


def _run(pages: Sequence[str]) -> Iterator[Effects]:
    """Render pages in one Chromium, in a folder that goes with it, up to the first that it does not end with."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder, "page.html")
        script = Path(__file__).with_name("html_page.js").read_text("utf-8")
        cases = json.dumps(list(pages)).replace("<", "\\u003c")
        page.write_text(
            f'<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content="{POLICY}">'
            f'<script>{script}\njudgeAll({cases}, "{token}")</script>',
            "utf-8",
        )
        words = [*program(), "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile"]
        process = subprocess.Popen(
            [*words, page.as_uri()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"HOME": folder, "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            yield from _told(process, token, len(pages))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _told(process: subprocess.Popen[bytes], token: str, count: int) -> Iterator[Effects]:
    assert process.stderr is not None
    pattern = re.compile(rf"{token}:([\w+/=]*):".encode())
    rest = b""
    while count and select.select([process.stderr], [], [], QUIET_S)[0]:
        part = os.read(process.stderr.fileno(), 1 << 16)
        if not part:
            return
        rest += part
        for match in pattern.finditer(rest):
            yield tuple(json.loads(base64.b64decode(match[1])))
            count -= 1
        rest = rest[max((match.end() for match in pattern.finditer(rest)), default=0) :]
