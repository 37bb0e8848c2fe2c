from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects, load_events

CASE = Path(__file__).parents[2] / "cases" / "03-caddy-json"
ATTACK = "/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E"
CADDY: dict[str, Any] = {
    "level": "info",
    "ts": 1767596784.327,
    "logger": "http.log.access.log0",
    "msg": "handled request",
    "request": {
        "remote_ip": "192.0.2.1",
        "remote_port": "53176",
        "client_ip": "198.51.100.7",
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "shop.example.com",
        "uri": "/a%20b",
        "headers": {
            "User-Agent": ["curl/8.5.0"],
            "Referer": ["https://a.test/"],
            "Cookie": ["REDACTED"],
            "Accept": ["*/*"],
        },
    },
    "user_id": "anna",
    "status": 404,
    "resp_headers": {"Server": ["Caddy"]},
}
TRAEFIK: dict[str, Any] = {
    "ClientAddr": "198.51.100.7:53176", "ClientHost": "198.51.100.7", "ClientPort": "53176", "ClientUsername": "anna",
    "DownstreamStatus": 404, "RequestAddr": "shop.example.com", "RequestHost": "shop.example.com",
    "RequestMethod": "GET", "RequestPath": "/a%20b", "RequestProtocol": "HTTP/2.0",
    "StartUTC": "2026-01-05T07:06:24.327000000Z",
    "request_User-Agent": "curl/8.5.0", "request_Referer": "https://a.test/", "request_Authorization": "REDACTED",
    "level": "info", "msg": "", "time": "2026-01-05T08:06:25+01:00",
}  # fmt: skip


def one(read, record: dict[str, Any], name: str = "a.log") -> dict[str, Any]:
    table, rejects = read(name, json.dumps(record).encode())
    assert rejects.total == 0
    (event,) = table.drop_columns(["origin"]).to_pylist()
    return {key: value for key, value in event.items() if value}


def test_caddys_log_is_one_of_requests() -> None:
    for name in ("access.log", "access.json"):
        rejects = Rejects()
        table = load_events(CASE / name, rejects=rejects)
        assert rejects.total == 0
        assert table["text"].to_pylist() == [
            'HTTP GET / host=shop.example.com ua="curl/8.5.0"',
            'HTTP GET /?q=<script>alert(document.cookie)</script> host=shop.example.com ua="curl/8.5.0"',
        ]
        assert table["src_ip"].to_pylist() == ["198.51.100.7", "198.51.100.9"]
        assert table["url"].to_pylist() == ["/", ATTACK]
        assert table["time"].to_pylist() == ["2026-01-05T07:06:24.327000Z"] * 2
        assert table["kind"].to_pylist() == ["access"] * 2


def test_a_column_of_it_can_be_named() -> None:
    table = load_events(CASE / "access.log", columns=Columns(text="request.uri"))
    assert table["text"].to_pylist() == ["/", ATTACK]
    with pytest.raises(InputError, match=r"column 'request' holds an object.*--text 'request\.uri'"):
        load_events(CASE / "access.log", columns=Columns(text="request"))


@pytest.mark.parametrize("name", ["a.log", "a.json", "a"])
@pytest.mark.parametrize("record", [CADDY, TRAEFIK], ids=["caddy", "traefik"])
def test_both_servers_requests_are_the_same_event(read, record: dict[str, Any], name: str) -> None:
    assert one(read, record, name) == {
        "text": 'HTTP GET /a b host=shop.example.com ua="curl/8.5.0" referer=https://a.test/',
        "time": "2026-01-05T07:06:24.327000Z", "group": "198.51.100.7", "kind": "access", "src_ip": "198.51.100.7",
        "src_port": 53176, "transport": "tcp", "protocol": "http", "host": "shop.example.com", "url": "/a%20b",
        "method": "GET", "user_agent": "curl/8.5.0", "status": 404, "user": "anna",
    }  # fmt: skip


def with_request(**changes: Any) -> dict[str, Any]:
    return CADDY | {"request": CADDY["request"] | changes}


def test_what_a_client_sent_in_any_header_is_judged(read) -> None:
    headers = {"User-Agent": ["() { :; }; id"], "X-Api-Version": ["${jndi:ldap://x}"], "Cookie": ["a=1", "b=2"]}
    assert one(read, with_request(headers=headers))["text"] == (
        'HTTP GET /a b host=shop.example.com ua="() { :; }; id" cookie=a=1, b=2 headers=x-api-version: ${jndi:ldap://x}'
    )
    record = TRAEFIK | {"request_X-Api-Version": "${jndi:ldap://x}"}
    assert one(read, record)["text"].endswith(" headers=x-api-version: ${jndi:ldap://x}")


@pytest.mark.parametrize(
    ("ts", "time"),
    [
        (1767596784.327, "2026-01-05T07:06:24.327000Z"),
        (1767596784327, "2026-01-05T07:06:24.327000Z"),
        ("2026-01-05T08:06:24.327+0100", "2026-01-05T07:06:24.327000Z"),
        ("2026/01/05 07:06:24", None),
        (None, None),
    ],
)
def test_the_ways_caddy_writes_times(read, ts: object, time: str | None) -> None:
    assert one(read, CADDY | {"ts": ts}).get("time") == time


def test_an_older_caddy_has_address_and_port_in_one(read) -> None:
    for address, client in (("198.51.100.7:53176", "198.51.100.7"), ("[2001:db8::7]:53176", "2001:db8::7")):
        request = {"remote_addr": address, "method": "GET", "host": "a", "uri": "/", "headers": {}}
        event = one(read, {"ts": 1.0, "request": request})
        assert (event["src_ip"], event["src_port"]) == (client, 53176)


def test_what_a_server_says_of_itself_is_counted(read) -> None:
    itself = [{"level": "info", "ts": 1.0, "msg": "serving initial configuration"}, {"request": {"uri": 1}}]
    lines = [json.dumps(line).encode() for line in [*itself, *[CADDY] * 4]]
    table, rejects = read("a.log", b"\n".join([*lines, b"{", b"panic: x"]))
    assert table.num_rows == 4
    assert rejects.summary() == {"not a line of an access log": 4}


value = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.text(max_size=3), max_size=2)
)
request = st.dictionaries(
    st.sampled_from(list(CADDY["request"])), value | st.dictionaries(st.text(max_size=3), value, max_size=2)
)


@given(request, st.dictionaries(st.sampled_from([*TRAEFIK, "ts", "status", "user_id"]), value))
def test_any_values_are_one_event_or_one_reject(read, inside: dict[str, Any], outside: dict[str, Any]) -> None:
    data = json.dumps(outside | {"request": inside}).encode() + b"\n" + json.dumps(CADDY).encode()
    table, rejects = read("a.log", data, format="accesslog")
    assert table.num_rows + rejects.total == 2


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_a_time_is_in_any_unit(read, unit: float) -> None:
    request = {"remote_ip": "192.0.2.1", "method": "GET", "host": "h", "uri": "/"}
    line = json.dumps({"ts": int(1767596784 * unit), "request": request, "status": 200})
    assert read("a.log", line.encode())[0]["time"].to_pylist() == ["2026-01-05T07:06:24Z"]
