"""Put the commands together, and turn what goes wrong into a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from overproof.cli import (
    check,
    compress,
    demo,
    index,
    inspect,
    lesson,
    quantize,
    serve,
    similar,
    teach,
    triage,
)
from overproof.errors import OverproofError
from overproof.progress import printable
from overproof.version import __version__

EXIT_BROKEN_PIPE = 141  # what a shell reports for a program that died of SIGPIPE
COMMANDS = {
    "demo": demo,
    "teach": teach,
    "compress": compress,
    "quantize": quantize,
    "check": check,
    "triage": triage,
    "serve": serve,
    "index": index,
    "similar": similar,
    "inspect": inspect,
    "lesson": lesson,
}


class _Commands(TyperGroup):
    """The one place where what went wrong becomes a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; a user's mistake ends in one line, never in a traceback."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except OverproofError as error:
            raise _fail(str(error), error.exit_code) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                # What is still buffered would fail again at exit, with a traceback: let it go nowhere.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(EXIT_BROKEN_PIPE) from error
            where = f"{error.filename}: " if error.filename else ""
            raise _fail(f"{where}{error.strerror or error}", 1) from error


def _fail(message: str, code: int) -> typer.Exit:
    typer.echo(f"error: {printable(message)}", err=True)
    return typer.Exit(code)


app = typer.Typer(
    name="overproof",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"overproof {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make a security classifier small and fast, and prove what that cost.

    A large teacher is distilled into a small student; the student is quantized to INT8, compared with its
    teacher and with a linear baseline on your own events, and written as a bundle that runs without torch.

    \b
    See it work on the built-in traffic:
      overproof demo --out out/demo
    On your own events:
      overproof teach train.csv.gz --out teacher
      overproof compress train.csv.gz --teacher teacher --out bundle --evidence evidence
      overproof check bundle mine.csv.gz --full teacher --evidence evidence --out proof
      overproof triage bundle access.csv | jq 'select(.attack > 0.9)'
    """


for _name, _module in COMMANDS.items():
    app.command(_name, help=_module.HELP)(_module.run)


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    app()
