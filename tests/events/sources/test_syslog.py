from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.simulate import logs
from overproof.events.simulate.words import actor


def one(read, line: str) -> dict[str, object]:
    table, rejects = read("a.log", line.encode(), format="syslog")
    assert rejects.total == 0
    (event,) = table.to_pylist()
    return event


OLD = "Oct 11 22:14:15 web sshd[12]: Failed password for x"
TEXT = "22:14:15 web sshd[12]: Failed password for x"


@pytest.mark.parametrize(
    ("line", "text", "time"),
    [
        (OLD, TEXT, None),
        ("<34>" + OLD, TEXT, None),
        (OLD.replace("11", " 1", 1), TEXT, None),
        (OLD.replace("11 22", "11 2024 22", 1), TEXT, None),
        (OLD.replace("Oct 11 22:14:15", "2003-10-11T22:14:15.003Z"), TEXT, "2003-10-11T22:14:15.003000Z"),
        (OLD.replace("Oct 11 22:14:15", "2003-10-11T22:14:15+02:00"), TEXT, "2003-10-11T20:14:15Z"),
        ("Oct 11 22:14:15 web kernel: [1.5] eth0: link up", "22:14:15 web kernel: [1.5] eth0: link up", None),
        ("Oct 11 22:14:15 web su(pam_unix)[7]: x", "22:14:15 web su(pam_unix)[7]: x", None),
        ("Oct 11 22:14:15 web last message repeated", "22:14:15 web last message repeated", None),
        ("Oct 11 22:14:15 sshd[12]: x", "22:14:15 sshd[12]: x", None),
        ("Oct 11 22:14:15 2001:db8::1 sshd[12]: x", "22:14:15 2001:db8::1 sshd[12]: x", None),
        (
            "<165>1 2003-10-11T22:14:15.003Z web.test su 12 ID47 - \ufeff'su root' failed",
            "22:14:15 web.test su[12]: 'su root' failed",
            "2003-10-11T22:14:15.003000Z",
        ),
        (
            '1 2003-10-11T22:14:15Z web su - - [a@1 b="c \\"d\\] e"][f g="h"] on /dev/pts/8',
            '22:14:15 web su: [a@1 b="c \\"d\\] e"][f g="h"] on /dev/pts/8',
            "2003-10-11T22:14:15Z",
        ),
        ("<13>1 - - su - - -", "su:", None),
        ("<13>1 - - - - - - just words", "just words", None),
    ],
)
def test_the_forms_of_syslog(read, line: str, text: str, time: str | None) -> None:
    event = one(read, line)
    assert (event["text"], event["time"], event["kind"]) == (text, time, "syslog")


def test_host_is_column_and_group(read) -> None:
    event = one(read, OLD)
    assert event["host"] == event["group"] == "web"


@pytest.mark.parametrize(
    "line", ["Traceback (most recent call last):", '  File "a.py"', "<34>", "Oct 11 late", "1 2 3"]
)
def test_other_lines_stay_plain_lines(read, line: str) -> None:
    event = one(read, line)
    assert event["text"] == line
    assert all(event[name] is None for name in ("kind", "time", "group", "host"))


def test_the_texts_are_those_of_the_built_in_traffic(read) -> None:
    rng = random.Random(0)
    for write in (logs.application, logs.login, logs.failed_logins, logs.privilege_escalation, logs.reversed_grant):
        text = write(rng, actor(rng))
        assert re.match(r"\d\d:\d\d:\d\d \S+ \w+\[\d+\]: ", text)
        assert one(read, f"<13>Oct 11 {text}")["text"] == text


line = (
    st.binary(max_size=20)
    | st.binary(max_size=20).map(lambda raw: b"<1>Oct 11 22:14:15 " + raw)
    | st.binary(max_size=20).map(lambda raw: b"1 2003-10-11T22:14:15Z h p - - " + raw)
    | st.lists(st.sampled_from([b"-", b"1", b"[a", b'b="', b']"', b"]", b"\\", b"x:"]), max_size=9).map(b" ".join)
)


@given(st.lists(line, max_size=8))
def test_every_line_that_is_not_empty_is_an_event(read, lines: list[bytes]) -> None:
    data = b"\n".join([b"first", *lines])
    table, rejects = read("any.log", data, format="syslog")
    assert rejects.total == 0
    assert [int(origin.rsplit(":", 1)[1]) for origin in table["origin"].to_pylist()] == [
        number for number, line in enumerate(data.split(b"\n"), 1) if line.removesuffix(b"\r")
    ]


