"""Remember how far a run has come, beside its output, so that a killed run goes on: nothing lost, nothing twice."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from overproof.errors import InputError
from overproof.files import atomic_write


@dataclass(frozen=True)
class Mark:
    """A point that a run can be taken up at: everything before it is on the disk.

    Attributes
    ----------
    events
        Events judged.
    offset
        What the sink has written: bytes, or parts.
    tokens
        Of the escalation budget, by kind of reason (`cascade.budget.Bucket.level`).
    tally
        Counts so far.
    groups
        State of the grouping; None without.
    top
        The gravest verdicts so far; None where all are written.
    """

    events: int
    offset: int
    tokens: Mapping[str, float]
    tally: Mapping[str, Any]
    groups: Mapping[str, Any] | None
    top: list[dict[str, Any]] | None


class Journal:
    """The journal of one output. Only one run at a time may hold it.

    Parameters
    ----------
    out
        The output's final name.
    job
        What is being done; a mark of another job is not taken up.

    Raises
    ------
    InputError
        If another run is writing there, or the folder cannot be written to.
    """

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self._path = out.with_name(f".{out.name}.journal")
        self._job = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
        try:
            self._lock: IO[bytes] = open(out.with_name(f".{out.name}.lock"), "wb")  # noqa: SIM115 - held by the run
        except OSError as error:
            raise InputError(f"{out}: the verdicts cannot be written there ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise InputError(f"{out}: another run is writing there") from None

    def load(self) -> Mark | None:
        """Return where the same job was broken off; None if it was not."""
        try:
            stored = orjson.loads(self._path.read_bytes())
            return Mark(**stored["mark"]) if stored["job"] == self._job else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, mark: Mark) -> None:
        """Remember a point; what it says is written must be on the disk already."""
        atomic_write(self._path, orjson.dumps({"job": self._job, "mark": asdict(mark)}), durable=True)

    def close(self, *, done: bool) -> None:
        """Let go of the output; a job that is done leaves nothing behind."""
        if done:
            self._path.unlink(missing_ok=True)
        Path(self._lock.name).unlink(missing_ok=True)
        self._lock.close()
