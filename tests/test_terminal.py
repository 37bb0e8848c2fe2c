"""Output on a terminal: it fits, nothing that was judged can steer it, and JSON stays equal when it is parsed."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.folding import cells, folded
from overproof.progress import printable_json

HOSTILE = "a\x1b[31mb\x9b31mc\x7fd\u202ee\u2066f\u200bg\U000e0041h\u2028i"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_escaped_json_is_the_same_json(text: str, indented: bool) -> None:
    value = {text: [text, 1.5]}
    written = json.dumps(value, ensure_ascii=False, indent=2 if indented else None)
    escaped = printable_json(written)
    assert json.loads(escaped) == value
    assert all(c.isprintable() or c == "\n" for c in escaped)


def on_a_terminal(
    *words: str | Path,
    also_errors: bool = False,
    columns: int = 100,
    env: Mapping[str, str] | None = None,
    typed: str | None = None,
) -> str:
    """What a terminal is sent; its newlines as they were written, and without what was typed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    local = termios.tcgetattr(theirs)
    local[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, local)
    errors = theirs if also_errors else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "-m", "overproof", *map(str, words)],
        stdin=subprocess.DEVNULL if typed is None else theirs,
        stdout=theirs,
        stderr=errors,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **(env or {})},
    )
    if typed is not None:
        os.write(ours, f"{typed}\x04".encode())
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


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
ATTACKS = "src_ip,dst_ip,dst_port,text\n" + "".join(
    f"192.0.2.{i},198.51.100.20,443,{word}\n"
    for i, word in enumerate(["ABCDE FGHIJ", "JIHGF EDCBA", "AAAA BBBB 漢字🔥", f"ACE {HOSTILE} GIA", "X" * 300])
)


@pytest.fixture
def attacks(tmp_path: Path) -> Path:
    """Events of which the small bundle takes some for attacks."""
    events = tmp_path / "events.csv"
    events.write_text(ATTACKS)
    return events


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_a_terminal_is_shown_a_table_that_fits_it(small_bundle: Path, attacks: Path, columns: int) -> None:
    words = ["triage", small_bundle, attacks, "--min-severity", "informational"]
    shown = on_a_terminal(*words, columns=columns)
    assert "\x1b" in shown  # coloured
    lines = ESCAPES.sub("", shown).splitlines()
    assert lines[0].startswith("time (UTC)           severity  family")
    assert all(cells(line) <= columns and line.isprintable() for line in lines)
    assert any("192.0.2.3 → 198.51.100.20:443" in line for line in lines) or columns == 60
    assert len(lines) == 1 + 5 * (1 if columns == 140 else 2)
    assert any("\\x1b[31mb\\x9b31mc" in line for line in lines) or columns < 80


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize(
    "words",
    [["triage", "BUNDLE", "EVENTS", "--top", "2"], ["inspect", "BUNDLE"], ["inspect", "BUNDLE", "--full"]],
    ids=["triage", "inspect", "inspect-full"],
)
def test_no_line_is_broken_by_the_terminal(small_bundle: Path, attacks: Path, words: list[str], columns: int) -> None:
    places: dict[str, str | Path] = {"BUNDLE": small_bundle, "EVENTS": attacks}
    given = [places.get(word, word) for word in words]
    lines = ESCAPES.sub("", on_a_terminal(*given, columns=columns, also_errors=True)).replace("\r", "\n").splitlines()
    too_long = [line for line in lines if cells(line) > columns]
    assert all(max(map(cells, line.split())) > columns - 20 for line in too_long), too_long  # a path is left whole
    assert [line for line in lines if line.strip()]


def test_a_line_that_is_too_long_goes_on_below_where_its_value_began() -> None:
    assert folded("  labels     474 xss, 235 sqli, 61 cmdi", 26) == (
        "  labels     474 xss, 235\n             sqli, 61 cmdi"
    )
    assert folded("a sentence that is too long\n    and\tone", 20) == ("a sentence that is\ntoo long\n    and\tone")
    assert folded(f"in {'/path' * 9} it is", 20) == f"in\n{'/path' * 9}\nit is"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")), st.integers(1, 200))
def test_folding_loses_nothing_but_blanks(text: str, width: int) -> None:
    found = folded(text, width)
    assert found.split() == text.split()
    assert all(cells(line) <= width or len(line.split()) == 1 for line in found.split("\n") if line.isascii())


