"""The files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from overproof.checks.report import CheckReport, page, to_markdown, to_sarif
from overproof.errors import InputError
from overproof.redteam.result import read_cases

NAMES = ["check.json", "report.html", "summary.md", "check.sarif", "attack.jsonl"]


def test_all_of_them(everything: CheckReport, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    paths = everything.write(folder)
    assert list(paths) == [folder / name for name in NAMES]
    assert sorted(p.name for p in folder.iterdir()) == sorted(NAMES)
    assert json.loads(paths[0].read_text("utf-8")) == everything.to_json()
    assert paths[1].read_text("utf-8") == page(everything)
    assert paths[2].read_text("utf-8") == to_markdown(everything)
    assert json.loads(paths[3].read_text("utf-8")) == to_sarif(everything)
    assert paths[0].read_bytes().isascii() and paths[3].read_bytes().isascii()


def test_the_cases_of_the_red_team_can_be_replayed(
    everything: CheckReport, nothing: CheckReport, tmp_path: Path
) -> None:
    everything.write(tmp_path)
    assert read_cases(tmp_path / "attack.jsonl") == everything.checks[-1].data.attacks.cases
    nothing.write(tmp_path)
    assert not (tmp_path / "attack.jsonl").exists(), "those of an earlier check are not this one's"


def test_again_into_the_same_folder(nothing: CheckReport, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in nothing.write(tmp_path)]
    assert [path.read_bytes() for path in nothing.write(tmp_path)] == before
    assert len(list(tmp_path.iterdir())) == 4


def test_no_folder_above_it(nothing: CheckReport, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*expected one that exists"):
        nothing.write(tmp_path / "not" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file, expected a folder"):
        nothing.write(tmp_path / "file")


def test_lone_surrogates_can_be_written(nothing: CheckReport, tmp_path: Path) -> None:
    verdict, bundle = replace(nothing.verdict, sentence="\ud800"), replace(nothing.bundle, name="\ud800")
    assert "\\ud800" in replace(nothing, verdict=verdict, bundle=bundle).write(tmp_path)[1].read_text("utf-8")
