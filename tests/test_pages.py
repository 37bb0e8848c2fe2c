"""The commands of the tutorial and of the how-to pages run as they stand; the tutorial's as they are copied."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .browser import Browser

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
EXIT_CODE = re.compile(r"# exit code (\d)$", re.MULTILINE)
INSTALLING = ("make demo", "python3 -m venv", "pip install")  # which `make test` and test_border.py do
PAGES = sorted(page.stem for page in DOCS.glob("how-to/*.md") if "\n```bash\n" in page.read_text())
PATIENCE_S = 240
SAID = {
    "waf-values": ("1 benign, 1 attack", "promise    stands", "100 % of 2 access events are out of distribution"),
    "dns-names": ("700 zeek-dns", "campaigns  "),
    "flows": ("zeek notice", "campaigns  "),
    "command-lines": ("700 jsonl", "malicious"),
    "log-triage": ("4,000 lines", "promise    stands"),
    "edge": ("hash", "model.onnx"),
    "cascade": ("promise    stands", "--max-escalations", "deferred"),
    "red-team": ("written", "attacked"),
    "ci-gate": ("DEPLOY WITH ESCALATION",),
}

# Every how-to page that runs is told apart by what its commands say, and by their exit codes.
COPIED = """
window.copied = [];
document.execCommand = () => { window.copied.push(document.activeElement.value); return true; };
document.querySelectorAll('[data-md-type=copy]').forEach(button => button.click());
window.copied
"""


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def run(blocks: list[Block], folder: Path) -> str:
    """Save what has a title, run what is for a shell; return all that was said."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    places = {"PATH": path, "PYTHONPATH": str(DOCS.parent / "src"), "XDG_CACHE_HOME": str(folder / "cache")}
    said = ""
    for block in blocks:
        if block.title:
            (folder / block.title).write_text(block.code)
        if block.language != "bash":
            continue
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block.code],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, **places}, cwd=folder, timeout=PATIENCE_S,
        )  # fmt: skip
        expected = EXIT_CODE.search(block.code)
        assert done.returncode == int(expected[1] if expected else 0), f"{block.code}\n{done.stdout}"
        said += done.stdout
    return said


@pytest.fixture(scope="session")
def site(root: Path) -> Path:
    """The built site: that of `make docs` where it is of this page, else built anew."""
    built = root / "out" / "site"
    page = built / "tutorial.html"
    sources = (DOCS / "tutorial.md", root / "mkdocs.yml")
    if not page.is_file() or page.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        done = subprocess.run(
            [Path(sys.executable).parent / "zensical", "build", "--strict"], capture_output=True, text=True, cwd=root
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return built


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the tutorial was followed, and what its commands said."""
    folder = tmp_path_factory.mktemp("tutorial")
    return folder, run(blocks_of(DOCS / "tutorial.md"), folder)


@pytest.mark.slow
def test_what_the_tutorial_s_buttons_copy_is_what_is_run(site: Path, browser: Browser) -> None:
    browser.open(site / "tutorial.html")
    copied = browser.run(COPIED)
    assert copied == [block.code.rstrip("\n") for block in blocks_of(DOCS / "tutorial.md")]


def test_no_block_that_is_run_would_copy_a_prompt() -> None:
    """The buttons copy a `$` too, and a shell does not know it."""
    for page in [DOCS / "tutorial.md", *(DOCS / "how-to" / f"{name}.md" for name in PAGES)]:
        for block in blocks_of(page):
            lines = block.code.splitlines()
            if block.language == "console":
                assert all(line.removeprefix("$ ").startswith(INSTALLING) for line in lines), (page, block.code)
            else:
                assert not any(line.startswith("$ ") for line in lines), (page, block.code)


@pytest.mark.slow
def test_the_tutorial(walked: tuple[Path, str]) -> None:
    folder, said = walked
    assert "DEPLOY WITH ESCALATION" in said
    assert "promise    stands" in said
    assert (folder / "lesson.html").is_file() and (folder / "proof" / "report.html").is_file()
    assert re.search(r"^attack 0\.9\d*\nbenign 0\.0", said, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_how_to_page(page: str, walked: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / page
    shutil.copytree(walked[0], folder)
    said = run(blocks_of(DOCS / "how-to" / f"{page}.md"), folder)
    assert [words for words in SAID[page] if words not in said] == [], said
