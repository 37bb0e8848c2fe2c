"""Ask an index which events are most like these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from overproof.bundle.arrays import DAMAGED
from overproof.bundle.tiers import Student
from overproof.bundle.tiers import open as open_bundle
from overproof.errors import BundleError, InputError
from overproof.events.sources import Reading, read_events
from overproof.events.sources.interface import OnSkip
from overproof.events.templates import kind_of
from overproof.files import utf8_path
from overproof.inference.similarity import SEARCHES
from overproof.inference.similarity.found import Found, Neighbour
from overproof.inference.similarity.integers import Integers, numbers, rounded
from overproof.inference.similarity.interface import Near
from overproof.inference.similarity.known import Known
from overproof.inference.similarity.space import restored
from overproof.inference.similarity.spelling import spelling
from overproof.inference.similarity.store import AGAIN, COUNTS, EVENTS, OF_KIND, SPACE, model_of, verified
from overproof.inference.similarity.writer import KEPT
from overproof.progress import why

NEIGHBOURS = 10


class Searcher:
    """An opened index and the student whose embeddings it holds.

    Parameters
    ----------
    bundle
        The bundle that the index was built with, or its opened student.
    index
        The index's folder.

    Raises
    ------
    InputError
        Not an index, or one that was built with another model.
    BundleError
        A bundle that cannot be opened, or whose model gives no embedding.
    TamperedBundle
        A changed file, of either.
    MissingExtra
        An index of many events, and no usearch.
    """

    def __init__(self, bundle: Path | str | Student, index: Path | str) -> None:
        self._scorer = open_bundle(bundle) if isinstance(bundle, Path | str) else bundle
        self._folder = Path(index)
        card = verified(self._folder)
        if self._scorer.hidden is None:
            raise BundleError("the bundle's model gives no embedding: it was written before models did")
        if card.model != model_of(self._scorer.manifest):
            raise InputError(f"{index}: was built with another model; its embeddings cannot be compared: {AGAIN}")
        if card.search not in SEARCHES:
            raise InputError(f"{index}: search {ascii(card.search)[:60]}, expected one of {', '.join(SEARCHES)}")
        self.rows = card.rows
        if card.hidden != self._scorer.hidden:
            raise InputError(f"{index}: embeddings of {card.hidden} numbers, the model's have {self._scorer.hidden}")
        try:
            self._counts = np.load(self._folder / COUNTS, allow_pickle=False)
            of_kind = np.load(self._folder / OF_KIND, allow_pickle=False)
            self._known = Known(self._folder, card, of_kind)
            self._space = restored((self._folder / SPACE).read_bytes(), str(self._folder / SPACE))
            with utf8_path(self._folder / EVENTS) as name:
                self._table = pq.ParquetFile(name)
        except (*DAMAGED, pa.ArrowException) as error:
            raise InputError(f"{index}: cannot be read: {why(error)}; {AGAIN}") from None
        shaped = self._counts.shape == of_kind.shape == (self.rows,) and self._space.hidden == card.hidden
        if not shaped or self._counts.dtype.kind not in "iu" or not _fits(self._table):
            raise InputError(f"{index}: {COUNTS}, {OF_KIND} or {EVENTS} is not that of {self.rows} events: {AGAIN}")
        if self._table.metadata.num_rows != self.rows:
            raise InputError(f"{index}: {EVENTS} has {self._table.metadata.num_rows} rows, expected {self.rows}")
        sizes = [self._table.metadata.row_group(i).num_rows for i in range(self._table.num_row_groups)]
        self._starts = np.cumsum([0, *sizes])
        self._thresholds = {kind: one["threshold"] for kind, one in card.closeness.items()}

    def __call__(self, texts: Sequence[str], k: int = NEIGHBOURS, *, all_kinds: bool = False) -> list[Found]:
        """Find the `k` most similar indexed events of each text, nearest first; fewer if the index has fewer.

        Parameters
        ----------
        all_kinds
            Compare with events of every kind of record, not only with those of the text's own.
        """
        if k < 1:
            raise InputError(f"{k} neighbours: expected 1 or more")
        if not texts:
            return []
        spellings = spelling(texts)
        queries = rounded(self._space.place(numbers(self._scorer.embed(texts)), spellings))
        kinds = [kind_of(text) for text in texts]
        alike = _by_kind(kinds, rounded(self._space.spelled(spellings)), self._known.alike)
        spelled = [float(one.cosines[0]) if len(one.cosines) else None for one in alike]
        if all_kinds:
            near = self._known.anywhere(queries, k)
        else:
            near = _by_kind(kinds, queries, lambda kind, rows: self._known.within(kind, rows, k))
        events = self._events(np.unique(np.concatenate([one.rows for one in near])))
        known = self._known.kinds
        return [
            Found(
                text, tuple(self._neighbours(one, events)), kind, known, cosine, self._thresholds.get(kind), all_kinds
            )
            for text, kind, one, cosine in zip(texts, kinds, near, spelled, strict=True)
        ]

    def _neighbours(self, near: Near, events: dict[int, dict[str, str]]) -> Iterator[Neighbour]:
        for row, cosine in zip(near.rows.tolist(), near.cosines.tolist(), strict=True):
            event = events[row]
            yield Neighbour(similarity=cosine, count=int(self._counts[row]), kind=kind_of(event["text"]), **event)

    def _events(self, rows: np.ndarray) -> dict[int, dict[str, str]]:
        """Read the named rows' events; of the file only the groups that hold one are read."""
        group = np.searchsorted(self._starts, rows, side="right") - 1
        found: dict[int, dict[str, str]] = {}
        try:
            for number in np.unique(group).tolist():
                wanted = rows[group == number]
                table = self._table.read_row_group(number, columns=list(KEPT)).take(wanted - self._starts[number])
                found.update(zip(wanted.tolist(), table.to_pylist(), strict=True))
        except (*DAMAGED, pa.ArrowException) as error:
            raise InputError(f"{self._folder / EVENTS}: cannot be read: {why(error)}; {AGAIN}") from None
        if any(event["text"] is None or event["origin"] is None for event in found.values()):
            raise InputError(f"{self._folder / EVENTS}: an event without text or origin: {AGAIN}")
        return found


