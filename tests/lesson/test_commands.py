"""Each step names the command that does it for real: the command line takes it, and the page links the two."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from overproof.cli import app
from overproof.lesson import Lesson, page, walk
from overproof.lesson.blocks import Command
from overproof.lesson.commands import commands
from overproof.report.layout import within

if TYPE_CHECKING:
    from .conftest import Bundled

WITHOUT = {"errata", "real"}


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return walk()


@pytest.fixture(scope="module")
def own(bundled: Bundled) -> Lesson:
    return walk(bundled.path)


@pytest.fixture(params=["traffic", "bundle"])
def walked(request: pytest.FixtureRequest, lesson: Lesson, own: Lesson) -> Lesson:
    return lesson if request.param == "traffic" else own


def test_every_step_names_one(walked: Lesson) -> None:
    assert {section.key for section in walked.sections if not section.commands} == WITHOUT


def test_the_command_line_takes_each(walked: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    group = typer.main.get_command(app)
    for section in walked.sections:
        for command in section.commands:
            name, *words = command.words[1:]
            assert command.words[0] == "overproof"
            group.commands[name].make_context(name, words)  # type: ignore[attr-defined]


def test_what_shows_the_users_bundle_runs(own: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [c.words[1:] for section in own.sections for c in section.commands if c.words[1] == "inspect"]
    assert len(shown) == 3
    for words in shown:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["grid.svg"]


def test_nothing_writes_over_the_users_bundle(own: Lesson, bundled: Bundled) -> None:
    written = [
        command.words[command.words.index("--out") + 1]
        for section in own.sections
        for command in section.commands
        if "--out" in command.words
    ]
    assert len(written) == 10
    assert str(bundled.path) not in written


def test_a_bundle_that_does_not_describe_its_layers_is_not_asked_for_them(own: Lesson) -> None:
    real = commands(replace(own.user_data, layer=None))
    assert (real["range"], real["grid"]) == ((), ())


def test_a_bundles_temperature_is_the_commands(own: Lesson) -> None:
    words = commands(replace(own.user_data, temperature=3.5, hard_weight=0.25))["loss"][0].words
    assert words[words.index("--temperature") + 1] == "3.5"
    assert words[words.index("--hard-weight") + 1] == "0.25"


@pytest.mark.parametrize("name", ["-rf", "a b", "it's", "$(id)"])
def test_any_name_of_a_bundle_can_be_typed(own: Lesson, name: str) -> None:
    for section in commands(replace(own.user_data, bundle=Path(name))).values():
        for command in section:
            assert tuple(shlex.split(command.line)) == command.words
            assert not {"-rf"} & set(command.words)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_broken_line_is_the_same_command(width: int) -> None:
    command = Command(("overproof", "check", "a bundle's", "mine.csv.gz", "--full", "teacher", "--out", "proof"), "")
    lines = command.lines(width)
    typed = "printf '%s\\0' " + "\n".join(lines)
    assert subprocess.check_output(["sh", "-c", typed], text=True).split("\0") == [*command.words, ""]
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 or all(line.endswith(" \\") for line in lines[:-1])


def test_the_terminal_shows_each_below_its_step_and_all_at_the_end(lesson: Lesson) -> None:
    with within(200):
        text = lesson.render()
    *steps, last = re.split(r"\n\n\n", text)
    for section, shown in zip(lesson.sections, steps, strict=False):
        for command in section.commands:
            assert "\n\nFor real:\n  overproof " in shown
            assert f"  {command.line}\n    {command.does}" in shown
            assert f"  {command.line}\n    {command.does}" in last


def test_the_page_links_each_step_to_its_command_and_back(walked: Lesson) -> None:
    text = page.page(walked)
    for section in walked.sections:
        if section.commands:
            assert f'<a href="#real-{section.key}">For real</a>: <code>' in text
            assert f'<h3 id="real-{section.key}"><a href="#step-{section.key}">' in text
    targets = re.findall(r'href="#([^"]*)"', text)
    assert set(targets) <= set(re.findall(r'\bid="([^"]*)"', text))


def test_json_has_each(own: Lesson) -> None:
    told = own.to_json()["commands"]
    assert set(told) == {section.key for section in own.sections} - WITHOUT
    assert told["soft"] == ["overproof teach train.csv.gz --out teacher"]
