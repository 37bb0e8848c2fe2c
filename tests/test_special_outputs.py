"""An output that is a FIFO, a device or a link is written through, whichever command writes it: case 41-special-out."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
COMMANDS = {
    "verdicts": "triage BUNDLE EVENTS --out OUT",
    "rejects": "triage BUNDLE EVENTS --out /dev/null --rejects OUT",
    "rejects of an index": "index BUNDLE EVENTS --out INDEX --rejects OUT",
    "lesson": "lesson --html OUT",
    "gate": "check --init-gate OUT",
}
BEGINS = {"verdicts": b'{"origin"', "lesson": b"<!", "gate": b"#"}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_fifo_a_link_and_a_link_to_standard_output(small_bundle: Path, tmp_path: Path, name: str) -> None:
    events, fifo, link, stdout = (tmp_path / each for each in ("events.csv", "fifo", "link", "stdout"))
    events.write_text("text\na\nb\na,bad,row\n")
    os.mkfifo(fifo)
    link.symlink_to("elsewhere")
    stdout.symlink_to("/proc/self/fd/1")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    for out in (fifo, link, stdout):
        words = COMMANDS[name].replace("BUNDLE", str(small_bundle)).replace("EVENTS", str(events))
        words = words.replace("INDEX", str(tmp_path / "index")).replace("OUT", str(out))
        program = [sys.executable, "-m", "overproof", *words.split()]
        ended = subprocess.run(program, env=ENVIRONMENT, stdout=subprocess.PIPE, timeout=120, check=True)
    reader.join(60)
    written = read[0]
    assert written.startswith(BEGINS.get(name, b'{"reason"'))
    assert (tmp_path / "elsewhere").read_bytes()[:9] == written[:9]
    assert written[:9] in ended.stdout
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert link.is_symlink() and stdout.is_symlink()


@pytest.mark.parametrize("out", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_that_is_a_file_is_written_where_it_stands(
    out: str, small_bundle: Path, tmp_path: Path
) -> None:
    """`>> FILE` holds what is there, and verdicts stand alone behind it."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "events.txt").write_text("a\nb\n")
    (tmp_path / "all.jsonl").write_text("before\n")
    words = [sys.executable, "-m", "overproof", "triage", small_bundle, "events.txt", "--out", out]
    with (tmp_path / "all.jsonl").open("ab") as file:
        subprocess.run(words, env=ENVIRONMENT, stdout=file, cwd=tmp_path, timeout=120, check=True)
    before, *verdicts = (tmp_path / "all.jsonl").read_text().splitlines()
    assert before == "before"
    assert [json.loads(line)["origin"] for line in verdicts] == ["events.txt:1", "events.txt:2"]
