"""The command line: what it calls, what it prints, and the code it ends with."""

from __future__ import annotations

import errno
import inspect
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import overproof
from overproof.bundle.signing import Trust
from overproof.cli import app
from overproof.errors import BundleError, ExitCode, InputError, MissingExtra, OverproofError, TamperedBundle
from overproof.events.sources import Reading
from overproof.inference.cascade.full import FullDown
from overproof.inference.similarity.build import IndexConfig, build_index
from overproof.inference.stream import Request
from overproof.jobs.deploy_config import CascadeConfig, ServeConfig, TriageConfig

OLD = Path(__file__).parent / "compat" / "format1"  # a bundle, events and an index
COMMANDS = (
    "demo",
    "teach",
    "compress",
    "quantize",
    "join",
    "check",
    "report",
    "attack",
    "triage",
    "serve",
    "exceptions",
    "feedback",
    "index",
    "similar",
    "inspect",
    "sign",
    "verify",
    "lesson",
)


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def python(code: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for a check's report has no parts of which a summary could be made."""
    monkeypatch.setattr("overproof.checks.report.text.summary", lambda report: report.render())


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The last call of a public function, all of which are replaced by one that notes it."""
    seen: dict[str, Any] = {}

    def stand_in(name: str) -> Any:
        def note(*args: Any, **options: Any) -> Any:
            seen.update(options, function=name, args=args)
            return SimpleNamespace(
                to_json=lambda: {"function": name}, render=lambda: f"{name}: \x1b[2Jdone", passed=True
            )

        return note

    for name in ("demo", "teach", "compress", "join", "check", "attack"):
        monkeypatch.setitem(vars(overproof), name, stand_in(name))
    return seen


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"  overproof {command} " in result.stdout
    assert command in run("--help").stdout


def test_version() -> None:
    assert run("--version").stdout == f"overproof {overproof.__version__}\n"


@pytest.mark.parametrize("words", ["compress", "compress x.csv", "demo --out", "nonsense", "teach x.csv"])
def test_usage_errors_exit_with_2(words: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_options_reach_the_function(called: dict[str, Any], tmp_path: Path) -> None:
    words = "compress a.csv b.jsonl --teacher t@2 --teacher m:pipe --out b --test c.csv --temperature 3"
    more = ("--hard-weight", 0.25, "--text", "payload", "--benign", "ok", "--seed", 7, "--cache", tmp_path)
    pool = (
        "--pool-choice",
        "disagreement",
        "--consistency",
        0.5,
        "--joined",
        0.25,
        "--pool",
        100,
        "--pool-from",
        "installed",
        "--pool-from",
        "src",
    )
    assert run(*words.split(), *more, *pool).exit_code == 0
    assert called["function"] == "compress"
    assert (called["consistency"], called["joined"]) == (0.5, 0.25)
    assert called["pool_choice"] == "disagreement"
    assert (called["pool"], called["pool_from"]) == (100, ["installed", "src"])
    assert called["args"] == (["a.csv", "b.jsonl"],)
    assert called["teacher"] == ["t@2", "m:pipe"]
    assert (called["test"], called["unlabelled"]) == (["c.csv"], None)
    assert (called["temperature"], called["hard_weight"], called["seed"]) == (3.0, 0.25, 7)
    assert called["columns"] == overproof.Columns(text="payload")
    assert called["benign"] == ("ok",)
    assert (called["out"], called["cache"]) == (Path("b"), tmp_path)


def test_check_takes_shares_and_percentages(called: dict[str, Any], tmp_path: Path) -> None:
    words = "check b a.csv c.csv --full t@2 --full u --hold-out sqli --hold-out all-rare --events-per-day 2e6"
    more = (
        "--prevalence",
        "0.1%",
        "--budget",
        0.02,
        "--accept-public-data",
        "--gate",
        tmp_path / "g.toml",
        "--out",
        tmp_path / "o",
    )
    assert run(*words.split(), *more).exit_code == 0
    assert called["args"] == (Path("b"), ["a.csv", "c.csv"])
    assert (called["full"], called["hold_out"]) == (["t@2", "u"], ["sqli", "all-rare"])
    assert (called["events_per_day"], called["prevalence"], called["budget"]) == (2e6, 0.001, 0.02)
    assert (called["accept_public_data"], called["gate"], called["out"]) == (True, tmp_path / "g.toml", tmp_path / "o")
    assert run("check", "b", "a.csv", "--prevalence", "often").exit_code == 2


@pytest.mark.parametrize("option", ["--accept-public-data", "--i-know"])
def test_the_old_name_of_an_option_works_and_is_not_shown(called: dict[str, Any], option: str) -> None:
    assert run("check", "b", "a.csv", option).exit_code == 0
    assert called["accept_public_data"] is True
    shown = run("check", "--help").stdout
    assert "--accept-public-data" in shown and "--i-know" not in shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("triage b", TriageConfig(Path("b"), Request(("-",)))),
        ("serve b", ServeConfig(Path("b"))),
        ("triage b --verify-key k", TriageConfig(Path("b"), Request(("-",)), trust=Trust(Path("k")))),
        ("serve b --verify-certificates c", ServeConfig(Path("b"), trust=Trust(certificates=Path("c")))),
        (
            "triage b a.log c.log --full f --check c.json --max-escalations 20/s --on-full-down fail --never-alone rce "
            "--out o.jsonl --to ecs --format lines --text t --top 3 --min-severity high --with-text --rejects r",
            TriageConfig(
                Path("b"),
                Request(
                    ("a.log", "c.log"),
                    out="o.jsonl",
                    to="ecs",
                    reading=Reading(overproof.Columns(text="t"), "lines"),
                    min_severity=4,
                    top=3,
                    with_text=True,
                ),
                CascadeConfig(["f"], Path("c.json"), "20/s", "fail", ("rce",)),
                rejects=Path("r"),
            ),
        ),
    ],
)
def test_options_become_the_configuration_and_its_defaults_are_theirs(
    monkeypatch: pytest.MonkeyPatch, words: str, expected: Any
) -> None:
    seen: list[Any] = []

    def note(config: Any, *, console: Any) -> Any:
        seen.append(config)
        return SimpleNamespace(to_json=dict, render=str)

    for job in ("triage", "serve"):
        monkeypatch.setattr(f"overproof.jobs.{job}.{job}", note)
    assert run(*words.split()).exit_code == 0
    assert seen == [expected]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("triage b --engine mars", "--engine mars: expected one of local, ray"),
        ("triage b --max-escalations often", "--max-escalations often: expected a share"),
        ("triage b --on-full-down panic", "--on-full-down panic: expected one of hold, student, fail"),
        ("serve b --max-escalations 2", "--max-escalations 2: expected a share"),
        ("serve b --verify-key k --verify-certificates c", "expected either --verify-key or --verify-certificates"),
        ("verify b", "expected --verify-key or --verify-certificates"),
        ("verify nowhere --verify-key k", "nowhere: no such file or folder"),
        ("sign nowhere --key k", "nowhere: no such file or folder"),
    ],
)
def test_a_configuration_is_checked_before_anything_is_opened(words: str, message: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}")


def test_a_closed_gate_is_exit_code_1(called: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    closed = SimpleNamespace(render=lambda: "do not deploy", passed=False)
    monkeypatch.setitem(vars(overproof), "check", lambda *_, **__: closed)
    result = run("check", "b", "a.csv", "--details")
    assert (result.exit_code, result.stdout) == (1, "do not deploy\n")
    monkeypatch.setattr("overproof.checks.report.text.summary", lambda report: "in short")
    result = run("check", "b", "a.csv")
    assert (result.exit_code, result.stdout) == (1, "in short\n")


def test_gates_are_written_and_nothing_else_is_done(called: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    result = run("check", "--init-gate", path)
    assert (result.exit_code, called) == (0, {})
    assert "[rare]" in path.read_text() and str(path) in result.stderr
    again = run("check", "--init-gate", path)
    assert again.exit_code == 2 and "exists already" in again.stderr


def test_defaults_are_those_of_the_library(called: dict[str, Any]) -> None:
    assert run("teach", "a.csv", "--out", "t").exit_code == 0
    assert called["benign"] == ("benign", "normal")
    assert called["columns"] == overproof.Columns()
    assert (called["seed"], called["epochs"], called["from_checkpoint"]) == (0, None, None)


@pytest.mark.parametrize(
    "words",
    [
        "demo --out x",
        "teach a.csv --out x",
        "compress a.csv --teacher t --out x",
        "join a b --validation a.csv --out x",
        "check b a.csv",
        "attack b a.csv",
    ],
)
def test_the_library_takes_what_the_command_line_gives(called: dict[str, Any], words: str) -> None:
    assert run(*words.split()).exit_code == 0
    name = called.pop("function")
    takes = inspect.signature(getattr(import_module(overproof._HOMES[name]), name))
    given = takes.bind(*called.pop("args"), **called).arguments
    chosen = {"out", "columns", "console", "teacher", "bundle", "events", "first", "second", "validation"}
    assert {name: value for name, value in given.items() if name not in chosen} == {
        name: takes.parameters[name].default for name in given if name not in chosen
    }


def test_json_is_for_programs_and_text_for_terminals(called: dict[str, Any]) -> None:
    assert json.loads(run("demo", "--out", "x", "--json").stdout) == {"function": "demo"}
    assert run("demo", "--out", "x").stdout == "demo: \\x1b[2Jdone\n"


# Command: words that are well-formed, and the function that then does all the work.
WORK = {
    "demo": (["--out", "x"], "overproof.demo"),
    "teach": (["a.csv", "--out", "x"], "overproof.teach"),
    "compress": (["a.csv", "--teacher", "t", "--out", "x"], "overproof.compress"),
    "quantize": (["m.onnx", "--calibrate", "a.csv", "--out", "x"], "overproof.quantize"),
    "join": (["a", "b", "--validation", "a.csv", "--out", "x"], "overproof.join"),
    "check": (["b", "a.csv"], "overproof.check"),
    "report": (["a.json", "b.json"], "overproof.jobs.compare_checks.compare_checks"),
    "attack": (["b", "a.csv"], "overproof.attack"),
    "triage": (["b"], "overproof.jobs.triage.triage"),
    "serve": (["b"], "overproof.jobs.serve.serve"),
    "exceptions": (["rules.toml"], "overproof.jobs.exceptions.read_rules"),
    "feedback": (["v.jsonl", "c.csv", "--out", "x"], "overproof.jobs.feedback.feedback"),
    "index": (["b", "a.csv", "--out", "x"], "overproof.inference.similarity.build.build_index"),
    "similar": (["b", "i", "id=1"], "overproof.inference.similarity.search.search"),
    "inspect": (["b"], "overproof.jobs.inspected.inspect_bundle"),
    "sign": (["b", "--key", "k"], "overproof.bundle.signing.sign.sign"),
    "verify": (["b", "--verify-key", "k"], "overproof.jobs.verify.verify"),
    "lesson": ([], "overproof.lesson.walk"),
}


def ends_with(monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException) -> Any:
    """What a command ends with whose work raises this."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    words, function = WORK[command]
    monkeypatch.setattr(function, fail)
    return run(command, *words)


def caused_by(code: int) -> InputError:
    """An error of ours that words one of the system's."""
    error = InputError("a.csv: cannot be read")
    error.__context__ = OSError(code, os.strerror(code))
    return error


def test_every_command_is_tried() -> None:
    assert tuple(WORK) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a.csv: line 3: no column 'text'"), 2, "error: a.csv: line 3: no column 'text'\n"),
        (InputError("a.csv: \x1b[31mred"), 2, "error: a.csv: \\x1b[31mred\n"),
        (BundleError("b: no bundle"), 2, "error: b: no bundle\n"),
        (TamperedBundle("model.onnx: changed"), 2, "error: model.onnx: changed\n"),
        (MissingExtra("pip install 'overproof[compress]'"), 2, "error: pip install 'overproof[compress]'\n"),
        (ModuleNotFoundError("No", name="scipy"), 2, "error: the package scipy is not installed\n"),
        (PermissionError(13, "Permission denied", "/out"), 2, "error: /out: Permission denied\n"),
        (IsADirectoryError(21, "Is a directory", "/out"), 2, "error: /out: Is a directory\n"),
        (NotADirectoryError(20, "Not a directory", "/out"), 2, "error: /out: Not a directory\n"),
        (FileNotFoundError(2, "No such file or directory", "/a"), 2, "error: /a: No such file or directory\n"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), 2, "error: /a: Read-only file system\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/a"), 3, "error: /a: No space left on device\n"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/a"), 3, "error: /a: Disk quota exceeded\n"),
        (OSError(errno.EIO, "Input/output error", "/a"), 3, "error: /a: Input/output error\n"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), 3, "error: /a: Too many open files\n"),
        (OSError("Couldn't deserialize thrift"), 3, "error: Couldn't deserialize thrift\n"),
        (caused_by(errno.EIO), 3, "error: a.csv: cannot be read\n"),
        (caused_by(errno.ENOSPC), 3, "error: a.csv: cannot be read\n"),
        (caused_by(errno.EACCES), 2, "error: a.csv: cannot be read\n"),
        (FullDown("http://full: answered 503"), 3, "error: http://full: answered 503\n"),
        (OverproofError("3 worker processes died"), 3, "error: 3 worker processes died\n"),
        (MemoryError(), 3, "error: not enough memory\n"),
        (RuntimeError("can't start new thread"), 3, "error: not enough memory (can't start new thread)\n"),
        (MemoryError("Unable to allocate 9 GiB"), 3, "error: not enough memory (Unable to allocate 9 GiB)\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_failure_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException, code: int, line: str
) -> None:
    result = ends_with(monkeypatch, command, error)
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("by \x1b[2Jzero"),
        RecursionError("too deep"),
        ValueError("odd"),
        ModuleNotFoundError("No module named 'overproof.gone'", name="overproof.gone"),
    ],
)
def test_a_bug_shows_its_traceback_and_is_no_decision(
    monkeypatch: pytest.MonkeyPatch, command: str, error: Exception
) -> None:
    result = ends_with(monkeypatch, command, error)
    *lines, last = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (3, "")
    assert lines[0] == "Traceback (most recent call last):" and "\x1b" not in result.stderr
    assert last.startswith(f"error: {type(error).__name__}: ")
    assert last.endswith(
        "the program failed where the lines above say; unless disk or memory ran out, please report them"
    )


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "--help",
        "compress --help",
        "lesson",
        "lesson --html /dev/full",
        f"inspect {OLD / 'bundle'}",
        f"triage {OLD / 'bundle'} {OLD / 'events.jsonl'}",
        f"triage {OLD / 'bundle'} {OLD / 'events.jsonl'} --out /dev/full",
        f"similar {OLD / 'bundle'} KNOWN --events {OLD / 'events.jsonl'}",
    ],
)
def test_a_full_disk_is_a_failure_and_no_decision(words: str, tmp_path: Path) -> None:
    if "KNOWN" in words:
        build_index(IndexConfig(OLD / "bundle", OLD / "events.jsonl", tmp_path / "KNOWN"))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "overproof", *words.split()],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (3, 1)
    assert done.stderr.startswith(b"error: ") and b"No space left on device" in done.stderr


