"""Remember how far a run has come, beside its output, so that a killed run goes on: nothing lost, nothing twice."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from overproof.errors import InputError
from overproof.files import ANOTHER_RUN, atomic_write, only_writer


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
    followed
        How far the files were read that are followed; None where none are.
    end
        Hash of what the output ends with at the offset; empty where the output is not appended to.
    campaigns
        Campaigns whose window is open; None where alerts are written one by one.
    """

    events: int
    offset: int
    tokens: Mapping[str, float]
    tally: Mapping[str, Any]
    groups: Mapping[str, Any] | None
    top: list[dict[str, Any]] | None
    followed: Mapping[str, Any] | None = None
    end: str = ""
    campaigns: list[dict[str, Any]] | None = None


class Journal:
    """The journal of one output. Only one run at a time may hold it.

    Parameters
    ----------
    out
        The output's final name.
    job
        What is being done; a mark of another job is not taken up.
    kind
        What its file is called, after the output.

    Raises
    ------
    InputError
        If another run is writing there, or the folder cannot be written to.
    """

    def __init__(self, out: Path, job: Mapping[str, Any], kind: str = "journal") -> None:
        self.path = out.with_name(f".{out.name}.{kind}")
        self._job = _sha256(json.dumps(job, sort_keys=True).encode())
        self._held = ExitStack()
        if not out.parent.is_dir():
            raise InputError(f"{out}: the verdicts cannot be written there (no such folder)")
        try:
            self._held.enter_context(only_writer(out, once=True))
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise InputError(f"{out}: {ANOTHER_RUN}") from None
            raise InputError(f"{out}: the verdicts cannot be written there ({error.strerror})") from None

    def load(self) -> Mark | None:
        """Return where the same job was broken off; None if it was not, or what was kept is not as it was written."""
        try:
            stored = orjson.loads(self.path.read_bytes())
            whole = stored["sha256"] == _sha256(orjson.dumps(stored["mark"]))
            return Mark(**stored["mark"]) if whole and stored["job"] == self._job else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, mark: Mark) -> None:
        """Remember a point; what it says is written must be on the disk already."""
        kept = orjson.dumps(asdict(mark))
        stored = {"job": self._job, "sha256": _sha256(kept), "mark": orjson.Fragment(kept)}
        atomic_write(self.path, orjson.dumps(stored), durable=True)

    def close(self, *, done: bool) -> None:
        """Let go of the output; a job that is done leaves nothing behind."""
        if done:
            self.path.unlink(missing_ok=True)
        self._held.close()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