FRAMES = [f"<34>1 2026-01-05T07:00:0{second}Z web su - - - number {second}" for second in range(3)]


@pytest.mark.parametrize("end", ["", "\n"])
def test_messages_behind_their_octet_counts_need_no_line_breaks(read, end: str) -> None:
    framed = "".join(f"{len(message + end)} {message}{end}" for message in FRAMES)
    table, rejects = read("a.log", framed.encode())
    assert table["text"].to_pylist() == [f"07:00:0{second} web su: number {second}" for second in range(3)]
    assert rejects.total == 0


def test_a_count_that_does_not_fit_divides_nothing(read) -> None:
    line = f"{len(FRAMES[0]) + 3} {FRAMES[0]}44 <34>1 x"
    assert one(read, line)["text"] == "07:00:00 web su: number 044 <34>1 x"


CADDY = '{"ts":1767596784,"request":{"remote_ip":"192.0.2.1","method":"GET","host":"h","uri":"/?q=1"},"status":200}'
EVE = (
    '{"timestamp":"2026-01-05T07:06:24+0000","event_type":"http","flow_id":1,"src_ip":"192.0.2.1","http":'
    '{"hostname":"h","url":"/?q=1","http_method":"GET"}}'
)


ZEEK = (
    '{"_path":"http","ts":1767596784,"uid":"C1","id.orig_h":"192.0.2.1","id.orig_p":1,"id.resp_h":"192.0.2.2",'
    '"id.resp_p":80,"method":"GET","host":"h","uri":"/?q=1"}'
)


@pytest.mark.parametrize("document", [CADDY, EVE, ZEEK])
@pytest.mark.parametrize("before", ["Jan  5 07:06:24 web app[1]: ", "<6>1 2026-01-05T07:06:24Z web app 1 - - @cee: "])
def test_requests_in_json_that_syslog_carries(read, before: str, document: str) -> None:
    event = one(read, before + document)
    assert (event["text"], event["src_ip"]) == ("HTTP GET /?q=1 host=h", "192.0.2.1")
    assert event["time"] == "2026-01-05T07:06:24Z"


def test_other_json_stays_in_its_message(read) -> None:
    for document in ('{"a":1}', "{}", "{oops}", '{"timestamp":1,"event_type":2}'):
        assert one(read, f"Jan  5 07:06:24 web app[1]: {document}")["text"] == f"07:06:24 web app[1]: {document}"


def _flow(number: int) -> dict[str, object]:
    ends = {"src_ip": "203.0.113.5", "src_port": 1000, "dest_ip": "10.0.0.1", "dest_port": number, "proto": "TCP"}
    flow = {"pkts_toserver": 1, "pkts_toclient": 0, "start": "2026-03-05T10:11:10.1+0000"}
    return {"timestamp": "2026-03-05T10:11:12.1+0000", "flow_id": number, "event_type": "flow", **ends, "flow": flow}


def _connection(number: int) -> dict[str, object]:
    ends = {"id.orig_h": "203.0.113.5", "id.orig_p": 1000, "id.resp_h": "10.0.0.1", "id.resp_p": number}
    return {"_path": "conn", "ts": 1772705472.1, "uid": f"C{number}", **ends, "proto": "tcp", "conn_state": "S0"}


@pytest.mark.parametrize("record", [_flow, _connection])
def test_flows_that_syslog_carries_are_aggregated_as_in_their_own_log(
    read, record: Callable[[int], dict[str, object]]
) -> None:
    lines = [json.dumps(record(number)) for number in range(9)]
    alone, _ = read("a.json", "\n".join(lines).encode())
    carried, _ = read("a.log", "\n".join(f"<13>Mar  5 10:11:12 ids1 sensor[1]: {line}" for line in lines).encode())
    assert alone.num_rows == 10
    assert carried.drop_columns(["origin"]) == alone.drop_columns(["origin"])


def test_windows_events_that_syslog_carries_are_read(read) -> None:
    event = {"EventID": 4688, "Channel": "Security", "Hostname": "dc1", "CommandLine": "cmd /c x", "SourceName": "x"}
    found = one(read, f"<13>1 2026-03-05T10:11:12Z dc1 nxlog - - - {json.dumps(event)}")
    assert (found["text"], found["host"], found["kind"]) == ("cmd /c x", "dc1", "windows-security-4688")
