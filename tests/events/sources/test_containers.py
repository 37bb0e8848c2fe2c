"""Lines in the records of container runtimes: as they are without them, with the places of the records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources import Columns, Rejects, load_events, read_events
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Input

ACCESS = '192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET /%d HTTP/1.1" 200 5 "-" "x"'
SYSLOG = "Oct 11 22:14:15 web sshd[12]: event %d"
TIME = "2026-01-05T07:00:%02d.123456789Z"


def cri(*lines: str, tag: str = "F") -> bytes:
    return "".join(f"{TIME % i} stdout {tag} {line}\n" for i, line in enumerate(lines)).encode()


def docker(*logs: str, **more: object) -> bytes:
    records = ({"log": log, "stream": "stdout", "time": TIME % i, **more} for i, log in enumerate(logs))
    return "".join(json.dumps(record) + "\n" for record in records).encode()


INSIDE = {
    "accesslog": [ACCESS % 1, ACCESS % 2, "2026/01/05 07:00:00 [error] x"],
    "syslog": [SYSLOG % 1, SYSLOG % 2],
    "jsonl": ['{"text": "a b", "n": 1}', '{"text": "c", "n": 2}'],
    "suricata": ['{"timestamp":"2024-05-01T12:00:00+0200","event_type":"http","src_ip":"::1","http":{"url":"/1"}}'],
    "lines": ["a plain line", "  another", "{no json"],
}


@pytest.mark.parametrize("wrap", [cri, lambda *lines: docker(*(line + "\n" for line in lines))])
@pytest.mark.parametrize("inside", INSIDE)
def test_what_stands_inside_is_read_as_if_it_stood_alone(read, wrap, inside: str) -> None:
    bare, bare_rejects = read("a.log", "\n".join(INSIDE[inside]).encode(), format=inside)
    table, rejects = read("a.log", wrap(*INSIDE[inside]))
    assert rejects.summary() == bare_rejects.summary()
    assert [each.origin for each in rejects.first] == [each.origin for each in bare_rejects.first]
    assert table.drop_columns("time").equals(bare.drop_columns("time"))
    own = bare["time"].to_pylist()
    outer = [f"2026-01-05T07:00:{i:02d}.123456Z" for i in range(len(own))]
    assert table["time"].to_pylist() == [time or outer[i] for i, time in enumerate(own)]


@pytest.mark.timeout(60)
def test_a_line_in_very_many_parts_costs_no_more_than_its_length(read) -> None:
    parts = f"{TIME % 0} stdout P a\n" * 300_000
    table, rejects = read("a.log", f"{parts}{TIME % 1} stdout F end\n".encode())
    assert (table["text"].to_pylist(), rejects.total) == (["a" * 300_000 + "end"], 0)


@pytest.mark.parametrize(
    "before",
    [
        "2026-01-05T07:00:00.123456789Z ",
        "2026-01-05T07:00:00+01:00 ",
        "2026-01-05 07:00:00,123 ",
        "web-1  | ",
        "[pod/web-1/nginx] ",
        "[pod/web-1/nginx] 2026-01-05T07:00:00Z ",
    ],
)
def test_json_behind_a_time_or_a_containers_name_is_read(read, before: str) -> None:
    lines = ['{"text": "a b", "n": 1}', "a line between", '{"text": "c", "n": 2}']
    table, rejects = read("a.log", "".join(f"{before}{line}\n" for line in lines).encode())
    assert (table["text"].to_pylist(), table["n"].to_pylist()) == (["a b", "c"], [1, 2])
    assert rejects.summary() == {"not a record of a container's log": 1}
    assert table["time"].null_count == (0 if "T" in before else 2)


@pytest.mark.parametrize("line", ["2026-01-05 07:00:00 {main} called}", "web-1 | {}}", "a {b}"])
def test_braces_behind_a_time_are_no_json(read, line: str) -> None:
    table, _ = read("a.log", f"{line}\n{line}\n".encode())
    assert table["text"].to_pylist() == [line] * 2


def test_requests_behind_a_greeting_are_requests(read) -> None:
    table, _ = read("a.log", cri(*["/docker-entrypoint.sh: ready"] * 9, ACCESS % 1))
    assert table["kind"].to_pylist() == [*[None] * 9, "access"]
    assert table["text"].to_pylist()[-2:] == ["/docker-entrypoint.sh: ready", 'HTTP GET /1 ua="x"']


@given(
    st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.lists(st.sampled_from("abc <'"), max_size=4)), max_size=8
    )
)
def test_parts_are_joined_by_stream(read, written: list[tuple[str, list[str]]]) -> None:
    """However the records of both streams stand between each other."""
    records: list[str] = []
    want = []
    for number, (stream, parts) in enumerate(written):
        line = f"line {number} " + "".join(parts)
        want.append(line)
        pieces = [line[:5], *line[5:]]
        records += [f"{TIME % 1} {stream} {'F' if last else 'P'} {piece}" for piece, last in
                    zip(pieces, [False] * (len(pieces) - 1) + [True], strict=True)]  # fmt: skip
        records.append(f"{TIME % 1} {'stderr' if stream == 'stdout' else 'stdout'} F other")
    records.append(f"{TIME % 1} stdout F end")
    table, rejects = read("a.log", "\n".join(records).encode(), format="cri")
    assert rejects.total == 0
    assert [text for text in table["text"].to_pylist() if text != "other"] == [*want, "end"]


def test_docker_joins_what_fills_a_record_and_divides_what_holds_lines(read) -> None:
    long = "a" * (16 << 10)
    table, _ = read("a.json", docker(long, "b\n", "no newline", "one\ntwo\n", "end\n"))
    assert table["text"].to_pylist() == [long + "b", "no newline", "one", "two", "end"]
    assert [origin.rsplit(":")[-1] for origin in table["origin"].to_pylist()] == ["2", "3", "4", "4", "5"]


def test_a_part_without_an_end_is_read_and_other_lines_are_counted(read) -> None:
    table, rejects = read("a.log", cri("one", "two") + b"garbage\n\n" + cri("three", tag="P"))
    assert table["text"].to_pylist() == ["one", "two", "three"]
    assert rejects.summary() == {"not a record of a container's log": 1}
    assert rejects.first[0].origin.endswith("a.log:3")


def test_who_names_columns_names_those_inside_or_those_of_the_records(read) -> None:
    data = docker('{"msg": "a"}\n', '{"msg": "b"}\n')
    assert read("a.log", data, columns=Columns(text="msg"))[0]["text"].to_pylist() == ["a", "b"]
    assert read("a.log", data, columns=Columns(text="log"))[0]["text"][0].as_py() == '{"msg": "a"}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"log": "a", "stream": "stdout", "time": "x", "text": "b"}\n',
        b'{"log": {"level": 1}, "stream": "stdout"}\n',
        b'{"log": "a", "stream": "river"}\n',
        b"2026-01-05T07:00:00Z stdout X line\n",
        b"2026-01-05T07:00:00Z stdin F line\n",
    ],
)
def test_what_only_looks_alike_is_no_record(line: bytes) -> None:
    assert detect(Input("-", None, line, iter([])), Columns()) not in ("cri", "docker")


def test_a_file_of_any_length_is_read_in_flat_memory(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(cri(*(["plain text"] * 60)) * 500)
    sizes = [batch.num_rows for batch in read_events(tmp_path / "a.log", on_skip=Rejects(), batch_rows=1000)]
    assert sizes == [1000] * 30


def test_followed_records_come_when_their_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    one, two = ACCESS % 1, ACCESS % 2
    path.write_bytes(cri(one[:30], tag="P"))
    stops = iter([False] * 6 + [True] * 1000)
    steps = iter(range(1000))

    def stop() -> bool:
        if next(steps) == 3:
            with path.open("ab") as file:
                file.write(cri(one[30:]) + cri(two[:70], tag="P") + cri(two[70:]))
        return next(stops)

    found = [
        text
        for batch in read_events(path, on_skip=Rejects(), follow=True, stop=stop)
        for text in batch["text"].to_pylist()
    ]
    assert found == ['HTTP GET /1 ua="x"', 'HTTP GET /2 ua="x"']


def test_the_real_access_log_in_records(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "captures/access/nginx-apache.log"
    raw = path.read_text(errors="surrogateescape").split("\n")
    wrapped = "".join(f"{TIME % 1} stdout P {line[:20]}\n{TIME % 1} stdout F {line[20:]}\n" for line in raw if line)
    (tmp_path / "a.log").write_bytes(wrapped.encode(errors="surrogateescape"))
    rejects, bare_rejects = Rejects(), Rejects()
    table, bare = load_events(tmp_path / "a.log", rejects=rejects), load_events(path, rejects=bare_rejects)
    assert rejects.summary() == bare_rejects.summary()
    assert table.drop_columns("origin").equals(bare.drop_columns("origin"))
