"""Take the name of what a command writes, a file or a folder: the paths made of it forget the slash that tells them."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from overproof.files import ends_as_folder


def a_file(name: str) -> Path:
    """Return the path of a file; BadParameter of a name that only a folder can have, or of none."""
    if ends_as_folder(name):
        raise typer.BadParameter(f"{name!r} names no file; expected one.")
    return Path(name)


def a_file_or_stream(name: str) -> str:
    """Return the name of a file, or `-`; BadParameter of a name that only a folder can have, or of none."""
    return name if name == "-" else str(a_file(name))


def a_folder(name: str) -> Path:
    """Return the path of a folder to write; BadParameter of no name, as of a variable that is not set, and of `/`."""
    if not name or os.path.realpath(name) == os.sep:
        raise typer.BadParameter(f"{name!r} names no folder that can be written; expected one.")
    return Path(name)
