"""Walk through distillation and quantization: `overproof lesson`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import AsJson, Seed
from overproof.cli.output import show
from overproof.cli.places import a_file
from overproof.progress import terminal

LessonBundle = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="BUNDLE", help="Show each step on this bundle. [default: the built-in traffic]"),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", parser=a_file, metavar="FILE", help="Write the lesson as one offline page."),
]


HELP = """Walk through distillation and quantization, step by step.

Every number is computed by the functions that compress models, first on the tutorial's packets and its nine
weights, then on your bundle or on the built-in traffic. `--html` writes one offline page with live controls.
On a terminal it is shown page by page, and the next run goes on where it was left, which
`~/.local/state/overproof/lesson.json` keeps; into a pipe all of it goes at once.

\b
Examples:
  overproof lesson | less
  overproof lesson --bundle bundle --html lesson.html
"""


def run(
    bundle: LessonBundle = None,
    html: Html = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Walk through distillation and quantization, step by step."""
    from overproof.cli.lesson_pages import on_terminals, walk_through
    from overproof.lesson import walk
    from overproof.lesson.page import write_page

    walked = walk(bundle, seed=seed)
    if html is not None:
        write_page(walked, html)
        terminal().say(f"Lesson: {html}")
    if html is None and not as_json and on_terminals():
        walk_through(walked.sections)
    elif as_json or html is None:
        show(walked, as_json)
