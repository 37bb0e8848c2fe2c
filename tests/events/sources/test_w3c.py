from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects
from overproof.events.sources.detect import detect
from overproof.events.sources.interface import Input

IIS = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) sc-status\n"
ROW = "2026-01-05 07:00:00 192.0.2.1 GET {} {} 443 198.51.100.9 {} 200\n"
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-host-header x-forwarded-for\n"
)
EDGE = "2026-01-05\t07:00:00\tIAD89\t198.51.100.9\tGET\td1.cloudfront.net\t{}\t200\t-\t{}\t{}\t-\tshop.test\t{}\n"


def texts(read, data: str) -> list[str]:
    table, rejects = read("a.log", data.encode())
    assert rejects.total == 0
    assert table.schema.metadata is None or table.num_rows
    return table["text"].to_pylist()


@pytest.mark.parametrize(
    ("stem", "query", "agent", "text"),
    [
        ("/a.asp", "id=1%27", "Mozilla/5.0+(X11)", 'HTTP GET /a.asp?id=1\' ua="Mozilla/5.0 (X11)"'),
        ("/a.asp", "-", "-", "HTTP GET /a.asp"),
        ("/a'b", "x=<s>", '"onload=1', 'HTTP GET /a\'b?x=<s> ua=""onload=1"'),
        ("/a", 'q="1', "()+{+:;};+id", 'HTTP GET /a?q="1 ua="() { :;}; id"'),
    ],
)
def test_iis(read, stem: str, query: str, agent: str, text: str) -> None:
    assert texts(read, IIS + ROW.format(stem, query, agent)) == [text]


@pytest.mark.parametrize(
    ("stem", "agent", "query", "forwarded", "text"),
    [
        ("/a%20b", "Mozilla/5.0%20(X11)", "id=1%27", "-", 'HTTP GET /a b?id=1\' host=shop.test ua="Mozilla/5.0 (X11)"'),
        ("/a", "x%2522%2520y", "id=1%2527", "-", 'HTTP GET /a?id=1\' host=shop.test ua="x" y"'),
        ("/a", "-", "-", "%24%7Bjndi:x%7D", "HTTP GET /a host=shop.test headers=x-forwarded-for: ${jndi:x}"),
    ],
)
def test_cloudfront_divides_by_tabs_and_encodes(
    read, stem: str, agent: str, query: str, forwarded: str, text: str
) -> None:
    assert texts(read, CLOUDFRONT + EDGE.format(stem, agent, query, forwarded)) == [text]


def test_others_quote(read) -> None:
    header = "#Fields: date time c-ip cs-method cs-host cs-uri-path cs-uri-query cs(User-Agent) s-ip\n"
    row = '2026-01-05 07:00:00 198.51.100.9 GET shop.test /a ?x=1 "Mozilla (X ""q"" 11)" 192.0.2.1\n'
    assert texts(read, header + row) == ['HTTP GET /a?x=1 host=shop.test ua="Mozilla (X "q" 11)"']


def test_columns_and_fields_that_change_midway(read) -> None:
    second = "#Date: 2026-01-06 00:00:00\n#Fields: time c-ip cs-method cs-uri-stem cs-username X-Custom\n"
    table, rejects = read(
        "a.log", (IIS + ROW.format("/a", "-", "x") + second + "08:00:00 ::1 PUT /b bob a'b\n").encode()
    )
    assert rejects.total == 0
    first, last = table.to_pylist()
    wanted = {"kind": "access", "time": "2026-01-05T07:00:00Z", "src_ip": "198.51.100.9", "dst_ip": "192.0.2.1",
              "dst_port": 443, "status": 200, "method": "GET", "url": "/a", "user_agent": "x"}  # fmt: skip
    assert first.items() >= wanted.items()
    wanted = {
        "time": "2026-01-06T08:00:00Z",
        "src_ip": "::1",
        "user": "bob",
        "text": "HTTP PUT /b headers=x-custom: a'b",
    }
    assert last.items() >= wanted.items()


