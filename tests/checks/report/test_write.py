"""The four files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overproof.checks.report import page, to_markdown, to_sarif, write_all
from overproof.errors import InputError

NAMES = ["check.json", "report.html", "summary.md", "check.sarif"]


def test_all_four(everything: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    paths = write_all(everything, folder)
    assert list(paths) == [folder / name for name in NAMES]
    assert sorted(p.name for p in folder.iterdir()) == sorted(NAMES)
    assert json.loads(paths[0].read_text("utf-8")) == everything
    assert paths[1].read_text("utf-8") == page(everything)
    assert paths[2].read_text("utf-8") == to_markdown(everything)
    assert json.loads(paths[3].read_text("utf-8")) == to_sarif(everything)
    assert paths[0].read_bytes().isascii() and paths[3].read_bytes().isascii()


def test_again_into_the_same_folder(nothing: dict[str, Any], tmp_path: Path) -> None:
    before = [path.read_bytes() for path in write_all(nothing, tmp_path)]
    assert [path.read_bytes() for path in write_all(nothing, tmp_path)] == before
    assert len(list(tmp_path.iterdir())) == 4


def test_no_folder_above_it(nothing: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*expected one that exists"):
        write_all(nothing, tmp_path / "not" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file, expected a folder"):
        write_all(nothing, tmp_path / "file")


def test_lone_surrogates_can_be_written(nothing: dict[str, Any], tmp_path: Path) -> None:
    nothing["bundle"]["name"] = nothing["verdict"]["sentence"] = "\ud800"
    assert "\\ud800" in write_all(nothing, tmp_path)[1].read_text("utf-8")
