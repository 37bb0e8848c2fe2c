"""Output on a terminal: nothing that was judged can steer it, and JSON stays equal when it is parsed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.progress import printable_json

HOSTILE = "a\x1b[31mb\x9b31mc\x7fd\u202ee\u2066f\u200bg\U000e0041h\u2028i"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_escaped_json_is_the_same_json(text: str, indented: bool) -> None:
    value = {text: [text, 1.5]}
    written = json.dumps(value, ensure_ascii=False, indent=2 if indented else None)
    escaped = printable_json(written)
    assert json.loads(escaped) == value
    assert all(c.isprintable() or c == "\n" for c in escaped)


def on_a_terminal(*words: str | Path, also_errors: bool = False) -> str:
    """What a terminal is sent; its newlines as they were written."""
    ours, theirs = pty.openpty()
    errors = theirs if also_errors else subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "overproof", *map(str, words)], stdout=theirs, stderr=errors)
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 1 << 16):
            parts.append(part)
    except OSError:  # it has hung up
        pass
    os.close(ours)
    process.wait()
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "ecs"])
def test_verdicts_do_not_steer_a_terminal(small_bundle: Path, tmp_path: Path, form: str) -> None:
    events = tmp_path / "\x1b[31m\u202eevents.csv"
    events.write_text(f"text,note\none,{HOSTILE}\n")
    shown = on_a_terminal("triage", small_bundle, events, "--to", form)
    assert all(c.isprintable() or c == "\n" for c in shown)
    piped = subprocess.run(
        [sys.executable, "-m", "overproof", "triage", small_bundle, events, "--to", form],
        capture_output=True,
        check=True,
    )
    assert HOSTILE[5:] in json.dumps(json.loads(piped.stdout), ensure_ascii=False)
    if form == "jsonl":
        assert json.loads(shown) == json.loads(piped.stdout)
        assert "\u202e".encode() in piped.stdout  # to a pipe it is as it is


def test_no_other_output_steers_a_terminal(small_bundle: Path, tmp_path: Path) -> None:
    named = tmp_path / HOSTILE
    for words in (
        ["triage", small_bundle, named],
        ["triage", small_bundle, "--top", HOSTILE, named],
        ["triage", f"--{HOSTILE}"],
        [HOSTILE],
        ["inspect", named],
        ["check", small_bundle, named, "--init-gate", named / "x"],
        ["inspect", small_bundle, "--json"],
    ):
        shown = on_a_terminal(*words, also_errors=True)
        assert shown
        steering = [
            c for c in HOSTILE if not c.isprintable() and c != "\x1b"
        ]  # progress bars need escapes of their own
        assert [c for c in [*steering, "\x1b[31mb"] if c in shown] == [], words