@pytest.mark.parametrize(("words", "code"), [("nonsense", 2), ("inspect nowhere", 2), ("--version", 0)])
def test_words_that_cannot_be_said_change_no_exit_code(words: str, code: int, tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "overproof", *words.split()]
        assert subprocess.run(command, cwd=tmp_path, stderr=full, timeout=120).returncode == code


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("quantize", ["--calibrate", "events.jsonl", "--out", "out"]),
        ("join", ["bundle", "--validation", "events.jsonl", "--out", "out"]),
        ("check", ["events.jsonl"]),
        ("triage", ["events.jsonl"]),
        ("serve", ["--port", "0"]),
        ("index", ["events.jsonl", "--out", "out"]),
        ("similar", ["index", "id=1"]),
        ("inspect", []),
    ],
)
def test_a_bundle_that_was_tampered_with_cannot_be_used(
    command: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD / "bundle", "bundle")
    shutil.copy(OLD / "events.jsonl", ".")
    shutil.copytree(OLD / "known.index", "index")
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"another")
    result = run(command, "bundle", *words)
    assert result.exit_code == 2, result.output
    assert "bundle/model.onnx: changed since the bundle was written" in result.stderr


@pytest.mark.parametrize("command", ["demo", "compress", "quantize", "check"])
@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_a_decision_that_is_no_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, command: str, passed: bool, code: int
) -> None:
    words, function = WORK[command]
    monkeypatch.setattr(function, lambda *_, **__: SimpleNamespace(render=lambda: "so it is", passed=passed))
    result = run(command, *words)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "so it is\n", "")