def test_what_has_no_total_is_counted(tmp_path: Path, small_bundle: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("text\n" + "A B C\n" * 5000)
    shown = on_a_terminal("triage", small_bundle, events, "--out", tmp_path / "out.jsonl", also_errors=True)
    assert "5,000" in shown and "/?" not in shown


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_table_is_coloured_only_where_colour_is_wanted(
    small_bundle: Path, attacks: Path, env: Mapping[str, str]
) -> None:
    shown = on_a_terminal("triage", small_bundle, attacks, env=env, also_errors=env.get("TERM") == "dumb")
    assert "\x1b" not in shown
    assert "⟦" in shown


def test_a_table_in_a_pipe_is_plain_and_a_pipe_is_sent_json_lines_unasked(small_bundle: Path, attacks: Path) -> None:
    command = [sys.executable, "-m", "overproof", "triage", str(small_bundle), str(attacks)]
    asked = subprocess.run([*command, "--to", "table"], capture_output=True, check=True).stdout.decode()
    unasked = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert asked.startswith("time (UTC)") and "\x1b" not in asked
    found = [json.loads(line) for line in unasked.splitlines()]
    assert len(found) == 5
    assert not any("spans" in verdict or "text" in verdict for verdict in found)


def test_what_was_decided_as_benign_is_counted_and_not_shown(small_bundle: Path, attacks: Path) -> None:
    shown = on_a_terminal("triage", small_bundle, attacks, "--to", "jsonl", also_errors=True, env={"TERM": "dumb"})
    grave = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    wanted = [one for one in grave if one["label"] != "benign" or one["status"] != "decided"]
    assert len(wanted) > 0
    table = on_a_terminal("triage", small_bundle, attacks, also_errors=True, env={"TERM": "dumb"})
    assert sum("192.0.2." in line for line in table.splitlines()) == len(wanted)
    left_out = f"; {len(grave) - len(wanted):,} below low left out (--min-severity informational shows them)"
    assert (left_out in table) == (len(wanted) < len(grave))


def test_on_a_terminal_it_says_that_it_reads_standard_input(small_bundle: Path) -> None:
    shown = on_a_terminal("triage", small_bundle, also_errors=True, typed="ABCDE FGHIJ\nAAAA\n")
    assert shown.startswith("Reading events from standard input, one a line; Ctrl-D ends them.\n")
    assert "2 events" in shown and "━" not in shown, "no bar where somebody types"
    piped = subprocess.run(
        [sys.executable, "-m", "overproof", "triage", small_bundle], input=b"A\n", capture_output=True, check=True
    )
    assert b"Reading" not in piped.stderr


# What a terminal shows of what an older version wrote, so that nothing of it hangs on what is trained here.
HERE = Path(__file__).parent
MADE = HERE / "compat" / "format1"
COMMANDS = {  # without spans, which may differ by how a processor adds up
    "triage": [
        "triage",
        "bundle",
        "events.jsonl",
        "--top",
        "6",
        "--no-explain",
    ],  # spans may differ by a processor's sums
    "inspect": ["inspect", "bundle"],
    "help": ["triage", "--help"],
}
TOOK = re.compile(r" in [0-9.]+ s \([0-9,]+ a second\)")


@pytest.fixture
def older_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with that bundle and its events; it is made today."""
    shutil.copytree(MADE / "bundle", tmp_path / "bundle", copy_function=shutil.copyfile)
    shutil.copyfile(MADE / "events.jsonl", tmp_path / "events.jsonl")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("older_bundle")
@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_terminal_shows_what_is_recorded(name: str, columns: int, tmp_path: Path) -> None:
    sent = ESCAPES.sub("", on_a_terminal(*COMMANDS[name], columns=columns, also_errors=True))
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in sent.splitlines() if "━" not in line]
    shown = TOOK.sub(" in … s (… a second)", "\n".join(lines).strip("\n") + "\n")
    (tmp_path / "shown.txt").write_text(shown)
    recorded = HERE / "recordings" / f"{name}-{columns}.txt"
    assert recorded.is_file() and shown == recorded.read_text(), f"if it is right: cp {tmp_path}/shown.txt {recorded}"
    commands = [line for line in lines if line.startswith("    overproof ")]  # of the help: they are copied from there
    assert all(cells(line) <= (100 if line in commands else columns) for line in shown.splitlines())
