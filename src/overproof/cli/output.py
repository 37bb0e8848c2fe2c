"""Print results: as text for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import typer

from overproof.errors import ExitCode
from overproof.files import results
from overproof.folding import folded
from overproof.progress import ascii_json, printable, printable_json
from overproof.report.layout import within
from overproof.screen import width_of


class Report(Protocol):
    """A result that can be printed either way."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        ...

    def render(self) -> str:
        """Return text."""
        ...


class GatedReport(Report, Protocol):
    """A result that passed or did not."""

    @property
    def passed(self) -> bool:
        """True if nothing stands against it."""
        ...


def show(report: Report, as_json: bool) -> None:
    """Print a result; nothing in its text can steer a terminal."""
    if as_json:
        show_json(indented(report.to_json()))
    else:
        show_text(fitted(report.render) + "\n")


def fitted(write: Callable[[], str]) -> str:
    """Return text whose tables, and on a terminal all lines, fit where results go; nothing in it can steer one."""
    width = width_of(results())
    with within(width):
        text = printable(write())
    return folded(text, width) if results().isatty() else text


def show_text(text: str) -> None:
    """Print text to where results go, as it is."""
    typer.echo(text, file=results(), nl=False)


def show_json(text: str) -> None:
    """Print JSON: to a program as it is, to a terminal with what could steer it escaped.

    Where the stream's encoding lacks a character, all but ASCII is escaped as JSON escapes it.
    """
    stream = results()
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = ascii_json(text)
    show_text((printable_json(text) if stream.isatty() else text) + "\n")


def show_gated(report: GatedReport, as_json: bool) -> None:
    """Print a result; end with exit code 1, `ExitCode.REFUSED`, if it did not pass."""
    show(report, as_json)
    if not report.passed:
        raise typer.Exit(ExitCode.REFUSED)


def indented(value: object) -> str:
    """Return JSON over several lines."""
    import orjson

    from overproof.results.typed_json import to_json

    return orjson.dumps(to_json(value), option=orjson.OPT_INDENT_2).decode()


def one_line_json(value: object) -> str:
    """Return JSON on one line."""
    import orjson

    from overproof.results.typed_json import to_json

    return orjson.dumps(to_json(value)).decode()
