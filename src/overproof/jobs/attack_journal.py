"""Keep what an attack has done so far, so that a run that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overproof.files import atomic_write, open_named
from overproof.redteam.campaign import Attempt
from overproof.results.typed_json import from_json, to_json

JOURNAL = ".attack-in-progress.jsonl"


@dataclass
class Journal:
    """Waves of attacked events that are done, by their name; a line each, after one that says whose they are.

    Attributes
    ----------
    path
        The file; None keeps nothing.
    run
        All that decides what a wave comes to. What another run left is begun anew.
    """

    path: Path | None
    run: Mapping[str, Any]
    done: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        first = json.dumps(self.run, sort_keys=True)
        lines = self.path.read_text("utf-8", "replace").splitlines() if self.path.is_file() else []
        if lines and lines[0] == first:
            self.done = _whole(lines[1:])
        # written anew: behind a line that was cut off nothing could be appended
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, "".join(f"{line}\n" for line in (first, *map(json.dumps, self.done.values()))))

    def known(self, wave: str) -> tuple[list[Attempt], dict[str, int]] | None:
        """Return what a wave came to, and what the referee refused in it; None if it is not done."""
        stored = self.done.get(wave)
        if stored is None:
            return None
        return list(from_json(tuple[Attempt, ...], stored["attempts"])), dict(stored["refused"])

    def keep(self, wave: str, attempts: list[Attempt], refused: Mapping[str, int]) -> None:
        """Keep what a wave came to."""
        if self.path is not None:
            line = {"wave": wave, "attempts": to_json(tuple(attempts)), "refused": dict(refused)}
            with open_named(self.path, "ab") as file:
                file.write(f"{json.dumps(line)}\n".encode())

    def discard(self) -> None:
        """Remove it: the run has ended well."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _whole(lines: list[str]) -> dict[str, Any]:
    """Return the waves of the lines that were written to their end."""
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            from_json(tuple[Attempt, ...], entry["attempts"])
            found[str(entry["wave"])] = {**entry, "refused": from_json(dict[str, int], entry["refused"])}
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError):
            continue  # cut off, or changed: that wave is done again
    return found
