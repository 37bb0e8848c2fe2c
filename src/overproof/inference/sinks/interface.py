"""Define what every sink shares: the verdict it is given, what it knows of the run, the writer it opens.

A sink turns verdicts (docs/verdict-schema.md) into one form. A writer writes aside, so that a run which is killed
can be taken up again: what `flush` returned is on the disk, and what came after it is cut off when the writer is
opened at that offset.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from overproof.inference.sinks.families import TECHNIQUES, Technique

Verdict = Mapping[str, Any]


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class About:
    """What a form may want to say beside the verdict.

    Attributes
    ----------
    overproof
        The program's version.
    benign
        Labels that are benign.
    models
        What verdicts call the student and the full model.
    now
        The run's start in milliseconds since the epoch: the time of events that have none of their own.
    techniques
        Technique of ATT&CK of each family, in lower case; None where it has none.
    """

    overproof: str
    benign: tuple[str, ...]
    models: Mapping[str, str | None]
    now: int = field(default_factory=_now)
    techniques: Mapping[str, Technique | None] = field(default_factory=lambda: TECHNIQUES)


class Writer(Protocol):
    """Writes verdicts in their order."""

    def write(self, verdicts: Iterable[Verdict]) -> None:
        """Write verdicts; they may be lost until `flush`."""
        ...

    def flush(self) -> int:
        """Make everything written durable, and return the offset to go on from: bytes, or parts."""
        ...

    def finish(self, path: Path) -> None:
        """Flush, close, and give the output its name at once."""
        ...

    def close(self) -> None:
        """Let go of the file; what was flushed stays aside. A second call does nothing."""
        ...


@dataclass(frozen=True)
class Sink:
    """One form of verdicts.

    Attributes
    ----------
    extension
        The end of the names of its files; empty: no name chooses it.
    open
        `open(aside, offset, about)`: a writer into the path `aside`, which belongs to the sink, at an offset that an
        earlier writer's `flush` returned there (0: from the start). Raises InputError where that cannot be.
    holds
        `holds(aside, offset)`: whether what an earlier writer flushed is still there, up to that offset. After `finish`
        it is not; a run whose offset is no longer held begins anew.
    stream
        `stream(file, about)`: a writer straight into an open file, or at the end of the file of that name. Raises
        InputError for a form that is no stream.
    for_analysts
        Whether analysts read this form: alerts have an excerpt of their text, and are explained unless somebody says
        otherwise.
    with_text
        Whether this form shows the event's text.
    """

    extension: str
    open: Callable[[Path, int, About], Writer]
    holds: Callable[[Path, int], bool]
    stream: Callable[[BinaryIO | str, About], Writer]
    for_analysts: bool = False
    with_text: bool = False
