"""docs/cli.md is what `--help` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from overproof.cli import reference
from overproof.cli.app import COMMANDS


def test_the_reference_is_up_to_date(root: Path) -> None:
    assert (root / "docs" / reference.MARKDOWN).read_text("utf-8") == reference.markdown(), "run `make reference`"


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_keep_their_lines(command: str) -> None:
    """A mark that is misspelled runs all examples together, and is shown itself."""
    said = reference.help_of(command)
    assert "\\b" not in said
    examples = said.partition("\n  Example")[2].partition("\n\n")[0].splitlines()[1:]
    assert examples
    assert all(line.startswith(("    overproof ", "        ", "    ")) for line in examples), examples
