from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Rejects
from overproof.events.templates import is_unusual

HEAD = "CEF:0|Vendor|WAF|1.0|100|SQL injection|8|"
LEEF = "LEEF:1.0|QRadar|QRM|1.0|NEW|"


def one(read, line: str) -> dict[str, object]:
    table, rejects = read("a.log", line.encode())
    assert (rejects.total, table.num_rows) == (0, 1)
    event: dict[str, object] = table.to_pylist()[0]
    return event


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (HEAD + r"request=/i?id\=1' OR '1'\='1 requestMethod=GET", "HTTP GET /i?id=1' OR '1'='1"),
        (HEAD + "request=/i?id=1' OR a=1 src=192.0.2.1", "HTTP - /i?id=1' OR a=1"),
        (HEAD + "request=https://shop.test:443/a requestClientApplication=() { :;}; id requestMethod=POST",
         'HTTP POST /a host=shop.test ua="() { :;}; id"'),
        (HEAD + "request=/a cs1Label=param cs1=<script> msg=found it", "HTTP - /a headers=cs1: <script>"),
        (HEAD + r"msg=a \= b \\ <script>\nmore", "a = b \\ <script>\nmore"),
        (HEAD + "act=blocked fname=/etc/passwd src=192.0.2.1", "SQL injection act=blocked fname=/etc/passwd"),
        (HEAD + "msg=no login suser=${jndi:x} duser=bob", "no login suser=${jndi:x}"),
        (HEAD + "suser=' or 1 act=x src=192.0.2.1", "SQL injection suser=\"' or 1\" act=x"),
        (HEAD + "request=/a suser=${jndi:x}", "HTTP - /a headers=suser: ${jndi:x}"),
        (LEEF + "url=/a\tcookie=a='\treferer=/b'\trequestBody=<script>",
         "HTTP - /a cookie=a=' referer=/b' headers=requestBody: <script>"),
        (HEAD, "SQL injection"),
        (HEAD + "<script> act=x", "SQL injection extension=<script> act=x"),
        (r"CEF:0|a|b|1|9|worm \| stopped \\|10|", "worm | stopped \\"),
        ("CEF: 0|a|b|1|9|name|10|msg=x", "x"),
        (LEEF + "src=192.0.2.1\tsev=5\tmsg=a = <script>", "a = <script>"),
        ("LEEF:2.0|V|P|1|9|^|url=http://shop.test/a'^srcPort=81", "HTTP - /a' host=shop.test"),
        ("LEEF:2.0|V|P|1|9|x7C|url=/a|usrName=bob", "HTTP - /a"),
        ("LEEF:2.0|V|P|1|9|0x5E|url=/a^usrName=bob", "HTTP - /a"),
        ("LEEF:2.0|V|P|1|9|url=/a|b\tusrName=bob", "HTTP - /a|b"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "carrier", ["", "Jan  5 07:00:00 fw1 ", "<134>1 2026-01-05T07:00:00Z fw app - - - ", "<13>Jan 18 11:07:53 fw app: "]
)
def test_the_text_is_what_the_device_saw(read, carrier: str, line: str, text: str) -> None:
    assert one(read, carrier + line)["text"] == text


def test_columns(read) -> None:
    event = one(
        read, HEAD + "src=192.0.2.1 spt=50000 dst=10.0.0.1 dpt=443 proto=TCP suser=bob rt=1767596784100 request=/a"
    )
    wanted = {"kind": "access", "src_ip": "192.0.2.1", "src_port": 50000, "dst_ip": "10.0.0.1", "dst_port": 443,
              "url": "/a", "transport": "tcp", "user": "bob", "time": "2026-01-05T07:06:24.100000Z"}  # fmt: skip
    assert event.items() >= wanted.items()
    assert one(read, HEAD + "msg=x")["kind"] == "cef"
    leef = one(read, LEEF + "src=192.0.2.1\tsrcPort=1\tdst=10.0.0.1\tdstPort=2\tusrName=bob\tproto=UDP\tmsg=x")
    assert [leef[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port", "user", "transport")] == [
        "192.0.2.1", 1, "10.0.0.1", 2, "bob", "udp",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (HEAD + "rt=Jan 05 2026 07:00:00 UTC msg=x", "2026-01-05T07:00:00Z"),
        (HEAD + "rt=2026-01-05T08:00:00+01:00 msg=x", "2026-01-05T07:00:00Z"),
        (HEAD + "rt=Jan 05 2026 07:00:00 msg=x", None),
        ("2026-01-05T07:00:00Z fw " + HEAD + "msg=x", "2026-01-05T07:00:00Z"),
        ("Jan  5 07:00:00 fw " + HEAD + "msg=x", None),
    ],
)
def test_the_time_is_the_events_or_that_of_syslog(read, line: str, time: str | None) -> None:
    assert one(read, line)["time"] == time


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("msg=id=1' or 2 msg=harmless", "id=1' or 2 msg=harmless"),
        ("request=/?q=' or 1 request=/ cs1=x", "HTTP - /?q=' or 1 request=/"),
        ("src=192.0.2.1 msg=x src=192.0.2.9", "x src=192.0.2.9"),
        ("src=192.0.2.1 url=/a requestUrl=/b", "HTTP - /a requestUrl=/b"),
    ],
)
def test_a_key_that_comes_again_is_text_of_the_value_before_it(read, fields: str, text: str) -> None:
    event = one(read, HEAD + fields)
    assert event["text"] == text
    assert event["src_ip"] in (None, "192.0.2.1")


def test_between_them_other_lines_are_syslog_and_in_syslog_they_are_events(read) -> None:
    other = "Jan  5 07:00:00 fw sshd[1]: Failed password"
    for count, format in ((1, b"cef"), (5, b"syslog")):
        table, rejects = read("a.log", "\n".join([HEAD + "msg=x", *[other] * count]).encode())
        assert rejects.total == 0
        assert table["kind"].to_pylist() == ["cef", *["syslog"] * count], format


@given(st.dictionaries(st.sampled_from(["act", "msg", "request", "cs1", "fname", "cs2"]), st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20), min_size=1))  # fmt: skip
def test_what_is_written_by_the_rules_is_read_back(read, fields: dict[str, str]) -> None:
    """Escaped as the standard says: a backslash and an equals sign in values."""
    written = " ".join(
        f"{key}={value.replace(chr(92), chr(92) * 2).replace('=', chr(92) + '=')}" for key, value in fields.items()
    )
    try:
        event = one(read, "x " + HEAD + written)
    except InputError:
        raise AssertionError(written) from None
    if "msg" in fields and fields["msg"].strip() and not fields.get("request", "").strip():
        assert event["text"].startswith(fields["msg"].strip())
    for key, value in fields.items():
        assert key == "request" or not is_unusual(value.strip()) or value.strip() in event["text"]


@given(st.binary(max_size=60))
def test_any_bytes_after_its_sign_are_an_event(read, raw: bytes) -> None:
    rejects = Rejects()
    for head in (b"CEF:0|", b"LEEF:2.0|", HEAD.encode(), LEEF.encode()):
        table, _ = read("a.log", head + raw.replace(b"\n", b""), rejects, format="cef")
        assert table.num_rows + rejects.total == 1


@pytest.mark.parametrize("fields", ["msg=seen", "request=/c requestMethod=GET", ""])
def test_what_a_client_sent_in_the_name_of_an_event_is_judged_once(read, fields: str) -> None:
    text = one(read, f"CEF:0|V|P|1|100|upload of <x>.php|5|src=203.0.113.5 {fields}")["text"]
    assert str(text).count("upload of <x>.php") == 1
