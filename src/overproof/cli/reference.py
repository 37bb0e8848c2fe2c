"""Write docs/cli.md, the reference of the command line, from what `--help` says.

`python -m overproof.cli.reference DIR` writes it into a folder. All that it says stands beside the commands and their
options, so that the two cannot part.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from overproof.cli.app import COMMANDS, app
from overproof.files import atomic_write

MARKDOWN = "cli.md"
HEAD = """# Command line

What `overproof --help` and `overproof COMMAND --help` say; written from them by `make reference`.
"""


def markdown() -> str:
    """Return the page: the program's own help, then that of each command, in the order of `--help`."""
    return "\n".join([HEAD, _block(help_of()), *(f"## {name}\n\n{_block(help_of(name))}" for name in COMMANDS)])


def help_of(*command: str) -> str:
    """Return what `--help` prints of the program or of a command, in 80 columns, which the runner sets."""
    return CliRunner().invoke(app, [*command, "--help"], prog_name="overproof").stdout


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"```text\n{lines}\n```\n"


def main(words: Sequence[str]) -> None:
    """Write the page into a folder."""
    atomic_write(Path(words[0]) / MARKDOWN, markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
