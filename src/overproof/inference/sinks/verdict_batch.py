"""Hold the verdicts on one batch of events as columns; whoever wants objects iterates over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from overproof.events.schema import SCHEMA
from overproof.events.sources.interface import TABLES
from overproof.events.templates import shown_at
from overproof.inference.cascade import Verdicts
from overproof.inference.explanation import Span
from overproof.inference.sinks.wording import excerpt

Verdict = dict[str, Any]
FORMAT = b"format"  # in a batch's metadata: how it was read


@dataclass(frozen=True, eq=False)
class VerdictBatch:
    """The verdicts on n events that are to be written, with what else is known of each.

    Attributes
    ----------
    events
        All n events.
    verdicts
        On all of them.
    rows
        Those that are to be written, ascending.
    with_text
        Whether the event's text is kept.
    spans
        Of each event that was explained, the spans that carried its verdict; None where nothing is.
    alerts
        Of those that are to be written, the alerts, where the form is for analysts: each has an excerpt of its text and
        its own family, where its table tells one.
    excepted
        Of all n events, those that a rule silences, each to the rule's name.
    """

    events: pa.RecordBatch
    verdicts: Verdicts
    rows: NDArray[np.intp]
    with_text: bool = False
    spans: Mapping[int, Sequence[Span]] | None = None
    alerts: Set[int] = frozenset()
    excepted: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def sources(self) -> list[str]:
        """What each of all n records was, else how it was read."""
        if not self._has_kinds:
            return [self._read_as] * self.events.num_rows
        return [kind or self._read_as for kind in self.events.column("kind").to_pylist()]

    @property
    def _read_as(self) -> str:
        return ((self.events.schema.metadata or {}).get(FORMAT) or b"events").decode()

    @property
    def _has_kinds(self) -> bool:
        """Whether the source itself says what each record was; in a table, anybody may have written it."""
        return "kind" in self.events.schema.names and self._read_as not in (*TABLES, "events")

    @property
    def further(self) -> dict[str, pa.Array]:
        """The further columns of all n events."""
        taken = {*SCHEMA.names, "kind"} if self._has_kinds else set(SCHEMA.names)
        names = (name for name in self.events.schema.names if name not in taken)
        return {name: self.events.column(name) for name in names}

    def __len__(self) -> int:
        """Return how many are to be written."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Verdict]:
        """Yield one JSON object a verdict, in the order of docs/verdict-schema.md."""
        origins, times, texts = (self.events.column(name).to_pylist() for name in ("origin", "time", "text"))
        families = self.events.column("family").to_pylist()
        further = {name: column.to_pylist() for name, column in self.further.items()}
        wanted = np.zeros(self.events.num_rows, dtype=np.bool_)
        wanted[self.rows] = True
        for i, (verdict, written) in enumerate(zip(self.verdicts.objects(), wanted.tolist(), strict=True)):
            if not written:
                continue
            found = {"origin": origins[i], "source": self.sources[i], "time": times[i], **verdict}
            event = {name: values[i] for name, values in further.items() if values[i] is not None}
            if event:
                found["event"] = event
            if i in self.excepted:
                found["excepted"] = self.excepted[i]
            if self.with_text:
                found["text"] = texts[i]
            if i in self.alerts:
                found["excerpt"] = excerpt(texts[i])
                if families[i] is not None:
                    found["family"] = families[i]
            if self.spans is not None and i in self.spans:
                found["spans"] = self.spelled(i)
            yield found

    def spelled(self, row: int) -> list[dict[str, Any]]:
        """Write the spans of an event, each with what stands there, and what part of the event that is."""
        text = self.events.column("text")[row].as_py()
        url = self.events.column("url")[row].as_py() if "url" in self.events.schema.names else None
        found = []
        for span in (self.spans or {}).get(row, ()):
            shown, part = shown_at(text, span.start, span.end, url if isinstance(url, str) else None)
            where = {"start": span.start, "end": span.end, "weight": span.weight, "text": text[span.start : span.end]}
            more = {"part": part, "shown": None if shown == where["text"] else shown}
            found.append({**where, **{name: value for name, value in more.items() if value is not None}})
        return found
