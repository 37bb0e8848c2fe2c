"""Access lines in what a container wrote, and Fluentd's lines: as they are in a file of their own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects

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


@pytest.mark.parametrize("others", [{}, {"event": {"dataset": "nginx.access"}, "ecs": {"version": "8"}}])
def test_the_message_of_a_document_stays_as_it_stands(read, others: dict[str, Any]) -> None:
    records = [AT | others | {"message": line} for line in (*LINES, "started")]
    for data in ("\n".join(map(json.dumps, records)), json.dumps(records, indent=2)):
        table, rejects = read("a.json", data.encode())
        assert (table["text"].to_pylist(), rejects.total) == ([*LINES, "started"], 0)


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
