from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events

ROW = '192.0.2.7 - anna [10/Oct/2023:13:55:36 -0700] "{}" 200 2326'


def one(read, line: str | bytes) -> dict[str, object]:
    data = line if isinstance(line, bytes) else line.encode()
    table, rejects = read("a.log", data, format="accesslog")
    assert rejects.total == 0
    (event,) = table.to_pylist()
    return event


def test_a_common_line(read) -> None:
    event = one(read, ROW.format("GET /a%20b?x=%2527 HTTP/1.1"))
    assert event["text"] == "HTTP GET /a b?x=%27"
    assert event["time"] == "2023-10-10T20:55:36Z"
    assert event["group"] == event["src_ip"] == "192.0.2.7"
    wanted = {"kind": "access", "url": "/a%20b?x=%2527", "method": "GET", "status": 200, "user": "anna", "host": None}
    assert event.items() >= wanted.items()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            ROW.format("GET / HTTP/2.0") + ' "https://a.test/" "curl/8.5"',
            'HTTP GET / ua="curl/8.5" referer=https://a.test/',
        ),
        (ROW.format("GET / HTTP/1.1") + ' "-" "a \\"b\\" \\x22c\\x22"', 'HTTP GET / ua="a "b" "c""'),
        (ROW.format("GET / HTTP/1.1") + ' "-" "x" 0.003 0.002 "198.51.100.2, 10.0.0.1"', 'HTTP GET / ua="x"'),
        (ROW.format("GET / HTTP/1.1") + ' "-" "x" "198.51.100.2"', 'HTTP GET / ua="x"'),
        ("shop.test " + ROW.format("GET / HTTP/1.1"), "HTTP GET / host=shop.test"),
        ("shop.test:443 " + ROW.format("GET / HTTP/1.1") + ' "-" "-"', "HTTP GET / host=shop.test:443"),
        ("2001:db8::1" + ROW.format("GET / HTTP/1.1").removeprefix("192.0.2.7"), "HTTP GET /"),
        (ROW.format("GET /a b'c HTTP/1.1"), "HTTP GET /a b'c"),
        (ROW.format("GET /"), "HTTP GET /"),
        (ROW.format("PROPFIND /dav HTTP/1.1"), "HTTP PROPFIND /dav"),
        (ROW.format("CONNECT a.test:443 HTTP/1.1"), "HTTP CONNECT a.test:443"),
        ("Jul  8 11:07:07 web nginx[28]: " + ROW.format("GET / HTTP/1.1") + ' "-" "x"', 'HTTP GET / ua="x"'),
        (ROW.replace(" anna", "").format("GET / HTTP/1.1"), "HTTP GET /"),
        (ROW.format("-"), "HTTP - -"),
        (ROW.format(""), "HTTP - -"),
        (ROW.format(r"\x16\x03\x01\x02"), "HTTP - \x16\x03\x01\x02"),
        (ROW.format(r"GET /\xe2\x82\xac\xff HTTP/1.1"), "HTTP GET /€\\xff"),
        (ROW.format(r"GET /a\\x22 HTTP/1.1"), r"HTTP GET /a\x22"),
        (ROW.format("SSH-2.0-Go"), "HTTP - SSH-2.0-Go"),
        (ROW.replace("anna", "anna b c").format("GET / HTTP/1.1"), "HTTP GET /"),
        (ROW.format("GET / HTTP/1.1").replace("200 2326", "499 -"), "HTTP GET /"),
    ],
)
def test_what_servers_write(read, line: str, text: str) -> None:
    assert one(read, line)["text"] == text


