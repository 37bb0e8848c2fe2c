"""Reading bytes as if they were a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from overproof.events.sources import Rejects, load_events

Read = Callable[..., tuple[pa.Table, Rejects]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of all examples of a property; each overwrites the last one's."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="session")
def read(folder: Path) -> Read:
    """Write bytes to a file of that name and load it: the events, and what was rejected.

    Takes `rejects` so that a test sees what was skipped even where the whole file is refused.
    """

    def read(name: str, data: bytes, rejects: Rejects | None = None, **options: Any) -> tuple[pa.Table, Rejects]:
        (folder / name).write_bytes(data)
        rejects = rejects or Rejects()
        table = load_events(folder / name, rejects=rejects, **options)
        table.validate(full=True)
        return table, rejects

    return read
