"""Files that are followed while a thread writes, rotates and truncates them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overproof.errors import InputError
from overproof.events.sources import Rejects, follow, read_events
from overproof.events.sources.follow.place import Position, Sighting, missed, siblings

from .test_live import STREAMS

Event = tuple[str, str]  # origin without its folder, and text


class Follower:
    """Follows files in a thread, and keeps what it reads.

    `wait` gives it time until it has read enough, and fails if it never does.
    """

    def __init__(self, paths: list[Path], **options: object) -> None:
        self.events: list[Event] = []
        self.rejects = Rejects()
        self.error: BaseException | None = None
        self._paths, self._options = paths, options
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for batch in read_events(
                self._paths, on_skip=self.rejects, follow=True, stop=self._stop.is_set, **self._options
            ):  # type: ignore[call-overload]
                assert batch.num_rows
                with self._news:
                    origins = (Path(origin).name for origin in batch["origin"].to_pylist())
                    self.events += zip(origins, batch["text"].to_pylist(), strict=True)
                    self._news.notify()
        except BaseException as error:
            self.error = error

    def wait(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.events) >= count, timeout=20), self.events

    def stop(self) -> list[Event]:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.events

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.events]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overproof.events.sources.POLL", 0.001)
    monkeypatch.setattr("overproof.events.sources.follow.grown.LINGER", 0.2)


@contextmanager
def following(*paths: Path, **options: object) -> Iterator[Follower]:
    follower = Follower(list(paths), **options)
    try:
        yield follower
    finally:
        follower.stop()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def test_a_file_that_grows_is_read_as_it_grows(log: Path) -> None:
    append(log, "one\ntwo\n")
    with following(log) as follower:
        follower.wait(2)
        append(log, "three\nfo")
        follower.wait(3)
        append(log, "ur\nfi")
        follower.wait(4)
        append(log, "ve")
    assert follower.events == [
        ("a.log:1", "one"), ("a.log:2", "two"), ("a.log:3", "three"), ("a.log:4", "four"), ("a.log:5", "five"),
    ]  # fmt: skip


def test_a_file_that_is_not_there_yet_is_waited_for(log: Path) -> None:
    with following(log) as follower:
        append(log, "")
        append(log, "one\n")
        follower.wait(1)
    assert follower.events == [("a.log:1", "one")]
    with following(log.with_name("never")) as follower:
        pass
    assert follower.events == []


@pytest.mark.parametrize("name", STREAMS)
def test_every_format_of_lines_is_followed_also_into_its_next_file(log: Path, name: str) -> None:
    head, line = (part.decode() for part in STREAMS[name])
    append(log, head + line % 0)
    with following(log, format=name) as follower:
        follower.wait(1)
        append(log, line % 1)
        follower.wait(2)
        log.rename(log.with_name("a.log.1"))
        append(log, head + line % 2)
        follower.wait(3)
        append(log, line % 3)
    first = 1 + head.count("\n")
    assert [origin for origin, _ in follower.events] == [f"a.log:{first + n}" for n in (0, 1, 0, 1)]
    assert all(str(n) in text for n, text in enumerate(follower.texts))
    assert follower.rejects.total == 0


def test_no_line_is_lost_or_doubled_where_a_file_is_renamed_and_created_anew(log: Path) -> None:
    """The writer never waits; what it still writes to the old file after the rename is read too."""
    with following(log, batch_rows=7) as follower:
        file = log.open("a", buffering=1)
        for n in range(3000):
            if n % 500 == 250:
                follower.wait(max(1, n - 400))  # of two rotations between two looks, the first would never be seen
                log.rename(log.with_name(f"a.log.{n}"))
            if n % 500 == 270:
                file.close()
                file = log.open("a", buffering=1)
            file.write(f"line {n}\n")
        file.close()
    assert follower.texts == [f"line {n}" for n in range(3000)]


def test_no_line_is_lost_or_doubled_where_a_file_is_copied_and_truncated(log: Path) -> None:
    with following(log, batch_rows=7) as follower, log.open("a", buffering=1) as file:
        for n in range(300):
            file.write(f"line {n}\n")
            if n % 50 == 30:
                follower.wait(n + 1)
                os.truncate(log, 0)
    assert follower.texts == [f"line {n}" for n in range(300)]
    places = [int(origin.split(":")[1]) for origin, _ in follower.events]
    assert places[:32] == [*range(1, 32), 1]


def test_a_truncated_file_that_grew_past_its_old_size_is_noticed(log: Path) -> None:
    """Between two looks: the size alone would not tell."""
    stop = threading.Event()
    log.write_text("old\n")
    batches = read_events(log, on_skip=Rejects(), follow=True, stop=stop.is_set, batch_rows=1)
    assert next(batches)["text"].to_pylist() == ["old"]
    log.write_text("new, and longer\nthan before\n")
    stop.set()
    assert [batch["text"][0].as_py() for batch in batches] == ["new, and longer", "than before"]


def test_several_files_are_interleaved_each_with_its_own_origins(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.log" for name in "abc"]
    paths[0].write_text("a1\na2\n")
    with following(*paths) as follower:
        follower.wait(2)
        append(paths[1], "b1\n")
        follower.wait(3)
        append(paths[0], "a3\n")
        follower.wait(4)
        append(paths[1], "b2\nb3")
    assert [text for _, text in follower.events[:4]] == ["a1", "a2", "b1", "a3"]
    assert sorted(follower.events) == [
        (f"{text[0]}.log:{text[1]}", text) for text in ("a1", "a2", "a3", "b1", "b2", "b3")
    ]


def test_a_long_file_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    long, short = tmp_path / "long.log", tmp_path / "short.log"
    long.write_text("x\n" * 100)
    short.write_text("y\n")
    stop = threading.Event()
    batches = read_events([long, short], on_skip=Rejects(), follow=True, stop=stop.is_set, batch_rows=10)
    assert [next(batches)["text"][0].as_py() for _ in range(2)] == ["x", "y"]
    stop.set()
    assert sum(batch.num_rows for batch in batches) == 90


def test_a_writer_that_never_rests_cannot_keep_it_from_ending(log: Path) -> None:
    log.write_text("x\n")

    def stop() -> bool:
        append(log, "y\n")
        return True

    batches = list(read_events(log, on_skip=Rejects(), follow=True, stop=stop))
    assert sum(batch.num_rows for batch in batches) <= 3


def test_standard_input_and_pipes_end_where_they_end(monkeypatch, log: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file}))
        log.write_text("of the file\n")
        with following(Path("-"), log) as follower:
            follower.wait(1)
            os.write(writing, b"of the pipe\n")
            follower.wait(2)
            os.close(writing)
            append(log, "more\n")
            follower.wait(3)
    assert follower.events == [("a.log:1", "of the file"), ("-:1", "of the pipe"), ("a.log:2", "more")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x1f\x8b\x08\x00\n", "compressed; expected a plain file"),
        (b"PAR1\n", "parquet cannot be followed"),
        (b"\xa1\xb2\xc3\xd4\n", "pcap cannot be followed"),
        (b"PK\x03\x04\n", "a zip archive"),
    ],
)
def test_what_cannot_be_followed_says_so(log: Path, data: bytes, why: str) -> None:
    log.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.log: {why}"):
        next(read_events(log, on_skip=Rejects(), follow=True))


def test_a_folder_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        next(read_events(tmp_path, on_skip=Rejects(), follow=True))


def test_a_byte_order_mark_is_no_text(log: Path) -> None:
    log.write_bytes(b"\xef\xbb\xbfone\n")
    with following(log) as follower:
        follower.wait(1)
    assert follower.texts == ["one"]


def test_rejects_of_followed_files_have_their_place(log: Path) -> None:
    append(log, '{"_path":"x","a":1}\n')
    with following(log, format="zeek") as follower:
        follower.wait(1)
        append(log, "{\n")
        append(log, '{"a":2}\n')
        follower.wait(2)
    assert follower.rejects.first[0].origin.endswith("a.log:2")


stops: list[Callable[[], bool]] = [lambda: True]


@pytest.mark.parametrize("stop", stops)
def test_a_stop_before_the_start_still_reads_what_is_there(log: Path, stop: Callable[[], bool]) -> None:
    log.write_text("one\ntwo")
    batches = read_events(log, on_skip=Rejects(), follow=True, stop=stop)
    assert [text for batch in batches for text in batch["text"].to_pylist()] == ["one", "two"]
    assert list(follow.Followed(log.with_name("never"), stop, Rejects()).inputs()) == []


def test_files_that_were_read_are_not_opened_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, opened = tmp_path / "a.log", list[Path]()
    is_of = Sighting.is_of
    for number in range(60):
        (tmp_path / f"a.log.{number}").write_text(f"line {number}\n")
    passed = tuple(filter(None, map(Sighting.of, siblings(log))))
    (tmp_path / "a.log.60").write_text("line 60\n")
    monkeypatch.setattr(Sighting, "is_of", lambda seen, path: opened.append(path) or is_of(seen, path))
    found = missed(log, Position.before_all(tmp_path / "b.log"), passed, 0)
    assert [path.name for path, _ in found] == ["a.log.60"]
    assert len(opened) == 2 * 60, "once for each of the two looks that have to agree"
