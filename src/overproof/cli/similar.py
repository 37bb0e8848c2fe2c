"""Find the known events most like an event: `overproof similar`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import AsJson, Bundle, Format, VerifyCertificates, VerifyKey, trust_of
from overproof.cli.output import fitted, one_line_json, show_json, show_text
from overproof.progress import terminal

Index = Annotated[Path, typer.Argument(metavar="INDEX", help="A folder that `overproof index` wrote.")]
Event = Annotated[
    str | None, typer.Argument(metavar="EVENT", help="The event itself. [default: every event of --events]")
]
EventFiles = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="FILE", help="Files of events to ask about; - or nothing is standard input."),
]
Neighbours = Annotated[int, typer.Option("--count", "-k", min=1, metavar="N", help="Neighbours to show.")]
AllKinds = Annotated[
    bool,
    typer.Option(
        "--all-kinds",
        help="Compare with every kind of record, requests with flows too. [default: its own]",
    ),
]


HELP = """Show which known events are most like an event.

\b
Examples:
  overproof similar bundle known.index "id=1' or 1=1--"
  overproof similar bundle known.index --events new.jsonl --json | jq .families
"""


def run(
    bundle: Bundle,
    index: Index,
    event: Event = None,
    count: Neighbours = 10,
    events: EventFiles = None,
    all_kinds: AllKinds = False,
    format: Format = "auto",
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Show which known events are most like an event."""
    from overproof.events.sources import Reading
    from overproof.inference.similarity.search import Searcher, search, search_files

    trust = trust_of(verify_key, verify_certificates)
    judge = bundle if trust is None else overproof.open(bundle, trust=trust).student
    with overproof.Rejects() as skipped:
        if event is not None:
            found = iter(search(judge, index, event, count, all_kinds=all_kinds))
        else:
            ask = partial(Searcher(judge, index), all_kinds=all_kinds)
            found = search_files(ask, events or ["-"], count, Reading(format=format), on_skip=skipped)
        for one in found:
            if as_json:
                show_json(one_line_json(one.to_json()))
            else:
                show_text(fitted(one.render) + "\n")
    if skipped.total:
        terminal().say(str(skipped))
