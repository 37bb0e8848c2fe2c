"""Write verdicts as JSON lines (docs/verdict-schema.md): a batch from its columns, to the same bytes as its objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.inference.cascade import Verdicts
from overproof.inference.explanation import Span
from overproof.inference.sinks.interface import Verdict
from overproof.inference.sinks.json_columns import (
    NULL,
    TEXT,
    Piece,
    booleans,
    chosen,
    content,
    dumped,
    entries,
    joined,
    numbers,
    shares,
    strings,
)
from overproof.inference.sinks.lines import encoded_sink, lines
from overproof.inference.sinks.verdict_batch import VerdictBatch


def encoded(verdicts: Iterable[Verdict]) -> bytes | memoryview:
    """Write verdicts, one a line; of a batch no object is made."""
    return _batch(verdicts) if isinstance(verdicts, VerdictBatch) else lines(verdicts)


JSONL = encoded_sink(".jsonl", lambda about: encoded)


def _batch(batch: VerdictBatch) -> memoryview:
    """Write the lines of a batch: those of all its events, side by side, of which the wanted are kept."""
    verdicts, events = batch.verdicts, batch.events
    pieces: list[Piece] = [
        '{"origin":',
        strings(events.column("origin")),
        ',"source":',
        strings(pa.array(batch.sources, TEXT)),
        ',"time":',
        strings(events.column("time")).fill_null(NULL),
        *_verdict(verdicts),
        *_event(batch),
        *([_excepted(batch)] if batch.excepted else []),
        *([',"text":', strings(events.column("text"))] if batch.with_text else []),
        *([_spans(batch, batch.spans)] if batch.spans else []),
        "}\n",
    ]
    found = joined(pieces)
    return content(found if len(batch.rows) == len(found) else found.take(pa.array(batch.rows)))


def _verdict(verdicts: Verdicts) -> Iterator[Piece]:
    settled, scores, student = verdicts.settled, verdicts.scores, verdicts.student
    yield from (',"label":', _labels(verdicts, verdicts.best), ',"attack":', numbers(verdicts.attack))
    yield from (',"status":', strings(pa.array(settled.status, TEXT)))
    yield from (',"decided_by":', strings(pa.array(settled.decided_by, TEXT)))
    yield from (',"stood_in":', _stood_in(verdicts))
    yield from (',"reason":', strings(pa.array(settled.reasons, TEXT)))
    yield from (',"student":{"label":', _labels(verdicts, verdicts.student_best), ',"attack":', numbers(student.attack))
    yield from (',"confidence":', numbers(student.confidence), ',"probabilities":{')
    yield from shares(student.probabilities, scores.classes)
    yield from ('},"windows":', pa.array(scores.windows).cast(TEXT), ',"overflow":', booleans(scores.overflow))
    yield from (',"ood_distance":', NULL if verdicts.distances is None else numbers(verdicts.distances))
    yield from (',"tier":', NULL if scores.tier is None else pa.array(scores.tier).cast(TEXT))
    yield from ('},"full":', _full(verdicts), f',"models":{dumped(verdicts.models)}')


def _spans(batch: VerdictBatch, spans: Mapping[int, Sequence[Span]]) -> pa.Array:
    found = [""] * batch.events.num_rows
    for row in spans:
        found[row] = f',"spans":{dumped(batch.spelled(row))}'
    return pa.array(found, TEXT)


def _excepted(batch: VerdictBatch) -> pa.Array:
    found = [""] * batch.events.num_rows
    for row, rule in batch.excepted.items():
        found[row] = f',"excepted":{dumped(rule)}'
    return pa.array(found, TEXT)


def _stood_in(verdicts: Verdicts) -> pa.Array:
    found = np.zeros(len(verdicts.best), dtype=np.bool_)
    found[list(verdicts.settled.stood_in)] = True
    return booleans(found)


def _labels(verdicts: Verdicts, best: NDArray[np.intp]) -> pa.Array:
    names = [*map(dumped, verdicts.scores.classes), NULL]
    return chosen(names, best % len(names))


def _full(verdicts: Verdicts) -> pa.Array | str:
    if not verdicts.rows:
        return NULL
    found = [NULL] * len(verdicts.best)
    for row, answer in verdicts.full_objects():
        found[row] = dumped(answer)
    return pa.array(found, TEXT)


def _event(batch: VerdictBatch) -> list[Piece]:
    further = {name: column for name, column in batch.further.items() if column.null_count < len(column)}
    if not further:
        return []
    found = entries(further)
    braced = joined([',"event":{', found, "}"])
    return [pc.if_else(pc.equal(found, ""), "", braced)]
