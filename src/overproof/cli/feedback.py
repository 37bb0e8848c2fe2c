"""Turn analysts' corrections into events: `overproof feedback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import AsJson, Rejects, Seed, share_of
from overproof.cli.output import show
from overproof.cli.places import a_folder

Verdicts = Annotated[
    Path, typer.Argument(metavar="VERDICTS", help="JSON lines of `overproof triage --with-text`, plain or .gz.")
]
Corrected = Annotated[
    Path,
    typer.Argument(
        metavar="CORRECTED",
        help="A csv with a header or JSON lines: origin or text of an event, its label; family, who, when, note if "
        "wanted.",
    ),
]
FeedbackOut = Annotated[
    Path,
    typer.Option("--out", parser=a_folder, metavar="DIR", help="The folder for train.jsonl and check.jsonl."),
]
CheckShare = Annotated[
    str, typer.Option("--check-share", metavar="SHARE", help="Events that are measured on, not learned from.")
]

HELP = """Turn analysts' corrections of verdicts into events to learn from and to check with.

An event and what nearly is it are on one side of the two, and stay there in later rounds with the same seed and share.
What cannot be used is counted with its reason: unknown labels, corrections that contradict each other, events that were
not judged.

\b
Examples:
  overproof triage bundle access.log --with-text > verdicts.jsonl
  overproof feedback verdicts.jsonl corrected.csv --out feedback
  overproof compress train.csv.gz --teacher teacher --feedback feedback@10 --out bundle2
  overproof check bundle2 feedback/check.jsonl
"""


def run(
    verdicts: Verdicts,
    corrected: Corrected,
    out: FeedbackOut,
    check_share: CheckShare = "30%",
    seed: Seed = 0,
    rejects: Rejects = None,
    as_json: AsJson = False,
) -> None:
    """Turn analysts' corrections of verdicts into events to learn from and to check with."""
    from overproof.jobs.feedback import Parting, feedback

    parting = Parting(share_of("--check-share", check_share), seed)
    show(feedback(verdicts, corrected, out=out, parting=parting, rejects=rejects), as_json)
