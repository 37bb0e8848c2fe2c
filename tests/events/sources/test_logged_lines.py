"""Access lines inside of documents, and Fluentd's lines: as they are in a file of their own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects

ACCESS = '192.0.2.7 - - [10/Oct/2023:13:55:%02d +0000] "GET /%d HTTP/1.1" 200 5 "-" "() { :;}; /bin/id"'
SQUID = (
    "1767596784.100     89 192.0.2.7 TCP_MISS/200 1024 GET http://e.test/?q=%d%d' bob HIER_DIRECT/10.0.0.1 text/html"
)
LINES = [line % (i, i) for i in range(3) for line in (ACCESS, SQUID)]
AT = {"@timestamp": "2023-10-10T13:55:36Z"}
DOCUMENTS: dict[str, Any] = {
    "docker": lambda line: {"log": f"{line}\n", "stream": "stdout", "time": AT["@timestamp"]},
    "Fluent Bit, Kubernetes": lambda line: {
        "log": line,
        "stream": "stdout",
        "kubernetes": {"pod_name": "x"},
        "date": 1.5,
    },
    "ECS, FireLens": lambda line: {"container_id": "a", "source": "stdout", "log": line},
    "a shipper's message": lambda line: AT | {"message": line, "host": {"name": "a"}, "input": {"type": "log"}},
    "ECS's original": lambda line: AT | {"event": {"original": line}, "ecs": {"version": "8"}},
    "Elasticsearch": lambda line: {"_index": "x", "_source": AT | {"message": line}},
    "Google": lambda line: {"jsonPayload": {"message": line}, "insertId": "a"},
    "docker, a document": lambda line: {"log": json.dumps({"message": line}) + "\n", "stream": "stdout"},
}


def written(form: str, lines: list[str]) -> bytes:
    return "".join(json.dumps(DOCUMENTS[form](line)) + "\n" for line in lines).encode()


@pytest.mark.parametrize("form", DOCUMENTS)
def test_they_are_read_as_in_a_file_of_their_own(read, form: str) -> None:
    bare, _ = read("a.log", "\n".join(LINES).encode())
    assert set(bare["kind"].to_pylist()) == {"access"}
    data = written(form, LINES)
    for each in (data, json.dumps([json.loads(line) for line in data.splitlines()], indent=2).encode()):
        table, rejects = read("a.json", each)
        assert (table.num_rows, rejects.total) == (len(data.splitlines()), 0)
        assert table.drop_columns("origin").equals(bare.drop_columns("origin"))


def test_several_lines_in_one_document(read) -> None:
    table, rejects = read("a.json", json.dumps(AT | {"message": "\n".join(LINES)}).encode())
    assert (table.num_rows, rejects.total, set(table["kind"].to_pylist())) == (len(LINES), 0, {"access"})


@pytest.mark.parametrize(
    "record",
    [
        {"message": f"({LINES[0]}"[:60]},
        {"message": LINES[0], "label": "benign"},
        {"message": LINES[0], "attack_type": "none"},
        {"message": LINES[0], "group": "a"},
        {"payload": "a", "message": LINES[0]},
        {"text": LINES[0]},
        {"message": f"{LINES[0]}\nand more"},
    ],
)
def test_what_is_more_than_such_lines_stays_a_table(read, record: dict[str, str]) -> None:
    table, _ = read("a.json", json.dumps(record).encode())
    assert table["text"].to_pylist() == [next(v for k, v in record.items() if k in ("payload", "message", "text"))]


def test_one_document_of_another_kind_or_a_named_column_leaves_them_a_table(read) -> None:
    data = written("a shipper's message", LINES)
    mixed, _ = read("a.json", data + b'{"message": "started"}\n')
    named, _ = read("a.json", data, columns=Columns(text="message"))
    assert mixed["text"].to_pylist() == [*LINES, "started"] and named["text"].to_pylist() == LINES


FLUENTD = {"file": "2023-10-10T13:55:36+02:00\tapp.access\t%s", "output": "2023-10-10 13:55:36.000000000 +0200 a.b: %s"}


@pytest.mark.parametrize("form", FLUENTD)
def test_lines_of_fluentd(read, form: str) -> None:
    bare, _ = read("a.log", "\n".join(LINES).encode())
    data = "\n".join(FLUENTD[form] % json.dumps({"log": line, "tab": "a\tb"}) for line in LINES).encode()
    table, rejects = read("buffer.b5.log", data)
    assert (table.num_rows, rejects.total) == (len(re.findall(rb"(?m)^2023-10-10.*\}$", data)), 0)
    assert table.drop_columns("origin").equals(bare.drop_columns("origin"))
    documents, _ = read(
        "a.txt", "\n".join(FLUENTD[form] % json.dumps({"message": f"m{i}", "n": i}) for i in range(3)).encode()
    )
    assert documents["text"].to_pylist() == ["m0", "m1", "m2"] and documents["n"].to_pylist() == [0, 1, 2]
    assert set(documents["time"].to_pylist()) == {"2023-10-10T11:55:36Z"}


@given(st.sampled_from(list(FLUENTD)), st.integers(0, 80), st.binary(max_size=9))
def test_a_line_with_anything_anywhere_is_an_event_or_skipped(read, form: str, place: int, more: bytes) -> None:
    raw = (FLUENTD[form] % json.dumps({"message": "m"})).encode()
    raw = raw[:place] + more.replace(b"\n", b"") + raw[place:]
    rejects = Rejects()
    try:
        count = read("a.log", raw, rejects, format="fluentd")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total == 1
