"""Events that come one by one through a pipe are given on at once, whatever their format."""

from __future__ import annotations

import os
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from overproof.errors import InputError
from overproof.events.sources import Rejects, read_events

ACCESS = b'192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET /%d HTTP/1.1" 200 2326\n'
EVE = b'{"timestamp":"2024-05-01T12:00:00+0200","event_type":"http","src_ip":"::1","http":{"url":"/%d"}}\n'
STREAMS = {
    "lines": (b"", b"event %d\n"),
    "jsonl": (b"", b'{"text":"event %d"}\n'),
    "csv": (b"id,text\n", b'1,"event %d"\n'),
    "tsv": (b"id\ttext\n", b"1\tevent %d\n"),
    "accesslog": (b"", ACCESS),
    "syslog": (b"", b"<13>Oct 11 22:14:15 web a[1]: event %d\n"),
    "suricata": (b"", EVE),
    "zeek": (b"#separator \\x09\n#path\thttp\n#fields\tmethod\turi\n", b"GET\t/%d\n"),
}


class Pipe:
    """A pipe as standard input, and the batches read from it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
        reading, self.writing = os.pipe()
        self.file = os.fdopen(reading, "rb")
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=self.file))
        self.rejects = Rejects()
        self.batches = read_events("-", on_skip=self.rejects, **options)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        os.write(self.writing, data)

    def next(self) -> pa.RecordBatch:
        """The next batch; it would block for ever if it were held back."""
        watch = threading.Timer(20, os.close, [self.writing])
        watch.start()
        try:
            return next(self.batches)
        finally:
            assert watch.is_alive(), "the event was held back"
            watch.cancel()

    def end(self) -> list[pa.RecordBatch]:
        os.close(self.writing)
        with self.file:
            return list(self.batches)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    yield Pipe(monkeypatch)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("format", ["named", "auto"])
def test_an_event_is_not_held_back(monkeypatch: pytest.MonkeyPatch, name: str, format: str) -> None:
    pipe = Pipe(monkeypatch, format=name if format == "named" else "auto")
    head, line = STREAMS[name]
    first = 1 + head.count(b"\n")
    pipe.write(head)
    for number in range(3):
        pipe.write(line % number)
        batch = pipe.next()
        assert batch.num_rows == 1
        assert batch.schema.metadata == {b"format": name.encode()}
        assert str(number) in batch["text"][0].as_py()
        assert batch["origin"][0].as_py() == f"-:{number + first}"
    assert pipe.end() == []


def test_what_came_together_stays_together_and_half_a_line_waits(pipe: Pipe) -> None:
    pipe.write(b"a\nb\nc")
    assert pipe.next()["text"].to_pylist() == ["a", "b"]
    pipe.write(b"d\ne")
    assert pipe.next()["text"].to_pylist() == ["cd"]
    (last,) = pipe.end()
    assert last["text"].to_pylist() == ["e"]


def test_half_a_csv_record_waits_and_holds_back_nothing(pipe: Pipe) -> None:
    pipe.write(b'text,x\na,1\n"b\n')
    assert pipe.next()["text"].to_pylist() == ["a"]
    pipe.write(b"still b\n")
    pipe.write(b'end",2\nc,3\n')
    assert pipe.next()["text"].to_pylist() == ["b\nstill b\nend", "c"]
    pipe.write(b'"never closed,4\nd,5\n')
    (last,) = pipe.end()
    assert last["text"].to_pylist() == ["d"]
    assert pipe.rejects.summary() == {"broken csv record: unclosed quote": 1}
    assert last["origin"].to_pylist() == ["-:8"]


def test_a_pipe_without_events_is_an_error(pipe: Pipe) -> None:
    with pytest.raises(InputError, match="-: empty"):
        pipe.end()


def test_a_named_pipe_is_as_live(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writing: list[int] = []
    opening = threading.Thread(target=lambda: writing.append(os.open(tmp_path / "pipe", os.O_WRONLY)))
    opening.start()
    batches = read_events(tmp_path / "pipe", on_skip=Rejects())

    def feed() -> None:
        opening.join()
        os.write(writing[0], b"a\n")

    feeding = threading.Thread(target=feed)
    feeding.start()
    assert next(batches)["text"].to_pylist() == ["a"]
    feeding.join()
    os.close(writing[0])
    assert list(batches) == []
