"""Keep our standard output apart from what code that is not ours prints."""

from __future__ import annotations

import io
import sys
from typing import TextIO

OUTPUT = "standard output"


class OwnOutput(io.TextIOWrapper):
    """Our standard output under a number of its own: number 1 is what code that is not ours prints to."""


_own_output: OwnOutput | None = None


def keep_output(stream: OwnOutput) -> None:
    """Let `results` be this stream from now on."""
    global _own_output
    _own_output = stream


def results() -> TextIO:
    """Return what our results are written to: our own output, which nobody else prints to, else `sys.stdout`."""
    return sys.stdout if _own_output is None else _own_output