END = ' "https://r.test/" "x/1"'
BODY = ROW.format("GET / HTTP/1.1")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (BODY + " 0.003" + END, 'HTTP GET / ua="x/1" referer=https://r.test/'),
        (BODY + ' "shop.test"' + END, 'HTTP GET / host=shop.test ua="x/1" referer=https://r.test/'),
        (BODY + ' "shop.test" "-" "() { :;}; id"', 'HTTP GET / host=shop.test ua="() { :;}; id"'),
        (BODY + ' "sqlmap/1.8"', 'HTTP GET / ua="sqlmap/1.8"'),
        (BODY + ' "https://r.test/"', "HTTP GET / referer=https://r.test/"),
        (BODY + END + ' "${jndi:ldap://x}"', 'HTTP GET / ua="x/1" referer=https://r.test/ headers="${jndi:ldap://x}"'),
        (BODY + ' "-" "x" "b=\' OR 1=1" 5', "HTTP GET / ua=\"x\" headers=\"b=' OR 1=1\" 5"),
        (BODY.replace('"GET', '0.1 shop.test "GET') + END, 'HTTP GET / ua="x/1" referer=https://r.test/'),
        (BODY.replace('"GET', '"shop.test" "GET') + END, 'HTTP GET / ua="x/1" referer=https://r.test/'),
        (BODY + END + ' 1 "shop@docker" "http://10.0.0.2:80" 3ms', 'HTTP GET / ua="x/1" referer=https://r.test/'),
        (BODY + END + " rt=0.003 uct=\"0.000\" cs=- TLSv1.3 [default-web-80] []", 'HTTP GET / ua="x/1" referer=https://r.test/'),
    ],
)  # fmt: skip
def test_fields_in_another_order_are_found_and_what_is_left_is_not_dropped(read, line: str, text: str) -> None:
    assert one(read, line)["text"] == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (ROW.format('GET /?q="><script> HTTP/1.1') + ' "-" "x"', 'HTTP GET /?q="><script> ua="x"'),
        (
            BODY + ' "ref" onload="x" "agent "quoted" here"',
            'HTTP GET / ua="agent "quoted" here" referer=ref" onload="x',
        ),
        (BODY + ' "-" "() { :;}; echo "a: b"; /bin/id"', 'HTTP GET / ua="() { :;}; echo "a: b"; /bin/id"'),
        (BODY + ' "-" "x\\"', 'HTTP GET / ua="x\\"'),
        (BODY + ' "-" "x "y" z" 1 "a@file" "http://10.0.0.2:80" 3ms', 'HTTP GET / ua="x "y" z"'),
        (BODY + ' 0.002 "-" "x "y" z" 0.1', 'HTTP GET / ua="x "y" z"'),
        (BODY + ' "-" "x" UNION SELECT a FROM b "y"', 'HTTP GET / ua="x" headers=UNION SELECT a FROM b "y"'),
        (BODY + ' - foo "bar" baz"', 'HTTP GET / headers=- foo "bar" baz"'),
    ],
)
def test_quotes_that_a_server_did_not_escape(read, line: str, text: str) -> None:
    assert one(read, line)["text"] == text


@pytest.mark.parametrize(
    ("head", "client", "host"),
    [
        ("shop.test:443 client.test - -", "client.test", "shop.test:443"),
        ("2026-01-05T07:00:01.34Z 198.51.100.9 - -", "198.51.100.9", None),
        ("2026-01-05T07:00:01.34Z shop.test 198.51.100.9 - -", "198.51.100.9", "shop.test"),
        ("web_1  | 198.51.100.9 - -", "198.51.100.9", None),
        ("[pod/web-1/nginx] 198.51.100.9 - -", "198.51.100.9", None),
        ("198.51.100.9, 10.0.0.1 - -", "198.51.100.9", None),
        ("unknown, 198.51.100.9, 10.0.0.1 - bob", "198.51.100.9", None),
        ("198.51.100.9 - bob 10.0.0.1 - -", "198.51.100.9", None),
        ("client.test - 10.0.0.1 x", "client.test", None),
        ("2003-10-11T22:14:15Z web nginx[1]: 198.51.100.9 - -", "198.51.100.9", None),
        ("<134>1 2003-10-11T22:14:15Z web nginx - - - 198.51.100.9 - -", "198.51.100.9", None),
    ],
)
def test_what_stands_before_the_time(read, head: str, client: str, host: str | None) -> None:
    event = one(read, head + ' [10/Oct/2023:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "x"')
    assert (event["group"], event["host"], event["text"]) == (
        client, host, " ".join(filter(None, ["HTTP GET /", host and f"host={host}", 'ua="x"'])),
    )  # fmt: skip


def test_what_a_client_wrote_before_the_time_is_read_too(read) -> None:
    event = one(read, '${jndi:x}, 198.51.100.9 - \' or 1=1-- [10/Oct/2023:13:55:36 -0700] "GET / HTTP/1.1" 200 5')
    assert event["text"] == "HTTP GET / headers=user: ' or 1=1--, ${jndi:x}"
    assert (event["src_ip"], event["user"]) == ("198.51.100.9", "' or 1=1--")


ATTACK = "<script>alert(1)</script>"


