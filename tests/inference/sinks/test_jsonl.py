"""JSON lines from columns: the same bytes as from objects, one by one, whatever the events and the answers are."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.bundle.scores import Scores
from overproof.events.schema import event_table
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.cascade.verdicts import Settled, Verdicts, verdicts
from overproof.inference.explanation import Span
from overproof.inference.sinks import VerdictBatch, severity
from overproof.inference.sinks.json_columns import numbers, strings, values
from overproof.inference.sinks.jsonl import encoded
from overproof.inference.sinks.lines import lines
from overproof.inference.sinks.parquet import table
from overproof.inference.sinks.verdict_batch import FORMAT

CLASSES = ("benign", 'sq"li', "xss\n", "cmdi", "probe")
BENIGN = ("benign",)
STATUS = st.sampled_from(["decided", "deferred", "held", "abstained"])
# quotes, controls, what needs two bytes, three and four; no surrogates, which Arrow does not hold
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ['"', "\\", "\x00", "é😀\u2028"]
)
LOGITS = st.floats(-50, 50, width=32) | st.sampled_from([math.nan, math.inf, -math.inf])
FURTHER: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "word": (pa.string(), TEXT),
    'we"ird': (pa.large_string(), TEXT),
    "port": (pa.int64(), st.integers(-(1 << 63), (1 << 63) - 1)),
    "byte": (pa.uint8(), st.integers(0, 255)),
    "huge": (pa.uint64(), st.integers(0, (1 << 64) - 1)),
    "share": (pa.float64(), st.floats()),
    "small": (pa.float32(), st.floats(width=32)),
    "half": (pa.float16(), st.floats(width=16, allow_nan=False).map(np.float16)),
    "yes": (pa.bool_(), st.booleans()),
    "when": (pa.timestamp("us"), st.datetimes()),
    "money": (pa.decimal128(20, 2), st.decimals(-1000, 1000, places=2)),
    "list": (pa.list_(pa.int64()), st.lists(st.none() | st.integers(-5, 5), max_size=3)),
    "object": (pa.struct({"a": pa.string()}), st.fixed_dictionaries({"a": TEXT})),
    "raw": (pa.binary(), st.binary(max_size=4)),
    "nothing": (pa.null(), st.none()),
    # of the columns that sources share, in their own type and in others
    "src_port": (pa.int64(), st.integers(-2, 70_000)),
    "dst_port": (pa.string(), st.integers(0, 70_000).map(str) | TEXT),
    "status": (pa.bool_(), st.booleans()),
    "url": (pa.string(), TEXT),
    "host": (pa.int64(), st.integers(0, 9)),
    "user": (pa.null(), st.none()),
}


@st.composite
def judged(draw: st.DrawFn) -> VerdictBatch:
    """A batch of verdicts, of anything that may stand in one."""
    n = draw(st.integers(1, 6))

    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    events = event_table({"text": some(TEXT), "origin": some(TEXT), "time": some(st.none() | TEXT)})
    if draw(st.booleans()):
        events = events.append_column("kind", pa.array(some(st.none() | TEXT), pa.string()))
    for name in draw(st.lists(st.sampled_from(sorted(FURTHER)), unique=True)):
        kind, drawn = FURTHER[name]
        events = events.append_column(name, pa.array(some(st.none() | drawn), kind))
    batch = events.combine_chunks().to_batches()[0].replace_schema_metadata({FORMAT: b"lines"})
    start = draw(st.integers(0, n - 1))
    rows = draw(st.lists(st.integers(0, n - start - 1), unique=True).map(sorted))
    n -= start
    span = st.builds(Span, st.integers(0, 9), st.integers(0, 9), st.floats(0, 99))
    spans = st.none() | st.dictionaries(st.integers(0, n - 1), st.lists(span, max_size=3))
    wanted = np.array(rows, dtype=np.intp)
    excepted = draw(st.dictionaries(st.integers(0, n - 1), TEXT))
    on = draw(verdicts_on(n))
    return VerdictBatch(batch.slice(start), on, wanted, draw(st.booleans()), draw(spans), excepted=excepted)


@st.composite
def verdicts_on(draw: st.DrawFn, n: int) -> Verdicts:
    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    logits = np.array(some(st.lists(LOGITS, min_size=5, max_size=5)), dtype=np.float32)
    distances = np.array(some(LOGITS), dtype=np.float32) if draw(st.booleans()) else None
    tiers = np.array(some(st.integers(1, 2)), dtype=np.int8) if draw(st.booleans()) else None
    windows = np.array(some(st.integers(1, 16)), dtype=np.int32)
    scores = Scores(logits, CLASSES, windows, np.array(some(st.booleans())), distances, tiers)
    asked = draw(st.sets(st.integers(0, n - 1)))
    shares = st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5)
    full = {row: np.array(draw(shares), dtype=np.float32) for row in asked}
    by = [
        draw(st.sampled_from(["student", "full", "nobody"] if row in asked else ["student", "nobody"]))
        for row in range(n)
    ]
    confidence = np.array(some(st.floats(0, 1, width=32) | st.just(math.nan)), dtype=np.float32)
    stood_in = draw(st.sets(st.integers(0, n - 1)))
    settled = Settled(some(STATUS), by, stood_in, some(TEXT), confidence, full)
    benign = [name in BENIGN for name in CLASSES]
    return verdicts(scores, settled, benign=benign, models={"student": 'a"', "full": draw(st.none() | TEXT)})


@given(judged())
def test_columns_and_objects_give_the_same_bytes(batch: VerdictBatch) -> None:
    found = list(batch)
    assert len(found) == len(batch)
    assert bytes(encoded(batch)) == lines(found) == b"".join(orjson.dumps(each, default=str) + b"\n" for each in found)


@given(judged())
def test_columns_and_objects_give_the_same_table(batch: VerdictBatch) -> None:
    found, expected = table(batch), table(list(batch))
    found.validate(full=True)
    assert found.schema == expected.schema
    assert found.to_pylist() == expected.to_pylist()


@given(judged())
def test_a_label_is_an_attack_where_the_probability_beside_it_is_above_one_half(batch: VerdictBatch) -> None:
    for verdict in batch:
        for said in (verdict, verdict["student"], verdict["full"] or verdict):
            if said["label"] is None or said["attack"] is None:
                assert said["label"] is None and said["attack"] is None
            else:
                assert (said["label"] not in BENIGN) == (said["attack"] > 0.5)


@given(judged())
def test_the_columns_severities_are_those_of_the_objects(batch: VerdictBatch) -> None:
    every = replace(batch, rows=np.arange(batch.events.num_rows))
    assert severity.severities(batch.verdicts, BENIGN, batch.excepted).tolist() == [
        severity.of(each, BENIGN) for each in every
    ]


def test_a_line_is_what_it_always_was() -> None:
    scores = Scores(
        np.array([[0.0, 1.0], [np.nan, 0.0]], dtype=np.float32),
        ("benign", "sqli"),
        np.array([1, 2], dtype=np.int32),
        np.array([False, True]),
        np.array([12.34567, 3.0], dtype=np.float32),
        np.array([1, 2], dtype=np.int8),
    )
    settled = Settled(
        ["decided", "decided"],
        ["student", "full"],
        {0},
        ["confidence 0.731 ≥ 0.500", "the student's scores are no numbers"],
        np.array([0.7310586, np.nan], dtype=np.float32),
        {1: np.array([0.25, 0.75], dtype=np.float32)},
    )
    events = event_table({"text": ['\' or "1"', "x"], "time": [None, "now"], "port": [80, None]})
    batch = events.combine_chunks().to_batches()[0].replace_schema_metadata({FORMAT: b"csv"})
    found = verdicts(scores, settled, benign=[True, False], models={"student": "0123", "full": None})
    assert bytes(encoded(VerdictBatch(batch, found, np.arange(2), with_text=True))).decode() == (
        '{"origin":"event:1","source":"csv","time":null,"label":"sqli","attack":0.7310586,"status":"decided",'
        '"decided_by":"student","stood_in":true,"reason":"confidence 0.731 ≥ 0.500","student":{"label":"sqli",'
        '"attack":0.7310586,"confidence":0.7310586,"probabilities":{"benign":0.2689414,"sqli":0.7310586},"windows":1,'
        '"overflow":false,"ood_distance":12.346,"tier":1},"full":null,"models":{"student":"0123","full":null},'
        '"event":{"port":80},"text":"\' or \\"1\\""}\n'
        '{"origin":"event:2","source":"csv","time":"now","label":"sqli","attack":0.75,"status":"decided",'
        '"decided_by":"full","stood_in":false,"reason":"the student\'s scores are no numbers","student":{"label":null,'
        '"attack":null,"confidence":null,"probabilities":{"benign":null,"sqli":null},"windows":2,'
        '"overflow":true,"ood_distance":3.0,"tier":2},"full":{"label":"sqli","attack":0.75,"confidence":0.75,'
        '"probabilities":{"benign":0.25,"sqli":0.75}},"models":{"student":"0123","full":null},"text":"x"}\n'
    )


@given(st.lists(st.floats() | st.integers(0, 10**7).map(lambda place: place / 10**7)))
def test_numbers_are_written_as_one_by_one(some: Sequence[float]) -> None:
    written = numbers(np.array(some, dtype=np.float64))
    written.validate(full=True)
    assert written.to_pylist() == [orjson.dumps(value).decode() for value in some]


@given(st.lists(st.none() | TEXT, min_size=1), st.integers(0, 3))
def test_strings_are_written_as_one_by_one(some: Sequence[str | None], start: int) -> None:
    column = pa.array(some, pa.string()).slice(start)
    expected = [None if value is None else orjson.dumps(value).decode() for value in some[start:]]
    assert strings(column).to_pylist() == expected


def test_what_json_has_no_form_for_is_written_as_its_text() -> None:
    moments = pa.array([datetime.timedelta(seconds=1), None], pa.duration("s"))
    assert values(moments).to_pylist() == ['"0:00:01"', None]
    assert values(pa.array([decimal.Decimal("1.50")])).to_pylist() == ['"1.50"']
    assert values(pa.array(["a", "a", None]).dictionary_encode()).to_pylist() == ['"a"', '"a"', None]
    assert values(pa.array([math.inf, None, 0.1], pa.float32())).to_pylist() == ["null", None, "0.10000000149011612"]


@pytest.mark.parametrize("least", [0.0, 0.5, 0.9345])
@given(st.floats(0, 1, width=32) | st.integers(0, 16).map(lambda place: place / 16))
def test_how_sure_the_student_is_is_rounded_as_python_rounds(least: float, sure: float) -> None:
    cascade = object.__new__(Cascade)
    cascade.policy = Policy(confidence=least)
    (found,) = cascade._trusted(np.array([sure], dtype=np.float32))
    assert found == (f"confidence {sure:.3f} ≥ {least:.3f}" if least else "no threshold to defer it by")
