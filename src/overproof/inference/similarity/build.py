"""Build an index of events: read, embedded and written block by block, each distinct event once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from overproof.bundle.signing import Trust
from overproof.bundle.tiers import open as open_bundle
from overproof.errors import BundleError, InputError
from overproof.events.sources import Reading, Rejects, read_events
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.hnsw import require_usearch
from overproof.inference.similarity.store import (
    DTYPE,
    FORMAT,
    METRIC,
    Card,
    described,
    embeddings_of,
    model_of,
    seal,
    writing,
)
from overproof.inference.similarity.writer import ROWS, Writer
from overproof.progress import SILENT, Console
from overproof.version import __version__

EXACT_ROWS = 20_000  # searched in some 10 ms, without a further package and whole; a graph of them takes 1 ms
REPORT_EVENTS = 100_000


@dataclass(frozen=True)
class Index:
    """An index that was written: where, how many events were read, how many are distinct, how it is searched."""

    path: Path
    events: int
    rows: int
    search: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "path": str(self.path),
            "events": self.events,
            "distinct": self.rows,
            "search": self.search,
            "bytes": self.bytes,
        }

    def render(self) -> str:
        """Return one line for people."""
        return (
            f"{self.path}: {self.events:,} events, {self.rows:,} of them distinct, {self.bytes:,} bytes, "
            f"{'searched exactly' if self.search == 'exact' else 'searched in a graph of neighbours'}"
        )


@dataclass(frozen=True)
class IndexConfig:
    """What is to be indexed, and where to.

    Attributes
    ----------
    bundle
        Folder of the bundle whose student embeds.
    events
        Files (`-` is standard input), or an event table.
    out
        The index's folder.
    reading
        How the files become events.
    exact_rows
        Up to so many distinct events are searched exactly; above, in a graph of neighbours (the extra `similar`).
    trust
        Whose signature the bundle has to have; None asks for none.
    """

    bundle: Path | str
    events: str | Path | Sequence[str | Path] | pa.Table
    out: Path | str
    reading: Reading = field(default_factory=Reading)
    exact_rows: int = EXACT_ROWS
    trust: Trust | None = None


def build_index(config: IndexConfig, *, rejects: Rejects | None = None, console: Console = SILENT) -> Index:
    """Embed events with a bundle's student and write an index to search in.

    An event that comes again with the same text, label and family is counted, not stored. Besides the events' hashes
    memory does not grow with their number.

    Parameters
    ----------
    rejects
        Counts what cannot become an event; without it a warning tells.

    Raises
    ------
    InputError
        No usable event, or `out` holds something else.
    BundleError
        A bundle whose model gives no embedding.
    """
    scorer = open_bundle(config.bundle, trust=config.trust)
    out = Path(config.out)
    if scorer.hidden is None:
        raise BundleError(
            f"{config.bundle}: its model gives no embedding: it was written before models did; compress it again"
        )
    skipped = Rejects() if rejects is None else rejects
    with writing(out) as aside:
        with Writer(aside, scorer) as written:
            for batch in _batches(config, skipped):
                written.add(batch)
                if written.rows > config.exact_rows:
                    require_usearch()  # fails now, not after hours
                if written.events // REPORT_EVENTS > (written.events - batch.num_rows) // REPORT_EVENTS:
                    console.say(f"{written.events:,} events read, {written.rows:,} of them distinct")
        if not written.rows:
            raise InputError("no events to index, expected at least one")
        search = "exact" if written.rows <= config.exact_rows else "hnsw"
        SEARCHES[search][0](embeddings_of(aside, written.rows, scorer.hidden), aside)
        seal(aside, _card(written, search, scorer.hidden, model_of(scorer.manifest), described(aside)))
    if rejects is None and skipped.total:
        warnings.warn(f"records of the events: {skipped}", stacklevel=2)
    size = sum(entry.stat().st_size for entry in out.iterdir())
    return Index(out, written.events, written.rows, search, size)


def _batches(config: IndexConfig, skipped: Rejects) -> Iterator[pa.RecordBatch]:
    if isinstance(config.events, pa.Table):
        yield from config.events.to_batches(max_chunksize=ROWS)
    else:
        how = config.reading
        yield from read_events(config.events, columns=how.columns, format=how.format, on_skip=skipped, extra=False)


def _card(written: Writer, search: str, hidden: int, model: Mapping[str, str], files: Mapping[str, Any]) -> Card:
    return Card(
        format=FORMAT,
        overproof=__version__,
        model=model,
        metric=METRIC,
        dtype=DTYPE,
        search=search,
        hidden=hidden,
        rows=written.rows,
        events=written.events,
        files=files,
    )
