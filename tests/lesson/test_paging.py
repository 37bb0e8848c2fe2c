"""The lesson on a terminal: a step at a time, left and gone on with; piped it stays one text."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from overproof.lesson.paging import LEAST, first_of, pages, question, turned
from overproof.lesson.place import FILE, forget, keep, kept, place_file

SHOWN = pages(["one", "a\nb\nc\nd\ne\nf\ng", "three"], LEAST + 3)  # the second takes two pages


def test_a_step_is_divided_for_the_screen_and_nothing_is_lost() -> None:
    assert [(page.step, page.part, page.parts) for page in SHOWN] == [(0, 1, 1), (1, 1, 2), (1, 2, 2), (2, 1, 1)]
    assert "\n".join(page.text for page in SHOWN if page.step == 1) == "a\nb\nc\nd\ne\nf\ng"
    assert len(pages(["a\nb"], 1)) == 1
    assert [first_of(SHOWN, step) for step in range(3)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("at", "answer", "page"),
    [
        (0, "\n", 1),
        (1, "", 2),
        (3, "\n", None),
        (2, "b\n", 1),
        (0, "B", 0),
        (1, "q\n", None),
        (3, "2\n", 1),
        (0, " 3 ", 3),
    ],
    ids=["on", "part", "end", "back", "first-back", "leave", "number", "blanks"],
)
def test_an_answer_leads_to_a_page(at: int, answer: str, page: int | None) -> None:
    turn = turned(SHOWN, at, answer)
    assert (turn.page, turn.message) == (page, "")


@pytest.mark.parametrize("answer", ["0", "4", "x", "quit", "-1", "²", "9" * 5000], ids=lambda text: text[:5])
def test_what_is_no_answer_leads_nowhere(answer: str) -> None:
    turn = turned(SHOWN, 1, answer)
    assert turn.page == 1
    assert turn.message == "Expected Enter, b, q or a step from 1 to 3."


def test_the_question_says_where_and_what() -> None:
    assert question(SHOWN, 1) == "[step 2 of 3, part 1 of 2; Enter goes on, b back, 1 to 3 to a step, q leaves] "
    assert question(SHOWN, 3).startswith("[step 3 of 3; Enter ends,")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / FILE


def test_a_place_is_kept_and_forgotten(state: Path) -> None:
    assert place_file() == state
    assert kept(state, ["a", "b"]) == 0
    assert keep(state, "b") == ""
    assert json.loads(state.read_text()) == {"step": "b"}
    assert kept(state, ["a", "b"]) == 1
    assert kept(state, ["a"]) == 0  # a step that is gone
    forget(state)
    forget(state)
    assert kept(state, ["a", "b"]) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"step": []}', '{"step": 1}', "[" * 100_000, "\x00\xff"])
def test_a_file_that_is_no_place_begins_anew(state: Path, content: str) -> None:
    state.parent.mkdir(parents=True)
    state.write_text(content)
    assert kept(state, ["a", "b"]) == 0


def test_a_place_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in keep(tmp_path / "file" / "below" / "lesson.json", "a")


@pytest.mark.parametrize("value", ["", "relative/state"], ids=["empty", "relative"])
def test_without_an_absolute_folder_it_is_below_home(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", value)
    monkeypatch.setenv("HOME", "/home/someone")
    assert place_file() == Path("/home/someone/.local/state/overproof/lesson.json")


@dataclass
class Terminal:
    """A run of the lesson on a terminal of 30 rows."""

    process: subprocess.Popen[bytes]
    file: int

    def until(self, end: str) -> str:
        """What it shows until it shows that; all there is where it ends before."""
        shown = b""
        while end.encode() not in shown:
            try:
                part = os.read(self.file, 1 << 16)
            except OSError:  # it has hung up
                break
            if not part:
                break
            shown += part
        return shown.decode().replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())


@pytest.fixture
def terminals(state: Path, tmp_path: Path) -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for terminal in made:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.file)


def begun(made: list[Terminal], *words: str) -> Terminal:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    process = subprocess.Popen(
        [sys.executable, "-m", "overproof", "lesson", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    made.append(Terminal(process, ours))
    return made[-1]


@pytest.mark.slow
def test_it_is_left_and_gone_on_with(terminals: list[Terminal], state: Path) -> None:
    first = begun(terminals)
    shown = first.until("leaves] ")
    assert shown.startswith("1. Soft labels\n")
    assert len(shown.splitlines()) <= 30
    first.type("4\n")
    assert "4. The distillation loss" in first.until("leaves] ")
    first.type("nonsense\n")
    assert "Expected Enter, b, q or a step" in first.until("leaves] ")
    first.type("q\n")
    assert f"Left at step 4, which {state} keeps;" in " ".join(first.until("\0").split())
    assert first.process.wait() == 0
    assert [path.name for path in state.parent.iterdir()] == ["lesson.json"]
    again = begun(terminals)
    shown = again.until("leaves] ")
    assert "Going on at step 4 of 14; 1 begins anew." in shown
    assert "4. The distillation loss" in shown and "1. Soft labels" not in shown
    again.type("14\n")
    while "Enter ends" not in again.until("leaves] "):
        again.type("\n")
    again.type("\n")
    again.until("\0")
    assert again.process.wait() == 0
    assert not state.exists()  # at the end it is done


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupt", "end-of-input"])
def test_ctrl_c_and_ctrl_d_leave_as_q_does(terminals: list[Terminal], state: Path, how: str) -> None:
    run = begun(terminals)
    run.until("leaves] ")
    run.type("7\n")
    run.until("leaves] ")
    if how == "interrupt":
        run.process.send_signal(signal.SIGINT)
    else:
        run.type("\x04")
    shown = run.until("\0")
    assert "Left at step 7" in shown and "Traceback" not in shown
    assert run.process.wait() == 0
    assert json.loads(state.read_text())["step"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_piped_it_is_one_text_and_keeps_nothing(state: Path, words: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "overproof", "lesson", *words], stdin=theirs, capture_output=True, check=True, text=True
    )
    os.close(theirs)
    os.close(ours)
    assert "leaves]" not in done.stdout
    assert done.stdout.startswith("{" if words else "1. Soft labels\n")
    assert not state.exists()
