"""JSON that is no line a record: as many records as the standard library's parser finds, whatever the layout."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, documents
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Input
from overproof.events.sources.stream import LONGEST

RECORDS = [
    {"text": "id=1' or 1=1--", "n": 1, "in": {"a": [{"text": "no"}, '}{][\\"']}},
    {"text": 'quo"te \\ [', "n": 2, "in": {}},
    {"text": "ü\n", "n": 3, "in": {"b": [[], {}]}},
]
LAYOUTS = {
    "an indented array": lambda some: json.dumps(some, indent=2),
    "an array without indent": lambda some: json.dumps(some, indent=0),
    "an array, one object a line": lambda some: "[\n" + ",\n".join(map(json.dumps, some)) + "\n]\n",
    "an array, commas first": lambda some: "[ " + "\n, ".join(map(json.dumps, some)) + "\n]\n",
    "an array on one line": json.dumps,
    "indented objects": lambda some: "\n".join(json.dumps(each, indent="\t") for each in some),
    "objects behind one another": lambda some: "".join(map(json.dumps, some)),
    "arrays of arrays": lambda some: json.dumps([[some[0]], some[1:]], indent=1),
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_are_those_of_json_lines(read, layout: str, ending: str) -> None:
    data = LAYOUTS[layout](RECORDS)
    bare, _ = read("bare.jsonl", "\n".join(map(json.dumps, RECORDS)).encode())
    for name in ("a.json", "a.log", "a"):
        table, rejects = read(name, b"\xef\xbb\xbf" + data.replace("\n", ending).encode())
        assert rejects.total == 0
        assert table.drop_columns("origin").equals(bare.drop_columns("origin"))
        lines = [data.count("\n", 0, data.index(json.dumps(r["text"])[:8])) + 1 for r in RECORDS]
        within = int("indented" in layout or "without" in layout or "arrays of" in layout)  # the text's line
        assert [int(o.rpartition(":")[2]) + within for o in table["origin"].to_pylist()] == lines


def test_what_is_inside_is_read_as_what_it_is(read) -> None:
    eve = [{"timestamp": "2024-05-01T12:00:00+0200", "event_type": "http", "src_ip": "::1", "http": {"url": f"/{i}"}}
           for i in range(3)]  # fmt: skip
    assert read("a.json", json.dumps(eve, indent=2).encode())[0]["text"].to_pylist() == [
        f"HTTP - /{i}" for i in range(3)
    ]
    trail = {"Records": [{"eventName": "ConsoleLogin", "message": "m"}, {"eventName": "x", "message": "n"}]}
    assert read("a.json", json.dumps(trail, indent=4).encode())[0]["text"].to_pylist() == ["m", "n"]
    named, _ = read("a.json", json.dumps([{"q": "a"}, {"q": "b"}], indent=2).encode(), columns=Columns(text="q"))
    assert named["text"].to_pylist() == ["a", "b"]


def test_errors_say_the_line_and_cost_no_more_than_their_record(read) -> None:
    lines = json.dumps([{"text": str(i), "x": {"y": [1]}} for i in range(9)], indent=2).split("\n")
    starts = [number for number, line in enumerate(lines) if line == "  {"]
    lines[starts[1] + 1] = '    "text": "1,'  # a string without its end
    lines[starts[5] + 1] = '    "text": tru,'  # a word that is none
    del lines[starts[3] + 6]  # a bracket that is never closed
    table, rejects = read("a.json", "\n".join(lines).encode())
    assert rejects.summary() == {"JSON does not parse": 3}
    assert set(table["text"].to_pylist()) == set("024678")
    table, rejects = read("a.json", b'[{"text": "a"}, 7, "b, {", {"text": "c"}, null]')
    assert (table["text"].to_pylist(), rejects.summary()) == (["a", "c"], {"not an object of JSON": 2})
    table, rejects = read("a.json", json.dumps(RECORDS, indent=2).encode()[:-30])
    assert (table.num_rows, rejects.summary()) == (2, {"cut short: JSON that does not end": 1})


def test_a_record_is_bounded(read) -> None:
    long = json.dumps([{"text": "a"}, {"text": "b" * LONGEST}, {"text": "c"}], indent=1)
    table, rejects = read("a.json", long.encode())
    assert (table["text"].to_pylist(), rejects.summary()) == (["a", "c"], {"longer than 16 MiB": 1})


@pytest.mark.parametrize(
    "head", [b"[2024-01-01] x\n", b"{a}\n", b'{"text": "a\n', b"[1, 2]\n", b"[error] {\n", b'{"text": "a"}\n', b"\n"]
)
def test_what_begins_otherwise_is_no_such_json(head: bytes) -> None:
    assert detect(Input("a.log", None, head * 3, iter([])), Columns()) != "json"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(['"', "\\", "}{", "],[", "\n{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4), min_size=1, max_size=6),
    st.sampled_from([None, 0, 1, 2, "\t"]),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_as_many_as_the_standard_library_finds_however_they_come(
    records: list[Any], indent: Any, escaped: bool, listed: bool, chance: random.Random
) -> None:
    dumped = json.dumps(records, indent=indent, ensure_ascii=escaped)
    text = dumped if listed else "\n".join(json.dumps(r, indent=indent, ensure_ascii=escaped) for r in records)
    data = text.encode("utf-8", "surrogatepass")
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(8))
    blocks = [data[i:j] for i, j in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    rejects = Rejects()
    found = [each for each in documents.documents(Input("a", None, b"", iter(blocks)), rejects) if each]
    assert [json.loads(line) for _, line in found] == records and rejects.total == 0


@given(st.sampled_from(list(LAYOUTS)), st.integers(0, 400), st.binary(max_size=5), st.lists(st.integers(0, 400)))
def test_broken_or_not_it_is_the_same_in_pieces(layout: str, place: int, more: bytes, cuts: list[int]) -> None:
    data = LAYOUTS[layout](RECORDS).encode()
    data = data[:place] + more + data[place:]
    ends = sorted(min(cut, len(data)) for cut in cuts)
    outcomes = []
    for blocks in ([data], [data[i:j] for i, j in zip([0, *ends], [*ends, len(data)], strict=True)]):
        rejects = Rejects(examples=99)
        found = list(filter(None, documents.documents(Input("a", None, b"", filter(None, blocks)), rejects)))
        outcomes.append((found, [(each.origin, each.reason) for each in rejects.first]))
    assert outcomes[0] == outcomes[1]


def test_hostile_input_takes_no_longer_than_its_length(read) -> None:
    for piece in ('{"a":[', '"\n', '{"a" {', "}]", "[{]\n", "\\", ": ", "\n{"):
        with pytest.raises(InputError):
            read("a.json", (piece * 2**17).encode(), format="json")


@pytest.mark.parametrize("form", ["json.dumps", "pretty", "broken"])
def test_text_sequences_are_read(read, form: str) -> None:
    """RFC 7464: each text stands behind RS, and a broken one costs no other."""
    records = [{"text": f"attack {number}", "label": "x"} for number in range(3)]
    texts = [json.dumps(record, indent=2 if form == "pretty" else None) for record in records]
    if form == "broken":
        texts[1:1] = ['{"text": "cut sh']
    table, rejects = read("a.json", "".join(f"\x1e{text}\n" for text in texts).encode())
    assert table["text"].to_pylist() == [record["text"] for record in records]
    assert rejects.total == (form == "broken")


def test_text_sequences_of_logs_are_read_as_what_they_are(read) -> None:
    lines = b'\x1e{"_path":"dns","ts":1.5,"uid":"C","id.orig_h":"192.0.2.1","id.orig_p":1,"id.resp_h":"192.0.2.2",'
    lines += b'"id.resp_p":53,"query":"a.test"}\n'
    table, _ = read("a.log", lines * 2)
    assert table["kind"].to_pylist() == ["zeek-dns"] * 2
    table, _ = read("a.log", b'\x1e{"text":"a"}\n\x1e{"text":"b"}\n', format="jsonl")
    assert table["text"].to_pylist() == ["a", "b"], "also where the format is named"
