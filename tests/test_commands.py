"""Every command that the documents show is one that the command line takes: its name, and its options.

`test_pages` runs those of the tutorial and of most how-to pages; others need files that only a reader has.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overproof.cli import app

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(console|bash)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Written by programs: what was printed, or what an older version said.
ELSEWHERE = ("benchmarks.md", "changelog.md", "cli.md", "log.md", "decisions/")


def lines() -> Iterator[tuple[str, str]]:
    """Yield page and command line."""
    docs = ROOT / "docs"
    pages = {name: ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")}
    pages |= {str(page.relative_to(docs)): page for page in sorted(docs.rglob("*.md"))}
    for name, page in pages.items():
        if not name.startswith(ELSEWHERE):
            for language, code in BLOCK.findall(page.read_text()):
                shown = code.replace("\\\n", " ").splitlines()
                own = [line[2:] for line in shown if line.startswith("$ ")] if language == "console" else shown
                yield from ((name, line) for line in own)


def commands(line: str) -> Iterator[tuple[str, ...]]:
    """Yield what follows `overproof` in each simple command of a line of the shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;()<>"):
            if words and words[0].rpartition("/")[2] == "overproof":
                yield tuple(words[1:])
            words = []
        elif words or not re.match(r"\w+=|time$|nohup$", word):
            words.append(word)


def ends(words: Sequence[str]) -> int:
    """Return how a command ends that is asked for help: it parses its options first."""
    return CliRunner().invoke(app, [*words, "--help"], prog_name="overproof").exit_code


SHOWN = sorted({(page, words) for page, line in lines() for words in commands(line)})


@pytest.mark.parametrize("words", [pytest.param(words, id=f"{page}: {' '.join(words)}") for page, words in SHOWN])
def test_a_command_of_the_documents_is_taken(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # --init-gate comes before --help, and writes
    assert ends(words) == 0


def test_most_pages_show_commands() -> None:
    assert len({page for page, _ in SHOWN}) > 20
    assert len({words[0] for _, words in SHOWN if words}) > 15


@pytest.mark.parametrize("line", ["overproof chek b", "overproof check b --buget 1"], ids=["a name", "an option"])
def test_what_is_not_taken_is_found(line: str) -> None:
    (words,) = commands(line)
    assert ends(words) == 2


def test_simple_commands_of_a_line_are_told_apart() -> None:
    line = "X=1 overproof a b | jq . > c && .venv/bin/overproof d 'e | f' # g"
    assert list(commands(line)) == [("a", "b"), ("d", "e | f")]