def test_a_log_without_requests_is_an_event_of_its_fields(read) -> None:
    data = (
        "#Version: 1.5\n#Time Format: Local\n#Fields: date time action protocol src-ip dst-ip src-port dst-port\n\n"
        "2026-01-05 07:00:00 DROP TCP 198.51.100.9 192.0.2.1 5000 445\n"
    )
    table, _ = read("pfirewall.log", data.encode())
    (event,) = table.to_pylist()
    assert event["text"].startswith("w3c action=DROP protocol=TCP src-ip=198.51.100.9")
    assert (event["kind"], event["src_ip"], event["dst_port"], event["transport"]) == (
        "w3c",
        "198.51.100.9",
        445,
        "tcp",
    )
    assert event["time"] is None  # of no known zone


def test_records_that_do_not_fit_are_counted(read) -> None:
    good = ROW.format("/a", "-", "x")
    table, rejects = read(
        "a.log", ("#Version: 1.0\n" + good + IIS + good + "2026-01-05 07\n" + good[:-1] + " z\n").encode(), format="w3c"
    )
    assert table["origin"].to_pylist()[0].endswith("a.log:4")
    assert rejects.summary() == {"a record before any #Fields": 1, "cut short: fewer values than #Fields": 1,
                                 "more values than #Fields": 1}  # fmt: skip
    with pytest.raises(InputError, match=r"a W3C extended log, .*: no column 'x'"):
        read("a.log", (IIS + good).encode(), format="w3c", columns=Columns(text="x"))


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"#Software: Microsoft IIS\r\n", "w3c"),
        (b"#Software: x\n#Version: 1.0\n#Fields: date time\n1 2\n", "w3c"),
        (b"#Fields: a b\n", "w3c"),
        (b"# Fields: a\n", "lines"),
        (b"#Version: 2\ntext\n", "lines"),
        (b"#fields\tts\tuid\n", "zeek"),
    ],
)
def test_the_header_tells_the_format(head: bytes, format: str) -> None:
    assert detect(Input("a.log", None, head, iter([])), Columns()) == format


@pytest.mark.parametrize("header", [IIS, "#Software: Microsoft IIS\n#Version: 1.0\n#Date: 2026-01-05 07:00:00\n" + IIS])
@pytest.mark.parametrize("count", [150, 3000])
def test_a_long_log_is_told_by_its_header_too(read, header: str, count: int) -> None:
    table, rejects = read("u_ex260105.log", (header + ROW.format("/a", "id=1", "x") * count).encode())
    assert table["text"].to_pylist() == ['HTTP GET /a?id=1 ua="x"'] * count
    assert rejects.total == 0


HEADERS = [IIS, CLOUDFRONT, "#Date:\n", "#Fields:\n", "#\n"]
RECORDS = [ROW.format("/a", "-", "x"), EDGE.format("/", "-", "-", "-"), 'a "b\n', "\t\n"]


@given(st.lists(st.sampled_from(HEADERS + RECORDS), max_size=8))
def test_every_record_is_an_event_or_skipped(read, lines: list[str]) -> None:
    rejects = Rejects()
    try:
        count = read("a.log", "".join(["#Version: 1\n", *lines]).encode(), rejects, format="w3c")[0].num_rows
    except InputError:
        count = 0
    assert count + rejects.total == sum(not line.startswith("#") for part in lines for line in part.splitlines())


def test_a_log_whose_end_is_not_written_yet_is_read(read) -> None:
    """IIS writes 64 KiB at a time, and fills what is left with NULs."""
    table, rejects = read("u_ex.log", b"#Fields: cs-method cs-uri-stem c-ip\r\nGET /a 192.0.2.1\r\n" + bytes(5000))
    assert table["text"].to_pylist() == ["HTTP GET /a"]
    assert rejects.total == 1


def test_quoted_values_between_tabs(read) -> None:
    lines = '#Fields:\tcs-method\tcs-uri-stem\tc-ip\tcs(User-Agent)\nGET\t/a\t"192.0.2.1"\t"a ""b"" c"\n'
    table, _ = read("a.log", lines.encode())
    assert (table["text"][0].as_py(), table["src_ip"][0].as_py()) == ('HTTP GET /a ua="a "b" c"', "192.0.2.1")
