"""Requests in ModSecurity's audit logs: as in a capture, marked where cut, every transaction counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.events.sources import Rejects
from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.modsecurity.serial import read_serial
from overproof.events.sources.pcap.request import LONGEST_BODY

from . import pcaps

HEADERS = {"Host": "shop.test", "User-Agent": "curl/8", "Cookie": "a=1", "X-Probe": "${jndi:ldap://x}"}
BODY = "user=admin' or 1=1--"


def head(body: str = BODY, line: str = "POST /login?x=%27 HTTP/1.1", ending: str = "\n") -> str:
    sized = HEADERS | ({"Content-Length": str(len(body.encode()))} if body else {})
    return ending.join([line, *(f"{name}: {value}" for name, value in sized.items()), "", ""])


def sections(boundary: str = "c7036611", body: str | None = BODY, stated: str = BODY, version: int = 2) -> str:
    """Write a transaction as version 2 or 3 does: the latter with another boundary, and a blank line more."""
    before, gap = (f"--{boundary}-", "\n") if version == 2 else (f"---{boundary}---", "\n\n")
    parts = {
        "A": "[14/Nov/2023:10:15:32 +0100] ZVNJ@n8 192.0.2.7 51234 10.0.0.1 80\n",
        "B": head(stated),
        **({} if body is None else {"C": body + gap}),
        "F": "HTTP/1.1 403 Forbidden\nServer: x\n\n",
        "E": "<html>--c7036611-Q-- refused</html>\n\n",
        "H": "Message: Warning. Matched ...\nStopwatch: 1 2\n\n",
        "Z": "\n",
    }
    return "".join(f"{before}{letter}--\n{within}" for letter, within in parts.items())


def two(body: Any = (BODY,), **further: Any) -> dict[str, Any]:
    """Make a transaction as version 2 writes it."""
    about = {"time": "14/Nov/2023:10:15:32.123456 +0100", "transaction_id": "Z", "remote_address": "192.0.2.7",
             "remote_port": 51234, "local_address": "10.0.0.1", "local_port": 80}  # fmt: skip
    headers = HEADERS | {"Content-Length": str(len(BODY))}
    request = {"request_line": "POST /login?x=%27 HTTP/1.1", "headers": headers, "body": list(body)}
    return {"transaction": about, "request": request | further, "response": {"status": 403}, "audit_data": {}}


def three(**further: Any) -> dict[str, Any]:
    """Make a transaction as version 3 and Coraza write it."""
    headers = HEADERS | {"Content-Length": str(len(BODY))}
    request = {"method": "POST", "http_version": 1.1, "uri": "/login?x=%27", "headers": headers, "body": BODY}
    about = {"client_ip": "192.0.2.7", "client_port": 51234, "host_ip": "10.0.0.1", "host_port": 80,
             "time_stamp": "Tue Nov 14 10:15:32 2023", "unique_id": "1", "response": {"http_code": 403}}  # fmt: skip
    return {"transaction": about | {"request": request} | further}


def captured() -> str:
    (text,) = pcaps.event_texts(pcaps.client_says(head(ending="\r\n").encode() + BODY.encode()), "http-request")
    return text


FORMS = {
    "serial, version 2": sections(),
    "serial, version 3": sections("Hx3Kq9Lm", version=3),
    "JSON, version 2": json.dumps(two()),
    "JSON, version 3": json.dumps(three()),
    "JSON, Coraza": json.dumps(three(unix_timestamp=1699953332123456000)).replace('"curl/8"', '["curl/8"]'),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_text_is_that_of_the_same_request_in_a_capture(read, form: str) -> None:
    for name in ("modsec_audit.log", "a.txt", "a.json"):
        table, rejects = read(name, FORMS[form].encode() + b"\n")
        (event,) = table.to_pylist()
        assert (event["text"], rejects.total) == (captured(), 0)
        wanted = {"kind": "http-request", "src_ip": "192.0.2.7", "src_port": 51234, "dst_ip": "10.0.0.1",
                  "dst_port": 80, "host": "shop.test", "url": "/login?x=%27", "method": "POST", "status": 403,
                  "user_agent": "curl/8", "protocol": "http", "group": "192.0.2.7", "overflow": False}  # fmt: skip
        assert event.items() >= wanted.items() and event["origin"].endswith(f"{name}:1")


def test_times(read) -> None:
    found = {form: read("a.log", data.encode())[0]["time"][0].as_py() for form, data in FORMS.items()}
    assert found["serial, version 2"] == found["JSON, version 2"] == "2023-11-14T09:15:32Z"
    assert found["JSON, version 3"] is None, "it has no zone"
    assert found["JSON, Coraza"].startswith("2023-11-14T09:15:32.123")


def test_as_many_as_there_are_first_and_last_sections(read) -> None:
    data = "".join(sections(f"{i:08x}", version=2 + i % 2) for i in range(99)).encode()
    table, rejects = read("a.log", data)
    assert (table.num_rows, rejects.total) == (len(re.findall(rb"(?m)^--\S+-Z--$", data)), 0)
    starts = [data.count(b"\n", 0, match.start()) + 1 for match in re.finditer(rb"(?m)^--\S+-A--$", data)]
    assert [int(origin.rpartition(":")[2]) for origin in table["origin"].to_pylist()] == starts
    lines = [json.dumps(two()), json.dumps(three()), ""] * 20
    assert read("a.log", "\n".join(lines).encode())[0].num_rows == sum(map(bool, lines))


@pytest.mark.parametrize(
    ("body", "stated", "overflow"),
    [
        (BODY, BODY, False),
        (BODY[:-5], BODY, True),
        (None, BODY, True),
        (None, "", False),
        ("x" * (LONGEST_BODY + 1), "x" * (LONGEST_BODY + 1), True),
        ("a\n\nb\n", "a\n\nb\n", False),
    ],
)
def test_a_body_that_is_not_all_there_is_marked(read, body: str | None, stated: str, overflow: bool) -> None:
    data = [sections(body=body, stated=stated), sections(body=body, stated=stated, version=3)]
    sent = {"headers": HEADERS | ({"Content-Length": str(len(stated))} if stated else {})}
    data.append(json.dumps(two(**sent, body=[] if body is None else [body[:3], body[3:]])))
    for each in data:
        (event,) = read("a.log", each.encode())[0].to_pylist()
        assert event["overflow"] is overflow
        kept = (body or "")[:LONGEST_BODY]
        assert event["text"].partition(" body=")[2] == kept


def test_a_transaction_in_a_body_ends_nothing_and_is_none(read) -> None:
    smuggled = f"a=1\n{sections('deadbeef')}&b=' or 1=1--"
    table, rejects = read("a.log", (sections(body=smuggled, stated=smuggled) + sections("00000001")).encode())
    assert (table.num_rows, rejects.total) == (2, 0)
    assert table["text"][0].as_py().endswith(" body=" + smuggled)


def test_what_did_not_end_is_given_up_where_the_next_begins(read) -> None:
    cut = sections("0000dead").partition("--0000dead-F")[0]
    data = "\n".join(["--aaaaaaaa-H--", "Message: x", cut, sections("00000001"), sections("00000002"), cut])
    table, rejects = read("a.log", data.encode())
    assert table.num_rows == 2 and rejects.summary() == {
        "cut short: a transaction without its section Z": 2,
        "not a section of a transaction that begins with A": 1,
    }


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sections().replace("[14/Nov", "14/Nov"), "section A is not [time] id address port address port"),
        (sections().replace("-B--", "-K--"), "a transaction without its request (section B)"),
        (json.dumps(two(request_line="")), "a transaction without its request"),
        (json.dumps(two())[:-1], "JSON does not parse"),
        (json.dumps({"transaction": {}}), "not a transaction of an audit log"),
    ],
)
def test_what_is_no_transaction_is_counted(read, data: str, why: str) -> None:
    whole = sections("00000001") if data.startswith("-") else json.dumps(two())
    table, rejects = read("a.log", f"{whole}\n{data}\n".encode())
    assert (table.num_rows, rejects.summary()) == (1, {why: 1})


def test_headers_that_came_twice_are_both_there(read) -> None:
    data = json.dumps(two()).replace('"Cookie": "a=1"', '"Cookie": "a=1", "Cookie": "b=<x>"')
    assert " cookie=a=1; b=<x> " in read("a.log", data.encode())[0]["text"][0].as_py()


def test_section_i_stands_for_a_body(read) -> None:
    assert read("a.log", sections().replace("-C--", "-I--").encode())[0]["text"].to_pylist() == [captured()]


@given(st.sampled_from(list(FORMS)), st.integers(0, 1200), st.binary(max_size=9))
def test_anything_anywhere_is_an_event_or_skipped(read, form: str, place: int, more: bytes) -> None:
    data = FORMS[form].encode()
    rejects = Rejects()
    try:
        count = read("a.log", data[:place] + more + data[place:], rejects, format="modsecurity")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total >= 1


@given(st.lists(st.booleans(), max_size=12))
def test_every_transaction_that_ends_is_read_whatever_stands_between(read, whole: list[bool]) -> None:
    parts = [sections(f"{i:08x}") if ends else sections(f"{i:08x}")[:-20] + "\n" for i, ends in enumerate(whole)]
    rejects = Rejects()
    try:
        count = read("a.log", ("".join(parts) + "\n").encode(), rejects, format="modsecurity")[0].num_rows
    except InputError:
        count = 0
    assert (count, rejects.total) == (sum(whole), len(whole) - sum(whole))


def test_one_without_its_end_holds_up_no_other_while_a_log_is_followed() -> None:
    whole = [sections(f"c703661{number}") for number in range(3)]
    cut = whole[0][: whole[0].index("-Z--") - 12]
    given: list[bytes] = [f"{cut}\n{whole[1]}\n".encode(), b"", b"", whole[2].encode() + b"\n", b"", b""]
    skipped: list[Skipped] = []
    seen: list[int] = []

    def blocks() -> Iterator[bytes]:
        for block in given:
            seen.append(len(texts))
            yield block

    texts: list[str] = []
    options = ReadOptions(on_skip=skipped.append)
    for batch in read_serial(Input("a.log", None, given[0], blocks()), options):
        texts += batch.column("text").to_pylist()
    assert [one.reason for one in skipped] == ["cut short: a transaction without its section Z"]
    assert len(texts) == 2
    assert seen == [0, 0, 0, 1, 1, 2], "given once nothing came between two looks, or as soon as it is whole"


def test_one_that_is_still_written_is_waited_for() -> None:
    text = sections("c7036611", "a=--c7036619-A--", "a=--c7036619-A--")
    pieces = [text[:40], text[40:150], text[150:]]
    blocks = [block for piece in pieces for block in (piece.encode(), b"", b"", b"")]
    skipped: list[Skipped] = []
    batches = read_serial(Input("a.log", None, blocks[0], iter(blocks)), ReadOptions(on_skip=skipped.append))
    assert (sum(batch.num_rows for batch in batches), skipped) == (1, [])
