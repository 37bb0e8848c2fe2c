"""The part of an event's text that a place lies in."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.templates import FlowRecord, HttpRequest, SshSession, part_at, record, shown_at
from overproof.events.templates.parts import named_parts

REQUEST = HttpRequest(
    "POST",
    "/shop/item?id=PAYLOAD&q=x",
    host="shop.example",
    agent="AGENT/1.8",
    cookie="sid=COOKIE",
    referer="http://REFERER/",
    headers=[("X-Api-Version", "${LOOKUP}"), ("X-Other", "<OTHER>")],
    body="user=a&password=SECRET",
).text


@pytest.mark.parametrize(
    ("mark", "part"),
    [
        ("POST", "method"),
        ("/shop/item", "path"),
        ("PAYLOAD", "query parameter id"),
        ("q=x", "query parameter q"),
        ("shop.example", "host header"),
        ("AGENT", "user agent"),
        ("COOKIE", "cookie"),
        ("REFERER", "referer"),
        ("LOOKUP", "header X-Api-Version"),
        ("OTHER", "header X-Other"),
        ("user=a", "body parameter user"),
        ("SECRET", "body parameter password"),
    ],
)
def test_the_parts_of_a_request(mark: str, part: str) -> None:
    start = REQUEST.index(mark)
    assert part_at(REQUEST, start, start + len(mark)) == part


@pytest.mark.parametrize(
    ("text", "mark", "part"),
    [
        (HttpRequest("GET", "/?debug").text, "debug", "query"),
        (HttpRequest("POST", "/", body='{"a": 1}').text, '"a"', "body"),
        (HttpRequest("GET", "/", headers=[("evil header", "x")]).text, "evil", "headers"),
        (SshSession("a", "b", 22, client="libssh").text, "libssh", "field client"),
        (record("suricata alert", {"signature": "ET WEB SQLi", "category": "Web"}), "SQLi", "field signature"),
        (record("suricata alert", {"signature": 'a " b=c', "category": "Web"}), "Web", "field category"),
        (record("suricata alert", {"signature": "a b=c d", "category": "Web"}), "c d", "field signature"),
        (record("suricata alert", {"signature": "A"}) + " " + REQUEST, "PAYLOAD", "query parameter id"),
        (record("windows Security 4688", {"CommandLine": "cmd /c x"}), "/c", "field CommandLine"),
        ("id=1' or 1=1--", "or", None),
        ("dd if=/dev/zero of=x", "zero", None),
        ("", "", None),
    ],
)
def test_the_parts_of_other_texts(text: str, mark: str, part: str | None) -> None:
    start = text.index(mark)
    assert part_at(text, start, start + len(mark)) == part


FLOW = FlowRecord(proto="tcp", orig_host="192.0.2.7", resp_host="192.0.2.8", orig_bytes=5e9).text
LONG = record("suricata alert", {"signature": "x" * 100})


@pytest.mark.parametrize(
    ("text", "mark", "shown", "part"),
    [
        (FLOW, ".2.7", "192.0.2.7", "field orig_host"),
        (FLOW, "proto=", "tcp", "field proto"),
        (FLOW, "=tcp", "tcp", "field proto"),
        (FLOW, "low proto=t", "tcp", "field proto"),
        (LONG, "xxx", "xxx", "field signature"),
        (REQUEST, "AYLOA", "AYLOA", "query parameter id"),
        (REQUEST, "referer", "referer", "referer"),
        (REQUEST, " ua=", " ua=", "user agent"),
        (r"HTTP GET /\xc3\x28z", r"3\x2", r"\xc3\x28", "path"),
        (r"a\xac\xf8\xc1Pq\xd7", r"xac\xf8\xc1Pq\\"[:-1], r"\xac\xf8\xc1Pq\xd7", None),
        (r"a\xacb", "b", "b", None),
        (r"a\xacb", "a", "a", None),
        (r"\x4", "x4", "x4", None),
    ],
    ids=[
        "part of a value",
        "a name",
        "between name and value",
        "over the name",
        "a long field",
        "a parameter",
        "the name of a header",
        "before a header",
        "escapes in a request",
        "escapes",
        "behind an escape",
        "before an escape",
        "no escape",
    ],
)
def test_what_is_shown_of_a_span(text: str, mark: str, shown: str, part: str | None) -> None:
    start = text.index(mark)
    assert shown_at(text, start, start + len(mark)) == (shown, part)


def test_a_target_that_imitates_the_parts_behind_it_is_told_by_the_events_own() -> None:
    target = "/a%20ua=%22x%22%20body=EVIL"
    text = HttpRequest("GET", target, host="h").text
    start = text.index("EVIL")
    assert part_at(text, start, start + 4, target) == "path"
    assert part_at(text, start, start + 4, "/another") == "body"


def test_a_span_over_several_parts_is_of_the_one_that_has_most_of_it() -> None:
    start, end = REQUEST.index("PAYLOAD") + 6, REQUEST.index("AGENT") + 4
    assert part_at(REQUEST, start, end) == "host header"


@given(st.text(max_size=60), st.sampled_from(["HTTP GET /", "flow a=", "suricata alert a=", 'w3c a="', ""]))
def test_parts_lie_in_the_text_one_behind_the_other(text: str, start: str) -> None:
    parts = named_parts(start + text)
    assert all(0 <= part.start <= part.end <= len(start + text) for part in parts)
    assert all(before.end <= after.start for before, after in pairwise(parts))


@pytest.mark.parametrize("repeated", [' a="', " body=", "&a=", ', x: "', " HTTP x "])
@pytest.mark.parametrize("start", ["HTTP GET /?", "flow a=1"])
def test_a_long_text_takes_no_square_of_its_length(start: str, repeated: str) -> None:
    text = start + repeated * 1_000_000
    began = time.process_time()
    part_at(text, 20, 30)
    assert time.process_time() - began < 5  # a square of 65,536 characters takes minutes


def test_a_flow_names_its_fields() -> None:
    text = FlowRecord(proto="tcp", orig_host="a", resp_host="b", orig_bytes=5e9).text
    assert [part.name for part in named_parts(text)] == [
        f"field {name}" for name in "proto orig_host orig_bytes resp_host".split()
    ]
