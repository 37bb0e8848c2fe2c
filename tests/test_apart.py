"""What a command writes is no file that it reads: nothing of the user's is destroyed by a slip of the hand."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing

import overproof
from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.cli import app
from overproof.cli.apart import BUILT_IN, EITHER, INPUTS, OUTPUTS, require_apart
from overproof.cli.app import COMMANDS
from overproof.cli.places import a_folder
from overproof.distillation.teachers import NGRAM
from overproof.errors import InputError
from overproof.inference.cascade import Cascade
from overproof.inference.stream import Request, RunContext, triage

OVERPROOF = typer.testing.CliRunner()
LOST = ", which would be lost; expected a place of its own"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "events.csv").write_text("text\nhello\na,bad,row\n")
    os.link(tmp_path / "events.csv", tmp_path / "hard.csv")
    os.symlink("events.csv", tmp_path / "soft.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("triage BUNDLE events.csv --out events.csv", LOST),
        ("triage BUNDLE events.csv --out soft.csv", LOST),
        ("triage BUNDLE soft.csv --out ./events.csv", LOST),
        ("triage BUNDLE hard.csv --out events.csv", LOST),
        ("triage BUNDLE events.csv --rejects events.csv", LOST),
        ("triage BUNDLE --follow events.csv --out events.csv", LOST),
        ("triage BUNDLE events.csv --full names:a=b:events.csv --rejects events.csv", LOST),
        ("triage BUNDLE events.csv --out new.jsonl --rejects ./new.jsonl", "another output goes there as well"),
        ("triage BUNDLE events.csv --out BUNDLE/new.jsonl", "which is sealed"),
        ("triage BUNDLE events.csv --rejects BUNDLE/new.jsonl", "which is sealed"),
        ("triage BUNDLE events.csv --out BUNDLE/manifest.json", "which is sealed"),
        ("index BUNDLE events.csv --out BUNDLE/index", "which is sealed"),
        ("index BUNDLE events.csv --out index --rejects events.csv", LOST),
        ("teach events.csv --out teacher --rejects events.csv", LOST),
        ("inspect BUNDLE --bom BUNDLE/bom.json", "which is sealed"),
        ("lesson --bundle BUNDLE --html BUNDLE/lesson.html", "which is sealed"),
        ("join BUNDLE BUNDLE --validation events.csv --out BUNDLE", LOST),
        ("compress events.csv --teacher ngram --out new --evidence ./new", LOST),
        ("compress events.csv --teacher ./old@2 --teacher ngram@.5 --out old", LOST),
        ("compress events.csv --teacher names:a=b:old@1 --out ./old", LOST),
        ("compress events.csv --teacher ./ngram --out ngram", LOST),
        ("check BUNDLE events.csv --full BUNDLE --out BUNDLE", LOST),
        ("compress events.csv --teacher BUNDLE@2 --out BUNDLE", LOST),
        ("compress made/events.csv --teacher ngram --out made", "holds made/events.csv" + LOST),
        ("compress linked/events.csv --teacher ngram --out new --evidence ./made", "holds linked/events.csv" + LOST),
        ("compress events.csv --teacher ngram --out new --keep-fp32 new/fp32", "holds new/fp32" + LOST),
        ("compress events.csv --teacher ngram --out new --evidence new/evidence", "holds new/evidence" + LOST),
        ("compress events.csv --teacher made/teacher --out made", "holds made/teacher" + LOST),
        ("compress events.csv --teacher names:a=b:made/teacher@2 --out made", LOST),
        ("compress events.csv --teacher ngram --out made --cache made/cache", "holds made/cache" + LOST),
        ("quantize made/fp32 --calibrate events.csv --out made", "holds made/fp32" + LOST),
        ("index BUNDLE events.csv --out made --rejects made/rejects.jsonl", "holds made/rejects.jsonl" + LOST),
        ("teach events.csv --test made/events.csv --out made", "holds made/events.csv" + LOST),
        ("join made/first BUNDLE --validation events.csv --out made", "holds made/first" + LOST),
    ],
)
def test_an_output_that_is_an_input_is_refused(words: str, message: str, small_bundle: Path, place: Path) -> None:
    (place / "linked").symlink_to("made")
    before = (place / "events.csv").read_bytes()
    done = OVERPROOF.invoke(app, words.replace("BUNDLE", str(small_bundle)).split())
    assert (done.exit_code, message in done.stderr, len(done.stderr.splitlines())) == (2, True, 1)
    assert (place / "events.csv").read_bytes() == before
    open_bundle(small_bundle)


def test_a_bundle_may_be_called_like_the_teacher_that_is_built_in(place: Path) -> None:
    assert BUILT_IN == NGRAM
    for teacher in ("ngram", "ngram@2"):
        require_apart({"teacher": [teacher], "out": Path("ngram")})


def test_what_is_no_file_of_its_own_may_be_both(place: Path) -> None:
    require_apart({"sources": ["/dev/null", "-"], "out": "/dev/null", "rejects": Path("/dev/null")})
    (place / "-").touch()
    require_apart({"sources": ["./-"], "out": "-"})
    require_apart({"sources": ["absent.csv"], "out": "-", "rejects": Path("new.jsonl"), "bundle": Path("absent")})
    with pytest.raises(InputError, match=LOST), redirected("events.csv"):
        require_apart({"sources": ["-"], "out": "events.csv"})


class redirected:
    """Standard input from a file."""

    def __init__(self, path: str) -> None:
        self._file, self._before = os.open(path, os.O_RDONLY), os.dup(0)

    def __enter__(self) -> None:
        os.dup2(self._file, 0)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._before, 0)
        os.close(self._file)
        os.close(self._before)


PLACES = [
    (f"{name} --{option.replace('_', '-')}", option, parameter.annotation.__metadata__[0].parser)
    for name, command in COMMANDS.items()
    for option, parameter in inspect.signature(command.run, eval_str=True).parameters.items()
    if option in (*OUTPUTS, "signature")
]


@pytest.mark.parametrize(("words", "option", "parser"), PLACES, ids=[place[0] for place in PLACES])
def test_a_name_that_is_none_is_refused_by_every_output(
    words: str, option: str, parser: Callable[[str], object], place: Path
) -> None:
    """`nofolder/` became a file of that name, `file/` was written over, and `"$OUT"` unset was this folder."""
    for name in ("", "/") if parser is a_folder else ("", "/", "nofolder/", "events.csv/", ".", "new/..", "./"):
        done = OVERPROOF.invoke(app, [*words.split(), name])
        assert (done.exit_code, f"Invalid value for '--{option.replace('_', '-')}'" in done.stderr) == (2, True)
    assert sorted(os.listdir(place)) == ["events.csv", "hard.csv", "soft.csv"]


def test_a_folder_may_be_named_with_a_slash(small_bundle: Path, place: Path) -> None:
    done = OVERPROOF.invoke(app, ["index", str(small_bundle), "events.csv", "--out", "new/"])
    assert (done.exit_code, (place / "new").is_dir()) == (0, True)


def test_why_rejects_cannot_be_written_is_said_in_words(small_bundle: Path, place: Path) -> None:
    done = OVERPROOF.invoke(app, ["triage", str(small_bundle), "events.csv", "--out", "new", "--rejects", str(place)])
    expected = f"error: {place}: the rejected records cannot be written there (Is a directory)\n"
    assert (done.exit_code, done.stderr) == (2, expected)


def test_every_option_that_takes_a_path_is_known() -> None:
    """A new one belongs into one of the lists."""
    known = {*OUTPUTS, *INPUTS, *EITHER}
    for command in COMMANDS.values():
        run: Callable[..., object] = command.run
        for name, parameter in inspect.signature(run, eval_str=True).parameters.items():
            kind, option = parameter.annotation.__origin__, parameter.annotation.__metadata__[0]
            named = {"FILE", "DIR", "BUNDLE", "INDEX", "PATH"} & {str(option.metavar)}
            if named or kind in (Path, Path | None):
                assert name in known, f"{command.__name__}: {name}"


@pytest.mark.parametrize(
    "words",
    [
        "attack BUNDLE events.csv --out events.csv/new",
        "attack BUNDLE events.csv --rejects events.csv/new/deep",
        "check BUNDLE events.csv --out events.csv/new",
        "check BUNDLE events.csv --cache events.csv/new",
        "compress events.csv --teacher ngram --out events.csv/new",
        "compress events.csv --teacher ngram --out new --evidence events.csv/new",
        "compress events.csv --teacher ngram --out new --keep-fp32 soft.csv/new",
        "teach events.csv --out events.csv/new",
        "quantize BUNDLE --calibrate events.csv --out events.csv/new",
        "join BUNDLE BUNDLE --validation events.csv --out events.csv/new",
        "index BUNDLE events.csv --out events.csv/new",
        "triage BUNDLE events.csv --out events.csv/new",
        "demo --out events.csv/new",
        "lesson --html events.csv/new",
        "inspect BUNDLE --bom events.csv/new",
        "inspect BUNDLE --sensitivity --svg /dev/null/new",
    ],
)
def test_an_output_below_a_file_is_refused_before_anything_is_read(words: str, place: Path) -> None:
    """`attack` said so when all was searched, and a cache of teachers' answers was left out with a warning."""
    before = sorted(path.name for path in place.iterdir())
    done = OVERPROOF.invoke(app, words.replace("BUNDLE", "no-such-bundle").split())
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "/new" in done.stderr and "is no folder; expected one to write to" in done.stderr
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(("place_of", "message"), [("absent/new", "no folder absent"), ("made", "a folder; expected")])
def test_a_page_that_cannot_be_written_is_refused_before_it_is_made(place_of: str, message: str, place: Path) -> None:
    (place / "made").mkdir()
    done = OVERPROOF.invoke(app, ["lesson", "--bundle", "no-such-bundle", "--html", place_of])
    assert (done.exit_code, message in done.stderr, len(done.stderr.splitlines())) == (2, True, 1), done.stderr