def test_a_package_that_is_missing_is_no_decision() -> None:
    done = python("import sys; sys.modules['typer'] = None\nfrom overproof.__main__ import main\nmain()")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: overproof is not wholly installed (") and done.stderr.count("\n") == 1


def test_there_is_one_table_of_exit_codes_and_it_is_what_help_says(root: Path) -> None:
    page = (root / "docs" / "guide" / "exit-codes.md").read_text("utf-8")
    shown = run("--help").stdout
    for code in ExitCode:
        assert f"| {code:d} | {code.meaning} |" in page
        assert f"  {code:<4}{code.meaning}\n" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["teach", "nowhere.csv", "--out", "t"],
        ["compress", "nowhere.csv", "--teacher", "t", "--out", "b"],
        ["quantize", "nowhere.csv", "--calibrate", "x.csv", "--out", "q"],
        ["join", "nowhere.csv", "b", "--validation", "x.csv", "--out", "q"],
        ["check", "nowhere.csv", "x.csv"],
        ["check", "--init-gate", "nowhere.csv/gates.toml"],
        ["inspect", "nowhere.csv"],
        ["lesson", "--bundle", "nowhere.csv"],
        ["lesson", "--html", "nowhere.csv/lesson.html"],
        ["triage", "nowhere.csv", "x.csv"],
    ],
)
def test_a_missing_file_is_named(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "overproof", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "nowhere.csv" in done.stderr
    assert list(tmp_path.iterdir()) == []


WRITES_THEN_MEETS_A_CLOSED_PIPE = """
import os, sys, types
import overproof, overproof.cli
def judge_all(config, *, console):
    ready = os.read(0, 1)  # by now the reader of standard output has gone
    sys.stdout.buffer.write(b"{}\\n" * int(os.environ["LINES"]))
    return types.SimpleNamespace(render=lambda: "")
sys.modules["overproof.jobs.triage"] = types.SimpleNamespace(triage=judge_all)
sys.argv = ["overproof", "triage", "bundle", "-"]
overproof.cli.main()
"""


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_is_no_error(lines: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITES_THEN_MEETS_A_CLOSED_PIPE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LINES": str(lines), "PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    assert child.stdin and child.stdout and child.stderr
    child.stdout.close()
    child.stdin.write(b"x")
    child.stdin.close()
    told = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 141
    assert b"Error" not in told and b"Exception" not in told, told


def test_the_terminal_console_is_quiet_in_a_pipe_but_says_its_lines() -> None:
    done = python(
        "from overproof.progress import terminal\n"
        "console = terminal()\n"
        "with console.progress('[b]x{0}', 2) as advance: advance(1); console.say('[bold] \\x1b[31m')\n"
    )
    assert (done.stdout, done.stderr) == ("", "[bold] \\x1b[31m\n")


def test_triage_does_not_wait_for_pandas(tmp_path: Path) -> None:
    """Arrow would import it where it is installed; whoever asks for it afterwards gets it."""
    (tmp_path / "pandas.py").write_text("print('imported')\n__version__ = '0'\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from overproof.cli import app\n"
        "try: app(['triage', *sys.argv[2:]])\n"
        "except SystemExit as end: print('ended', end.code or 0)\n"
        "import pandas"
    )
    (tmp_path / "events.txt").write_text("id=1\n")
    files = (tmp_path / "events.txt", "--out", tmp_path / "o.jsonl")
    done = python(code, str(tmp_path), str(OLD / "bundle"), *map(str, files))
    *before, ended, last = done.stdout.splitlines()
    assert (ended, last, "imported" in before) == ("ended 0", "imported", False), done.stderr
