"""Run the whole job on built-in traffic: `overproof demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import overproof
from overproof.cli.options import AsJson, Seed
from overproof.cli.output import show_gated
from overproof.cli.places import a_folder
from overproof.progress import terminal

DemoOut = Annotated[
    Path,
    typer.Option("--out", parser=a_folder, metavar="DIR", help="Where the events, the teacher and the bundle go."),
]


HELP = """Run the whole job on the built-in traffic.

Simulates labelled events, trains a teacher, compresses it and checks what that cost; then ruins a copy of the
student in one rare family, which its accuracy hardly shows, and checks that too. Takes some minutes on two cores
and downloads nothing. Its figures are those of simulated traffic. Exit code 1 if the check says not to deploy the
student: that is a result of the demo, not its failure.

\b
Example:
  overproof demo --out out/demo
  overproof inspect out/demo/bundle
"""


def run(
    out: DemoOut,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the whole job on the built-in traffic."""
    show_gated(overproof.demo(out, seed=seed, console=terminal()), as_json)