def test_an_attack_looks_at_its_output_before_its_events(place: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"Not a directory: .*events\.csv"):
        overproof.attack("no-such-bundle", "no-such-events", out=place / "events.csv" / "new")


FOLDERS = ["new/", "new/.", "link", "link of a link"]


@pytest.mark.parametrize("name", FOLDERS[2:])
@pytest.mark.parametrize(
    "words",
    [
        "triage BUNDLE events.csv --out OUT",
        "triage BUNDLE events.csv --follow --out OUT",
        "triage BUNDLE events.csv --rejects OUT",
        "check --init-gate OUT",
        "inspect BUNDLE --bom OUT",
        "lesson --bundle BUNDLE --html OUT",
    ],
)
def test_a_file_is_not_made_by_a_name_that_only_a_folder_can_have(
    words: str, name: str, small_bundle: Path, place: Path
) -> None:
    """A link to `new/`, which is not there, made a file of that name, as did the same name from Python."""
    (place / "link").symlink_to("new/")
    (place / "link of a link").symlink_to("link")
    before = sorted(path.name for path in place.iterdir())
    given = [each.replace("BUNDLE", str(small_bundle)).replace("OUT", name) for each in words.split()]
    done = OVERPROOF.invoke(app, given)
    assert done.exit_code == 2 and f"{name!r} names no file; expected one." in done.stderr, done.stderr
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("follow", [False, True])
def test_nor_is_it_from_python(name: str, follow: bool, student: OnnxScorer, place: Path) -> None:
    (place / "link").symlink_to("new/")
    (place / "link of a link").symlink_to("link")
    request = Request(("events.csv",), name, follow=follow)
    with pytest.raises(InputError, match=r": a folder; expected a file to write the verdicts to"):
        triage(Cascade(student), request, context=RunContext(stop=lambda: True))
    with pytest.raises(InputError, match=r": the rejected records cannot be written there \(Is a directory\)"):
        overproof.Rejects(name, appended=follow)
    assert not (place / "new").exists()
