from __future__ import annotations

import random
import re

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
