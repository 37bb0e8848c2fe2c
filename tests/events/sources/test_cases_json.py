"""Cases of JSON and tables that were read wrongly once: `tests/cases/NAME/case.md` says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events

CASES = Path(__file__).parents[2] / "cases"


def loaded(name: str, **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    rejects = Rejects()
    return load_events(CASES / name, rejects=rejects, **options).to_pylist(), rejects.summary()


def test_a_document_of_filebeat_is_read_by_its_message() -> None:
    events, rejected = loaded("09-ecs-filebeat/filebeat.ndjson")
    assert rejected == {}
    assert [event["text"].split('"')[1].split()[1] for event in events] == [
        "/index.html",
        "/item.asp?id=1%27%20UNION%20SELECT%20password%20FROM%20users--",
    ]
    assert {event["time"] for event in events} == {"2026-01-05T07:00:00.000Z"}


def test_parquet_of_any_types() -> None:
    events, rejected = loaded("26-parquet-odd/dict-list-struct.parquet")
    assert [event["text"] for event in events] == ["hello", "id=1' or 1=1--"]
    assert [event["tags"] for event in events] == [["a"], ["b", "c"]]
    assert rejected == {}
    assert len(loaded("26-parquet-odd/large.parquet")[0]) == 2
    assert loaded("26-parquet-odd/null.parquet")[1] == {"text is null": 1, "empty text": 1}
    with pytest.raises(InputError, match=r"text column 'text' holds list<.*--text COLUMN"):
        loaded("26-parquet-odd/text-list.parquet")
    named, _ = loaded("26-parquet-odd/dict-list-struct.parquet", columns=Columns(text="s.a"))
    assert [event["text"] for event in named] == ["1", "2"]


PROCESS = {"@timestamp": "2026-01-05T07:06:24Z", "event": {"kind": "event", "category": ["process"]}}


@pytest.mark.parametrize(
    "record",
    [
        {"process": {"args": ["sh", "-c", "a | b"], "executable": "/bin/sh"}},
        {"process": {"args": ["sh"], "command_line": "sh -c a | b"}, "message": "Endpoint process event"},
        {"process.args": ["sh", "-c", "a | b"], "message": None},
        {"process": {"args": ["sh", "-c", "a | b"]}, "message": "Process sh (PID: 5) by user root STARTED"},
    ],
    ids=["arguments alone", "a command line", "names with dots", "arguments and a message"],
)
def test_a_process_in_a_document_of_ecs_is_read_by_its_command(read, record: dict[str, Any]) -> None:
    data = "".join(f"{json.dumps({**PROCESS, **record, 'n': number})}\n" for number in range(3)).encode()
    table, rejects = read("a.ndjson", data)
    assert (table["text"].to_pylist(), rejects.total) == (["sh -c a | b"] * 3, 0)


def test_what_a_process_logged_is_read_by_its_message(read) -> None:
    record = {**PROCESS, "event": {"kind": "event"}, "process": {"args": ["nginx"]}, "message": "GET /?q=1"}
    table, _ = read("a.ndjson", json.dumps(record).encode())
    assert table["text"].to_pylist() == ["GET /?q=1"]


@pytest.mark.parametrize("empty", [None, ""])
def test_a_message_that_is_empty_is_passed_over(read, empty: str | None) -> None:
    lines = [{"message": empty, "event": {"original": "a"}}, {"message": empty}, {"message": "b", "n": 1}]
    table, rejects = read("a.ndjson", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    assert table["text"].to_pylist() == ["a", "b"]
    assert rejects.summary() == {"text is null" if empty is None else "empty text": 1}


def test_the_likeliest_column_is_named_where_none_is_found(read) -> None:
    record = {"Timestamp": "2026-01-05T07:06:24.1234567Z", "DeviceName": "h" * 30, "ProcessCommandLine": "sh -c a"}
    with pytest.raises(InputError, match="--text 'ProcessCommandLine'"):
        read("a.jsonl", json.dumps(record).encode())