def _by_kind(kinds: Sequence[str], rows: Integers, search: Callable[[str, Integers], list[Near]]) -> list[Near]:
    """Search for each row among the events of its own kind."""
    found: dict[int, Near] = {}
    for kind in dict.fromkeys(kinds):
        of_it = [i for i, other in enumerate(kinds) if other == kind]
        found.update(zip(of_it, search(kind, rows[of_it]), strict=True))
    return [found[i] for i in range(len(kinds))]


def _fits(table: pq.ParquetFile) -> bool:
    """Tell whether a file of events has the columns that are read, each once, and all of text."""
    schema = table.schema_arrow
    texts = (pa.string(), pa.large_string())
    return all(schema.names.count(name) == 1 and schema.field(name).type in texts for name in KEPT)


def search(
    bundle: Path | str | Student,
    index: Path | str,
    texts: str | Sequence[str],
    k: int = NEIGHBOURS,
    *,
    all_kinds: bool = False,
) -> list[Found]:
    """Find the `k` most similar indexed events of each text; see `Searcher`.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        See `Searcher`.
    """
    return Searcher(bundle, index)([texts] if isinstance(texts, str) else texts, k, all_kinds=all_kinds)


def search_files(
    searcher: Callable[[Sequence[str], int], list[Found]],
    paths: str | Path | Sequence[str | Path],
    k: int = NEIGHBOURS,
    reading: Reading | None = None,
    *,
    on_skip: OnSkip,
) -> Iterator[Found]:
    """Search for every event of files (`-` is standard input), batch by batch; see `sources.read_events`."""
    how = reading or Reading()
    for batch in read_events(paths, columns=how.columns, format=how.format, on_skip=on_skip, extra=False):
        yield from searcher(batch.column("text").to_pylist(), k)
