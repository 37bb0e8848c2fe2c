"""Keep how far a run has read the files that it follows, as their readers note it with every batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from overproof.errors import InputError
from overproof.events.sources import Rejects
from overproof.events.sources.follow import NOTE, Resume, key_of
from overproof.events.sources.follow.place import Position
from overproof.inference.stream.output import Output


class Following:
    """How far the files are read whose events are judged.

    Parameters
    ----------
    output
        Where an earlier run may have left off.
    rejects
        Goes on where that one stood.
    models
        Who judges now.
    paths
        What is followed.

    Attributes
    ----------
    kept
        Plain JSON, for a mark.
    resume
        Where reading begins.
    same_models
        Whether the earlier run was of the same models.
    left_open
        Whether a batch was judged that ends where its file may go on: the run is at its end.

    Raises
    ------
    InputError
        If what was kept is not what a run has written.
    """

    def __init__(
        self, output: Output, rejects: Rejects, models: Mapping[str, str | None], paths: Sequence[str]
    ) -> None:
        stored = output.mark.followed if output.mark else None
        self.left_open = False
        self.same_models = stored is not None and stored.get("models") == dict(models)
        self.kept: dict[str, Any] = {"positions": {}, "rejected": {}, "rejects": None, "models": dict(models)}
        try:
            if stored is None:
                self.kept["rejects"] = rejects.place()
            else:
                self.kept |= {name: stored[name] for name in ("positions", "rejected", "rejects")}
                rejects.go_on(stored["rejects"])
            for path in paths:
                self.kept["positions"].setdefault(key_of(path), asdict(Position.before_all(Path(path))))
            self.resume = Resume.from_json(self.kept, rejects.place)
        except (KeyError, TypeError, ValueError, AttributeError):
            where = output.journal.path if output.journal else output.appended
            raise InputError(f"{where}: not what a run has written; remove it to begin anew") from None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep how far a batch was read."""
        stored = (batch.schema.metadata or {}).get(NOTE)
        if stored is None:
            self.left_open = True
            return
        note = orjson.loads(stored)
        self.kept["positions"][note["path"]] = note["position"]
        self.kept |= {name: note[name] for name in ("rejected", "rejects")}
