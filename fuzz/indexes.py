"""Make the indexes that are tried: anew, in today's format, since one of an older format is only refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import corpus
from fuzz.target import Files
from overproof.inference.similarity.build import EXACT_ROWS, IndexConfig, build_index
from overproof.progress import SILENT


@cache
def indexes() -> tuple[Files, ...]:
    """Return the files of an index that is searched exactly, and of one by graphs of neighbours."""
    found = []
    with TemporaryDirectory() as place:
        for rows in (EXACT_ROWS, 0):
            folder = Path(place) / str(rows)
            write_index(folder, rows)
            found.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    return tuple(found)


def write_index(folder: Path, exact_rows: int = EXACT_ROWS) -> None:
    """Index the events of the older version's bundle with it; above so many of a kind they are searched by graph."""
    events = corpus.WRITTEN / "events.jsonl"
    config = IndexConfig(corpus.WRITTEN / "bundle", events, folder, exact_rows=exact_rows, validation=events)
    build_index(config, console=SILENT)
