"""Join two students in one bundle: `overproof join`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    AsJson,
    Family,
    Group,
    Label,
    Rejects,
    Text,
    columns_of,
    share_of,
)
from overproof.cli.output import show
from overproof.cli.places import a_folder
from overproof.jobs.config import JoinLimits
from overproof.progress import terminal

First = Annotated[Path, typer.Argument(metavar="FIRST", help="The bundle of a fast student, which is asked first.")]
Second = Annotated[
    Path, typer.Argument(metavar="SECOND", help="The bundle of a student that judges better, of the same classes.")
]
Validation = Annotated[
    list[str],
    typer.Option("--validation", metavar="FILE", help="Labelled events that neither student was taught; repeatable."),
]
JoinedOut = Annotated[Path, typer.Option("--out", parser=a_folder, metavar="BUNDLE", help="The folder to write.")]
MaxLost = Annotated[
    str | None,
    typer.Option(
        "--max-lost",
        metavar="SHARE",
        help="Attacks that the second detects which the first may call benign. [default: the margin of SECOND]",
    ),
]
MaxFlagged = Annotated[
    str,
    typer.Option(
        "--max-flagged", metavar="SHARE", help="Benign events that the second leaves alone which the first may flag."
    ),
]


HELP = """Join two students in one bundle: the first decides what it is sure of, the second the rest.

How sure it must be is chosen on validation events, so that with 95 % confidence no more goes wrong than the options
allow, and is sealed in the bundle. To check, triage and serve the two are one student; what both doubt goes to the full
model as before. `overproof compress --first PRESET` makes both students and joins them.

\b
Examples:
  overproof join fast accurate --validation validation.csv.gz --out bundle
  overproof join fast accurate --validation validation.csv.gz --max-lost 0.2% --out bundle
"""


def run(
    first: First,
    second: Second,
    validation: Validation,
    out: JoinedOut,
    max_lost: MaxLost = None,
    max_flagged: MaxFlagged = f"{JoinLimits.flagged:.1%}",
    text: Text = None,
    label: Label = None,
    family: Family = None,
    group: Group = None,
    rejects: Rejects = None,
    as_json: AsJson = False,
) -> None:
    """Join two students in one bundle."""
    report = overproof.join(
        first,
        second,
        validation=validation,
        out=out,
        max_lost=None if max_lost is None else share_of("--max-lost", max_lost),
        max_flagged=share_of("--max-flagged", max_flagged),
        columns=columns_of(text, label, family, group, None),
        rejects=rejects,
        console=terminal(),
    )
    show(report, as_json)
