from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.journald import read_journald
from overproof.events.sources.journald.records import TOO_LONG
from overproof.events.sources.stream import LONGEST

CASE = Path(__file__).parents[2] / "cases" / "08-journald-json"


def exported(entries: Sequence[dict[str, bytes]]) -> bytes:
    """A journal as its documentation says that it is exported; the reader has no part in it."""
    out = b""
    for entry in entries:
        for name, value in entry.items():
            if b"\n" in value or any(byte < 32 and byte != 9 for byte in value):
                out += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
            else:
                out += name.encode() + b"=" + value + b"\n"
        out += b"\n"
    return out


def test_json_with_a_message_of_bytes_and_one_that_was_left_out() -> None:
    rejects = Rejects()
    table = load_events(CASE / "journal.json", rejects=rejects)
    assert table["text"].to_pylist() == ["started worker 3", "GET /?q=\x1b[31m' UNION SELECT password FROM users-- "]
    assert table["time"].to_pylist() == ["2026-01-05T07:06:24.327000Z", "2026-01-05T07:06:25.327000Z"]
    assert rejects.summary() == {TOO_LONG: 1}
    assert set(table["kind"].to_pylist()) == {"journald"} and set(table["host"].to_pylist()) == {"web1"}


def test_the_export_format() -> None:
    rejects = Rejects()
    table = load_events(CASE / "journal.export", rejects=rejects)
    assert table.select(["text", "time"]).to_pylist() == [
        {"text": "Accepted password for root from 198.51.100.9 port 50218 ssh2", "time": "2026-01-05T07:06:24.327000Z"},
        {"text": "ab\ncd", "time": "2026-01-05T07:06:25.327000Z"},
    ]
    assert [origin.rsplit(":", 1)[1] for origin in table["origin"].to_pylist()] == ["1", "7"]
    assert rejects.total == 0


@pytest.mark.parametrize("frame", [b"%b\n", b"\x1e%b\n", b"data: %b\n\n"], ids=["json", "json-seq", "json-sse"])
def test_the_ways_journalctl_frames_json(read, frame: bytes) -> None:
    entries = [{"__CURSOR": "s=0", "__REALTIME_TIMESTAMP": "1767596784327000", "MESSAGE": text} for text in ("a", "b")]
    for name in ("a.json", "a.log", "a"):
        table, rejects = read(name, b"".join(frame % json.dumps(entry).encode() for entry in entries))
        assert table.select(["text", "kind"]).to_pylist() == [
            {"text": "a", "kind": "journald"},
            {"text": "b", "kind": "journald"},
        ]
        assert rejects.total == 0


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ([71, 69, 84, 255], "GET\\xff"),
        (["first", [115, 101, 99], "third"], "first\nsec\nthird"),
        (["first", None], "first"),
        ([256], "MESSAGE is no text"),
        ([True], "MESSAGE is no text"),
        (json.loads("[" * 900 + "]" * 900), "MESSAGE is no text"),
        ({"a": 1}, "MESSAGE is no text"),
        (7, "MESSAGE is no text"),
        ([], "empty text"),
        ("", "empty text"),
        (None, TOO_LONG),
    ],
)
def test_what_a_message_may_be(read, message: Any, text: str) -> None:
    lines = [{"__REALTIME_TIMESTAMP": "1", "MESSAGE": each} for each in ("before", message)]
    table, rejects = read("a.json", b"\n".join(json.dumps(line).encode() for line in lines))
    assert [*table["text"].to_pylist(), *rejects.summary()] == ["before", text]


def test_who_names_a_column_reads_a_table(read) -> None:
    data = b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":[97],"label":"x"}'
    table, _ = read("a.json", data, columns=Columns(text="MESSAGE", label="label"))
    assert table.select(["text", "label"]).to_pylist() == [{"text": "a", "label": "x"}]
    with pytest.raises(InputError, match="a journal, which is read by its own columns"):
        read("a.export", exported([{"__CURSOR": b"1"}]), format="journald", columns=Columns(text="MESSAGE"))


def test_a_broken_entry_costs_itself_only(read) -> None:
    whole = exported([{"__CURSOR": b"1", "__X": b"", "MESSAGE": b"good"}])
    broken = {
        b"__CURSOR=2\nmessage=lower\n\n": "not a field of the journal's export format",
        b"__CURSOR=2\nMESSAGE\n\3\0\0\0\0\0\0\0abcd\n\n": "not a field of the journal's export format",
        b"__CURSOR=2\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff\n\n": "longer than 16 MiB",
        b"__CURSOR=2\n\n": "a journal entry without MESSAGE",
        b"__CURSOR=2\nMESSAGE=" + b"x" * (LONGEST + 1) + b"\n\n": "longer than 16 MiB",
    }
    for data, reason in broken.items():
        table, rejects = read("a.export", whole + data + whole)
        assert table["text"].to_pylist() == ["good", "good"]
        assert rejects.summary() == {reason: 1}
        assert rejects.first[0].origin.endswith(":5")
    table, rejects = read("a.export", whole + b"__CURSOR=2\nMESSAGE\n\3\0\0\0\0\0\0\0a")
    assert rejects.summary() == {"cut short: a value that is shorter than it says": 1}
    table, rejects = read("a.export", whole + b"__CURSOR=2\nMESSAGE=last")
    assert table["text"].to_pylist() == ["good", "last"]


values = st.binary(min_size=1, max_size=6)
entries = st.fixed_dictionaries({"__CURSOR": st.just(b"s=1"), "__X": values, "MESSAGE": values, "_HOSTNAME": values})


@given(st.lists(entries, min_size=1, max_size=4), st.integers(1, 40))
def test_any_journal_comes_back_however_it_is_cut_into_blocks(written: list[dict[str, bytes]], size: int) -> None:
    data = exported(written)

    def blocks() -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]
            yield b""  # nothing more for now

    rejects = Rejects()
    batches = list(read_journald(Input("a", None, data[:40], blocks()), ReadOptions(on_skip=rejects)))
    assert rejects.total == 0
    texts = [text for batch in batches for text in batch.column("text").to_pylist()]
    assert texts == [entry["MESSAGE"].decode("utf-8", "backslashreplace") for entry in written]


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"\n\n", b"MESSAGE\n\2\0\0\0\0\0\0\0ab\n", b"A=b\n"])))
def test_arbitrary_bytes_are_entries_or_skipped(read, pieces: list[bytes]) -> None:
    data = b"__CURSOR=1\n__X=1\nMESSAGE=first\n\n" + b"".join(pieces)
    table, rejects = read("any.export", data, format="journald")
    assert table.num_rows >= 1
    assert table.num_rows + rejects.total >= 1 + bool(b"".join(pieces).strip(b"\n"))
