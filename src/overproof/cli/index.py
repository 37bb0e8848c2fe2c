"""Index known events: `overproof index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    AsJson,
    Bundle,
    Family,
    Format,
    Label,
    Rejects,
    Sources,
    Text,
    VerifyCertificates,
    VerifyKey,
    columns_of,
    trust_of,
)
from overproof.cli.output import show
from overproof.cli.places import a_folder
from overproof.progress import terminal

IndexOut = Annotated[Path, typer.Option("--out", parser=a_folder, metavar="INDEX", help="The folder to write.")]
Validation = Annotated[
    list[str] | None,
    typer.Option(
        "--validation",
        metavar="FILE",
        help="Labelled events that the student did not learn from: they decide what is close; repeatable.",
    ),
]


HELP = """Index known events by a bundle's embeddings, to ask later what an event resembles.

\b
Example:
  overproof index bundle known.csv.gz --validation held-back.csv --out known.index
  overproof similar bundle known.index "id=1' or 1=1--"
"""


def run(
    bundle: Bundle,
    events: Sources,
    out: IndexOut,
    validation: Validation = None,
    text: Text = None,
    label: Label = None,
    family: Family = None,
    format: Format = "auto",
    rejects: Rejects = None,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Index known events by a bundle's embeddings, to ask later what an event resembles."""
    from overproof.events.sources import Reading
    from overproof.inference.similarity.build import IndexConfig, build_index

    reading = Reading(columns_of(text, label, family, None, None), format)
    with overproof.Rejects(rejects) as skipped:
        trust = trust_of(verify_key, verify_certificates)
        config = IndexConfig(bundle, events or ["-"], out, reading, trust=trust, validation=validation or None)
        written = build_index(config, rejects=skipped, console=terminal())
    show(written, as_json)
    if skipped.total:
        terminal().say(str(skipped))
