"""Put the commands together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from overproof.cli import (
    attack,
    check,
    compress,
    demo,
    events,
    exceptions,
    feedback,
    index,
    inspect,
    join,
    lesson,
    quantize,
    report,
    serve,
    sign,
    similar,
    teach,
    triage,
    verify,
)
from overproof.cli.apart import apart
from overproof.cli.ending import exit_code_of
from overproof.errors import ExitCode
from overproof.interrupts import clean_up_at_signals, leave_signals
from overproof.version import __version__

COMMANDS = {
    "demo": demo,
    "events": events,
    "teach": teach,
    "compress": compress,
    "quantize": quantize,
    "join": join,
    "check": check,
    "report": report,
    "attack": attack,
    "triage": triage,
    "serve": serve,
    "exceptions": exceptions,
    "feedback": feedback,
    "index": index,
    "similar": similar,
    "inspect": inspect,
    "sign": sign,
    "verify": verify,
    "lesson": lesson,
}


class _Commands(TyperGroup):
    """The commands, which end in one of `ExitCode`, whatever happens."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run the chosen command and leave the process; a user's mistake ends in one line, never in a traceback."""
        words = sys.argv[1:] if args is None else list(args)

        def run() -> None:
            with self.make_context(prog_name or "overproof", words) as context:
                self.invoke(context)

        sys.exit(exit_code_of(run))


EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"  {code:<4}{code.meaning}" for code in ExitCode)

app = typer.Typer(
    name="overproof",
    cls=_Commands,
    epilog=EXIT_CODES,
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
      overproof events capture.pcap access.log -o events.csv
      overproof teach train.csv.gz --out teacher
      overproof compress train.csv.gz --teacher teacher --out bundle --evidence evidence
      overproof check bundle mine.csv.gz --full teacher --evidence evidence --out proof
      overproof attack bundle mine.csv.gz --full teacher --evidence evidence --out attacked
      overproof triage bundle access.csv | jq 'select(.attack > 0.9)'
    """


for _name, _module in COMMANDS.items():
    app.command(_name, help=_module.HELP)(apart(_module.run))


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    command = typer.main.get_command(app)
    clean_up_at_signals()
    try:
        command()
    finally:
        leave_signals()
