"""Compare two checks: `overproof report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import AsJson
from overproof.cli.output import show_gated
from overproof.cli.places import a_file

Before = Annotated[
    Path,
    typer.Argument(metavar="BEFORE", help="check.json of the last release, or the folder `check --out` wrote."),
]
After = Annotated[Path, typer.Argument(metavar="AFTER", help="check.json of this release, or its folder.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", parser=a_file, metavar="FILE", help="Write the comparison as one offline page too."),
]

HELP = """Compare two checks, such as of the last release and of this one.

Which gates closed, which opened, what the student costs and loses in each family, before and now, and what else is not
the same (events, full model, limits, policy). A figure is called worse or better where the two 95 % intervals lie
apart. Exit code 1 if a gate closed that was not, or the verdict is worse.

\b
Examples:
  overproof report last/check.json proof/check.json
  overproof report last proof --html compared.html
  overproof report last proof --json | jq '.gates[] | select(.change == "closed") | .key'
"""


def run(before: Before, after: After, html: Html = None, as_json: AsJson = False) -> None:
    """Compare two checks, such as of the last release and of this one."""
    from overproof.jobs.compare_checks import compare_checks

    show_gated(compare_checks(before, after, html), as_json)
