"""Requests in the logs of load balancers, proxies and S3; the examples are those of their documentation, edited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects

ALB = (
    "https 2018-07-02T22:23:00.186641Z app/lb/50dc 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
    '"{}" "{}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:1:targetgroup/a/7 '
    '"{}" "www.example.com" "arn:aws:acm:us-east-2:1:certificate/1" 1 2018-07-02T22:22:48.364000Z "waf,forward" '
    '"-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234'
)
ELB = (
    "2015-05-13T23:39:43.945958Z lb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "
    '"GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -'
)
HAPROXY = (
    "192.0.2.7:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {}"
)
SQUID = "1767596784.100     89 192.0.2.7 TCP_MISS/200 1024 GET {} bob HIER_DIRECT/10.0.0.1 text/html"
S3 = (
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.7 "
    '79a59 3E57427F3EXAMPLE REST.GET.OBJECT a.jpg "{}" 404 NoSuchKey 113 - 7 - "-" "{}" - s9lz/PX+5= SigV4 ECDHE'
)


def one(read, line: str) -> dict[str, object]:
    table, rejects = read("a.log", line.encode() + b"\n")
    assert rejects.total == 0
    assert table.schema.metadata == {b"format": b"accesslog"} or table.num_rows == 1
    (event,) = table.to_pylist()
    assert (event["kind"], event["src_ip"], event["group"]) == ("access", "192.0.2.7", "192.0.2.7")
    return event


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            ALB.format("GET https://www.example.com:443/a?x=%27 HTTP/1.1", "curl/7", "Root=1-58337281-1d84f3"),
            "HTTP GET /a?x=' host=www.example.com ua=\"curl/7\"",
        ),
        (
            ALB.format("GET https://e.test:8443/ HTTP/2.0", r"x\x22<script>", "Root=${jndi:ldap://x}"),
            'HTTP GET / host=e.test:8443 ua="x"<script>" headers=log: Root=${jndi:ldap://x}',
        ),
        (ALB.format("- http://lb:80- -", "-", "-"), "HTTP - - http://lb:80- -"),
        (ELB, 'HTTP GET / host=www.example.com ua="curl/7.38.0"'),
        (ELB.replace("GET http://www.example.com:80/ HTTP/1.1", "- - - ").replace("curl/7.38.0", "-"), "HTTP - -"),
        (ELB.removesuffix(' "curl/7.38.0" - -'), "HTTP GET / host=www.example.com"),
        (
            HAPROXY.format('{shop.test|sqlmap} {} "GET /i?id=1%27 HTTP/1.1"'),
            "HTTP GET /i?id=1' host=shop.test ua=\"sqlmap\"",
        ),
        (HAPROXY.format('{shop.test|Mozilla/5.0 (X11)|en} {} "GET / HTTP/1.1"'),
         'HTTP GET / host=shop.test ua="Mozilla/5.0 (X11)"'),
        (HAPROXY.format('{|() #7B :;#7D; id} "GET /a#22 HTTP/1.1"'), 'HTTP GET /a" headers=captured: () { :;}; id'),
        (HAPROXY.format('"GET https://shop.test/a HTTP/2.0" 0/0000/0/0/0 shop.test/TLSv1.3/TLS_AES'),
         "HTTP GET /a host=shop.test"),
        (HAPROXY.format('"<BADREQ>"'), "HTTP - <BADREQ>"),
        (HAPROXY.replace("2750 - -", "2750 SID=' -").format('"GET / HTTP/1.1"'), "HTTP GET / cookie=SID='"),
        (SQUID.format("http://example.com/x?q=1%27"), "HTTP GET /x?q=1' host=example.com"),
        (SQUID.format("http://example.com/a b'"), "HTTP GET /a b' host=example.com"),
        (SQUID.format("http://example.com/") + " [User-Agent:%20<x>] []",
         "HTTP GET / host=example.com headers=log: [User-Agent:%20<x>] []"),
        (SQUID.replace("GET {}", "CONNECT example.com:443"), "HTTP CONNECT example.com:443"),
        (S3.format("GET /a.jpg HTTP/1.1", "S3Console/0.4"), 'HTTP GET /a.jpg ua="S3Console/0.4"'),
        (S3.format('GET /a.jpg?x="><b> HTTP/1.1', 'x "y" z'), 'HTTP GET /a.jpg?x="><b> ua="x "y" z"'),
    ],
)  # fmt: skip
def test_each_is_a_request_as_any_other(read, line: str, text: str) -> None:
    assert one(read, line)["text"] == text
    carried = one(read, f"2026-01-05T07:00:00Z lb a[1]: {line}")
    assert carried["text"] == text
    assert carried["time"] == (one(read, line)["time"] or "2026-01-05T07:00:00Z")


def test_their_columns(read) -> None:
    alb = one(read, ALB.format("GET https://www.example.com:443/a HTTP/1.1", "curl/7", "-"))
    wanted = {"time": "2018-07-02T22:23:00.186641Z", "src_port": 2817, "dst_ip": "10.0.0.1", "dst_port": 80,
              "url": "/a", "host": "www.example.com", "method": "GET", "status": 200}  # fmt: skip
    assert alb.items() >= wanted.items()
    squid = one(read, SQUID.format("http://e.test/"))
    wanted = {"time": "2026-01-05T07:06:24.100000Z", "dst_ip": "10.0.0.1", "host": "e.test", "url": "/", "user": "bob"}
    assert squid.items() >= wanted.items()
    haproxy = one(read, HAPROXY.format('"GET / HTTP/1.1"'))
    assert (haproxy["time"], haproxy["src_port"], haproxy["status"]) == (None, 33317, 200)  # its time has no zone
    assert one(read, S3.format("GET / HTTP/1.1", "x"))["time"] == "2019-02-06T00:00:38Z"


def test_a_request_that_haproxy_cut_is_marked(read) -> None:
    event = one(read, HAPROXY.format('"GET /' + "a" * 99))
    assert (event["text"], event["overflow"]) == ("HTTP GET /" + "a" * 99, True)
    assert one(read, HAPROXY.format('"GET / HTTP/1.1"'))["overflow"] is False


def test_logs_of_tcp_and_of_the_proxy_itself_are_no_requests(read) -> None:
    tcp = "192.0.2.7:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0"
    table, rejects = read("a.log", "\n".join([HAPROXY.format('"GET / HTTP/1.1"'), tcp]).encode(), format="accesslog")
    assert (table.num_rows, rejects.summary()) == (1, {"not a line of an access log": 1})
    mixed = "".join(
        f"Feb  6 12:12:51 lb haproxy[1]: {line}\n" for line in [tcp, tcp, HAPROXY.format('"GET / HTTP/1.1"')]
    )
    assert read("a.log", mixed.encode())[0]["kind"].to_pylist() == ["syslog", "syslog", "access"]


GET = "GET / HTTP/1.1"
LINES = [
    ALB.format(GET, "x", "y"),
    ELB,
    SQUID.format("http://a/"),
    S3.format(GET, "x"),
    HAPROXY.format(f'{{a|b}} "{GET}"'),
]


@given(st.sampled_from(LINES), st.integers(0, 700), st.binary(max_size=9))
def test_a_line_with_anything_anywhere_is_an_event_or_skipped(read, line: str, place: int, more: bytes) -> None:
    raw = line.encode()[:place] + more.replace(b"\n", b"") + line.encode()[place:]
    rejects = Rejects()
    try:
        count = read("a.log", b"." + raw, rejects, format="accesslog")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total == 1


@pytest.mark.parametrize("start", [S3.format("a", "x")[:150], HAPROXY[:-2], SQUID[:60], ELB[:90]])
def test_hostile_lines_take_no_longer_than_their_length(read, start: str) -> None:
    """Quadratic matching would take hours, and the run would never end."""
    lines = [start + piece * 2**18 for piece in ('" "', ' "GET ', " 200 5", " - ", "{|", " 1.1", '" 200 - 1 - 7 - "')]
    _, rejects = read("a.log", "\n".join([*lines, ELB]).encode(), format="accesslog")
    assert rejects.total <= len(lines)


@pytest.mark.parametrize(
    ("clock", "time"),
    [
        ("05/Mar/2026:10:11:12 +0100", "2026-03-05T09:11:12Z"),
        ("05/Mar/2026:10:11:12.345 +0000", "2026-03-05T10:11:12.345000Z"),
        ("2026-03-05T10:11:12+00:00", "2026-03-05T10:11:12Z"),
        ("2026-03-05 10:11:12 +0100", "2026-03-05T09:11:12Z"),
        ("05/Mar/2026 10:11:12", None),  # werkzeug's has no zone
        ("05/Mar/2026:10:11:12", None),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_time_in_any_form_before_the_client_or_behind(read, clock: str, time: str | None, *, first: bool) -> None:
    who = f"[{clock}] 203.0.113.5 - bob" if first else f"203.0.113.5 - bob [{clock}]"
    table, _ = read("a.log", f'{who} "GET /?q=%27-- HTTP/1.1" 200 5 "-" "curl/8"'.encode())
    (event,) = table.to_pylist()
    assert event["text"] == 'HTTP GET /?q=\'-- ua="curl/8"'
    assert (event["time"], event["src_ip"], event["user"], event["status"]) == (time, "203.0.113.5", "bob", 200)


@pytest.mark.parametrize(
    ("who", "client", "port", "host", "user"),
    [
        ("203.0.113.5:4444 - bob", "203.0.113.5", 4444, None, "bob"),
        ("[2001:db8::5]:4444 - bob", "2001:db8::5", 4444, None, "bob"),
        ("[2001:db8::5] - bob", "2001:db8::5", None, None, "bob"),
        ("203.0.113.5 shop.test bob", "203.0.113.5", None, "shop.test", "bob"),  # lighttpd
        ("shop.test - 203.0.113.5 - bob", "203.0.113.5", None, "shop.test", "bob"),
        ("203.0.113.5 - [203.0.113.5] - bob", "203.0.113.5", None, None, "bob"),  # ingress-nginx before 0.26
        ("[2026-03-05 10:11:12 +0000] [7] [INFO] 203.0.113.5 - bob", "203.0.113.5", None, None, "bob"),
    ],
)
def test_who_asked_whom_in_any_form(
    read, who: str, client: str, port: int | None, host: str | None, user: str | None
) -> None:
    table, _ = read("a.log", f'{who} [05/Mar/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 5'.encode())
    (event,) = table.to_pylist()
    assert (event["src_ip"], event["src_port"], event["host"], event["user"]) == (client, port, host, user)


def test_lines_without_a_size_or_a_status(read) -> None:
    lines = (
        '203.0.113.5 - - [05/Mar/2026:10:11:12 +0000] "GET /%27 HTTP/1.1" 200',
        '[05/Mar/2026:10:11:12 +0000] 203.0.113.5 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /%27 HTTP/1.1" 612',
    )
    table, rejects = read("a.log", "\n".join(lines).encode())
    assert rejects.total == 0
    assert table["text"].to_pylist() == ["HTTP GET /'"] * 2
    assert table["src_ip"].to_pylist() == ["203.0.113.5"] * 2
    assert table["user"].to_pylist() == [None, None]