@given(
    st.lists(
        st.sampled_from(["-", '"', '" "', " ", "a", '\\"', "\\", "200 5", '"-"', "GET / HTTP/1.1", "[x]"]), max_size=12
    ),
    st.data(),
)
def test_no_part_of_a_line_disappears(read, pieces: list[str], data: st.DataObject) -> None:
    """Wherever an attack stands, between whatever quotes: the event's text has it, or the line is skipped."""
    pieces.insert(data.draw(st.integers(0, len(pieces))), ATTACK)
    line = BODY.split('"')[0] + '"GET /x HTTP/1.1" 200 5 ' + "".join(pieces)
    rejects = Rejects()
    try:
        table, _ = read("a.log", line.encode(), rejects, format="accesslog")
    except InputError:
        assert rejects.total == 1
    else:
        assert ATTACK in table["text"][0].as_py()


def test_garbage_is_no_method_and_a_hostname_no_address(read) -> None:
    event = one(read, ROW.format(r"\x16\x03").replace("192.0.2.7", "client.example.com"))
    assert (event["method"], event["url"], event["src_ip"]) == (None, "\x16\x03", None)
    assert event["group"] == "client.example.com"
    event = one(read, ROW.format("-").replace("10/Oct", "99/Oct"))
    assert (event["url"], event["time"]) == (None, None)


def test_other_lines_are_skipped_with_their_place(read) -> None:
    good = ROW.format("GET / HTTP/1.1")
    table, rejects = read(
        "a.log", f"{good}\n\n2021/09/30 09:23:53 [error] 1#1: x\n{good[:-1]}x\n{good}".encode(), format="accesslog"
    )
    assert [origin.rsplit(":")[-1] for origin in table["origin"].to_pylist()] == ["1", "5"]
    assert rejects.summary() == {"not a line of an access log": 2}
    assert rejects.first[0].raw.startswith("2021/09/30")


def test_an_access_log_has_its_own_columns(read) -> None:
    with pytest.raises(InputError, match=r"an access log, .*: no column 'body'"):
        read("a.log", ROW.format("GET / HTTP/1.1").encode(), format="accesslog", columns=Columns(text="body"))


@given(
    st.lists(
        st.binary(max_size=30)
        | st.binary(max_size=30).map(lambda raw: ROW.encode().replace(b"{}", raw))
        | st.text(max_size=9).map(lambda text: (ROW.format("GET /x HTTP/1.1") + f' "{text}" "{text}"').encode()),
        max_size=6,
    )
)
def test_every_line_of_any_bytes_is_an_event_or_skipped(read, lines: list[bytes]) -> None:
    rejects = Rejects(examples=100)
    data = b"\n".join(lines).lstrip(b"\xef\xbb\xbf\x1f\x28")
    try:
        origins = read("any.log", data, rejects, format="accesslog")[0]["origin"].to_pylist()
    except InputError:
        origins = []
    found = sorted(int(origin.rsplit(":", 1)[1]) for origin in [*origins, *(each.origin for each in rejects.first)]
                   if origin.rsplit(":", 1)[1].isdigit())  # fmt: skip
    assert found == [number for number, line in enumerate(data.split(b"\n"), 1) if line.removesuffix(b"\r")]


@pytest.mark.parametrize("line", [b"a.test " + b"1:" * 2**20, b"a " * 2**20, b"a b c " + b" [" * 2**20])
def test_a_hostile_line_takes_no_longer_than_its_length(read, line: bytes) -> None:
    """Quadratic matching would take hours, and the run would never end."""
    _, rejects = read("a.log", line + b"\n" + ROW.format("GET / HTTP/1.1").encode(), format="accesslog")
    assert rejects.total == 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_a_request_written_as_nginx_writes_it_is_read_back(read, target: str) -> None:
    logged = "".join(
        c if c not in '"\\' and c.isascii() else "".join(f"\\x{b:02X}" for b in c.encode()) for c in target
    )
    event = one(read, ROW.format(f"GET /{logged} HTTP/1.1"))
    assert event["url"] == "/" + target
    assert event["text"] == "HTTP GET /" + unquote(target, errors="backslashreplace")


def test_the_real_log(shared_data: Path) -> None:
    path = shared_data / "captures" / "access" / "nginx-apache.log"
    rejects = Rejects(examples=1000)
    table = load_events(path, rejects=rejects)
    raw = path.read_text(errors="backslashreplace").split("\n")
    assert table.num_rows + rejects.total == sum(map(bool, raw)) == 955
    # what is left are error logs (a time at the start) and the logs of proxies that write in another order
    assert all(re.match(r"\[|[0-9]{4}/[0-9]{2}/[0-9]{2} ", skipped.raw) for skipped in rejects.first)
    assert table["time"].null_count == 0
    for origin, url in zip(table["origin"].to_pylist(), table["url"].to_pylist(), strict=True):
        line = raw[int(origin.rsplit(":", 1)[1]) - 1]
        assert url is None or "\\" in line or url in line
