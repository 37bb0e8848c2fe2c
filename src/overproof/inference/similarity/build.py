"""Build an index of events: read, embedded and written block by block, each distinct event once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from overproof.bundle.signing import Trust
from overproof.bundle.tiers import open as open_bundle
from overproof.errors import BundleError, InputError
from overproof.events.sources import Reading, Rejects, read_events
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.closeness import Closeness
from overproof.inference.similarity.hnsw import require_usearch
from overproof.inference.similarity.store import (
    DTYPE,
    FORMAT,
    METRIC,
    SPELLED,
    Card,
    described,
    embeddings_of,
    model_of,
    seal,
    spellings_of,
    writing,
)
from overproof.inference.similarity.validate import validated
from overproof.inference.similarity.writer import ROWS, Writer
from overproof.progress import NOTEBOOK, Console
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
    kinds: Mapping[str, int]
    closeness: Mapping[str, Closeness]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "path": str(self.path),
            "events": self.events,
            "distinct": self.rows,
            "search": self.search,
            "bytes": self.bytes,
            "kinds": dict(self.kinds),
            "closeness": {kind: asdict(one) for kind, one in self.closeness.items()},
        }

    def render(self) -> str:
        """Return a line for people, and one for each kind of record."""
        lines = [
            f"{self.path}: {self.events:,} events, {self.rows:,} of them distinct, {self.bytes:,} bytes, "
            f"{'searched exactly' if self.search == 'exact' else 'searched in a graph of neighbours'}"
        ]
        for kind, rows in self.kinds.items():
            lines.append(f"  {kind}: {rows:,} events, {self.closeness[kind].render()}")
        return "\n".join(lines)


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
    validation
        Labelled events that the student did not learn from: by them it is chosen what is close. Without any, that
        is unmeasured, and no answer says that nothing is.
    """

    bundle: Path | str
    events: str | Path | Sequence[str | Path] | pa.Table
    out: Path | str
    reading: Reading = field(default_factory=Reading)
    exact_rows: int = EXACT_ROWS
    trust: Trust | None = None
    validation: str | Path | Sequence[str | Path] | pa.Table | None = None


def build_index(config: IndexConfig, *, rejects: Rejects | None = None, console: Console = NOTEBOOK) -> Index:
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
            for batch in _batches(config.events, config.reading, skipped):
                written.add(batch)
                if written.rows > config.exact_rows:
                    require_usearch()  # fails now, not after hours
                if written.events // REPORT_EVENTS > (written.events - batch.num_rows) // REPORT_EVENTS:
                    console.say(f"{written.events:,} events read, {written.rows:,} of them distinct")
        if not written.rows:
            raise InputError("no events to index, expected at least one")
        search = "exact" if written.rows <= config.exact_rows else "hnsw"
        card = _card(written, search, scorer.hidden, model_of(scorer.manifest))
        write, opened = SEARCHES[search]
        for kind in card.kinds:
            write(embeddings_of(aside, card, kind), aside, f"{kind}.")
            write(spellings_of(aside, card, kind), aside, f"{kind}.{SPELLED}")
        held_back = () if config.validation is None else _batches(config.validation, config.reading, skipped)
        close = validated(
            held_back, written, lambda kind: opened(spellings_of(aside, card, kind), aside, f"{kind}.{SPELLED}")
        )
        told = {kind: asdict(one) for kind, one in close.items()}
        seal(aside, replace(card, closeness=told, files=described(aside)))
    if rejects is None and skipped.total:
        warnings.warn(f"records of the events: {skipped}", stacklevel=2)
    size = sum(entry.stat().st_size for entry in out.iterdir())
    return Index(out, written.events, written.rows, search, size, written.kinds, close)


def _batches(
    events: str | Path | Sequence[str | Path] | pa.Table, how: Reading, skipped: Rejects
) -> Iterator[pa.RecordBatch]:
    if isinstance(events, pa.Table):
        yield from events.to_batches(max_chunksize=ROWS)
    else:
        yield from read_events(events, columns=how.columns, format=how.format, on_skip=skipped, extra=False)


def _card(written: Writer, search: str, hidden: int, model: Mapping[str, str]) -> Card:
    return Card(
        format=FORMAT,
        overproof=__version__,
        model=model,
        metric=METRIC,
        dtype=DTYPE,
        search=search,
        hidden=hidden,
        rows=written.rows,
        kinds=written.kinds,
        closeness={},
        events=written.events,
        files={},
    )
