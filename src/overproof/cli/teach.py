"""Train a teacher: `overproof teach`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import (
    AsJson,
    Benign,
    Epochs,
    Events,
    Family,
    Group,
    Label,
    Rejects,
    Seed,
    Test,
    Text,
    Time,
    benign_of,
    columns_of,
)
from overproof.cli.output import show
from overproof.cli.places import a_folder
from overproof.jobs.config import TeachConfig
from overproof.progress import terminal

Preset = Annotated[
    str, typer.Option("--preset", help="Size of a teacher trained from scratch; an unknown name lists them all.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Fine-tune this local Hugging Face checkpoint instead."),
]
TeacherOut = Annotated[
    Path, typer.Option("--out", parser=a_folder, metavar="DIR", help="Where the teacher is written.")
]


HELP = """Train a teacher: the large model that a student learns from.

\b
Examples:
  overproof teach train.csv.gz --out teacher
  overproof teach train.csv.gz --from ./MiniLM --epochs 3 --out teacher
"""


def run(
    events: Events,
    out: TeacherOut,
    test: Test = None,
    preset: Preset = TeachConfig.preset,
    from_checkpoint: Checkpoint = None,
    epochs: Epochs = None,
    text: Text = None,
    label: Label = None,
    family: Family = None,
    group: Group = None,
    time: Time = None,
    benign: Benign = None,
    rejects: Rejects = None,
    seed: Seed = TeachConfig.seed,
    as_json: AsJson = False,
) -> None:
    """Train a teacher: the large model that a student learns from."""
    report = overproof.teach(
        events,
        out=out,
        test=test,
        preset=preset,
        from_checkpoint=from_checkpoint,
        epochs=epochs,
        columns=columns_of(text, label, family, group, time),
        benign=benign_of(benign),
        rejects=rejects,
        seed=seed,
        console=terminal(),
    )
    show(report, as_json)
