"""Put a batch of verdicts into the columns of a Parquet file, without making an object of any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from overproof.inference.cascade import Verdicts
from overproof.inference.cascade.verdicts import Answers, Rounded
from overproof.inference.sinks.fields import COLUMNS, as_shared
from overproof.inference.sinks.json_columns import TEXT, dumped, entries, joined, shares
from overproof.inference.sinks.verdict_batch import VerdictBatch

Columns = Mapping[str, pa.Array]
TYPES: Mapping[type, pa.DataType] = {str: pa.string(), int: pa.int32()}  # of the columns that sources share


def columns(batch: VerdictBatch) -> Columns:
    """Return the columns of all of a batch's verdicts, by name; one that is not there is null everywhere."""
    events, verdicts = batch.events, batch.verdicts
    settled, scores = verdicts.settled, verdicts.scores
    stood_in = np.zeros(len(settled.status), dtype=np.bool_)
    stood_in[list(settled.stood_in)] = True
    found = {
        "origin": events.column("origin"),
        "source": pa.array(batch.sources, TEXT),
        "time": events.column("time"),
        "label": _labels(verdicts.best, scores.classes),
        "attack": _floats(verdicts.attack),
        "status": pa.array(settled.status, TEXT),
        "decided_by": pa.array(settled.decided_by, TEXT),
        "stood_in": pa.array(stood_in),
        "reason": pa.array(settled.reasons, TEXT),
        **_answers("student", verdicts.student, scores.classes, verdicts.student_best),
        "windows": pa.array(scores.windows),
        "overflow": pa.array(scores.overflow),
        **_full(verdicts),
        "student_model": pa.repeat(pa.scalar(verdicts.models["student"], TEXT), len(stood_in)),
        "full_model": pa.repeat(pa.scalar(verdicts.models["full"], TEXT), len(stood_in)),
        **_event(batch.further),
    }
    if verdicts.distances is not None:
        found["ood_distance"] = _floats(verdicts.distances)
    if scores.tier is not None:
        found["tier"] = pa.array(scores.tier)
    if batch.with_text:
        found["text"] = events.column("text")
    if batch.excepted:
        found["excepted"] = pa.array([batch.excepted.get(row) for row in range(events.num_rows)], TEXT)
    if batch.spans:
        spans = {row: dumped(batch.spelled(row)) for row in batch.spans}
        found["spans"] = pa.array([spans.get(row) for row in range(events.num_rows)], TEXT)
    return found


def _answers(whose: str, answers: Answers, classes: Sequence[str], best: NDArray[np.intp]) -> Columns:
    return {
        f"{whose}_label": _labels(best, classes),
        f"{whose}_attack": _floats(answers.attack),
        f"{whose}_confidence": _floats(answers.confidence),
        f"{whose}_probabilities": joined(["{", *shares(answers.probabilities, classes), "}"]),
    }


def _full(verdicts: Verdicts) -> Columns:
    """Return the full model's answers; null where it gave none."""
    if not verdicts.rows:
        return {}
    places = np.full(len(verdicts.best), -1)
    places[verdicts.rows] = np.arange(len(verdicts.rows))
    answers = _answers("full", verdicts.full, verdicts.scores.classes, verdicts.full.best)
    return {name: column.take(pa.array(places, mask=places < 0)) for name, column in answers.items()}


def _event(further: Columns) -> Columns:
    """Part the events' further columns in those that all sources share and the rest, which is one column of JSON."""
    known: dict[str, pa.Array] = {}
    rest: dict[str, pa.Array] = {}
    for name, column in further.items():
        if name in COLUMNS:
            values = [as_shared(name, value) for value in column.to_pylist()]
            known["http_status" if name == "status" else name] = pa.array(values, TYPES[COLUMNS[name]])
            column = pc.if_else(pa.array([value is None for value in values]), column, pa.scalar(None, column.type))
        if column.null_count < len(column):
            rest[name] = column
    if rest:
        written = entries(rest)
        known["event"] = pc.if_else(pc.equal(written, ""), pa.scalar(None, TEXT), joined(["{", written, "}"]))
    return known


def _labels(best: NDArray[np.intp], classes: Sequence[str]) -> pa.Array:
    return pa.array(classes, TEXT).take(pa.array(best, mask=best < 0))


def _floats(values: Rounded) -> pa.Array:
    return pa.array(values, mask=np.isnan(values)).cast(pa.float32())
