"""Requests in JSON of any form, as nginx's configuration, clouds and CDNs write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns
from overproof.events.sources.accesslog import named

URL, DECODED = "/c?q=%27%20OR%201=1--", "/c?q=' OR 1=1--"
CLIENT, AGENT = "203.0.113.5", "curl/8 <x>"
TEXT = f'HTTP GET {DECODED} host=shop.test ua="{AGENT}"'
TIME = "2026-03-05T10:11:12Z"
NGINX: dict[str, Any] = {
    "msec": "1772705472.000", "connection": "77", "remote_addr": CLIENT, "remote_user": "", "remote_port": "4444",
    "request": f"GET {URL} HTTP/1.1", "request_uri": URL, "args": "q=%27%20OR%201=1--", "status": "200",
    "http_referer": "", "http_user_agent": AGENT, "http_x_forwarded_for": "198.51.100.1", "http_host": "shop.test",
    "server_name": "_", "request_time": "0.1", "upstream": "10.0.0.1:80", "request_method": "GET",
}  # fmt: skip
PLATFORMS: dict[str, dict[str, Any]] = {
    "nginx": NGINX,
    "nginx-short": {
        "time_local": "05/Mar/2026:11:11:12 +0100", "remote_addr": CLIENT, "host": "shop.test",
        "request": f"GET {URL} HTTP/1.1", "status": 200, "http_user_agent": AGENT,
    },
    "filebeat": {
        "@timestamp": TIME, "url": {"original": URL, "domain": "shop.test"}, "source": {"ip": CLIENT},
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200}}, "user_agent": {"original": AGENT},
    },
    "waf of AWS": {
        "timestamp": 1772705472000, "action": "ALLOW", "httpRequest": {
            "clientIp": CLIENT, "uri": "/c", "args": "q=%27%20OR%201=1--", "httpMethod": "GET",
            "headers": [{"name": "Host", "value": "shop.test"}, {"name": "user-agent", "value": AGENT}],
        },
    },
    "gateway of Azure": {
        "timeStamp": TIME, "category": "ApplicationGatewayAccessLog", "properties": {
            "clientIP": CLIENT, "httpMethod": "GET", "originalRequestUriWithArgs": URL, "requestUri": "/c",
            "requestQuery": "q=%27%20OR%201=1--", "userAgent": AGENT, "httpStatus": 200, "originalHost": "shop.test",
        },
    },
    "App Service": {
        "time": TIME, "category": "AppServiceHTTPLogs", "properties": json.dumps({
            "CsHost": "shop.test", "CIp": CLIENT, "CsMethod": "GET", "CsUriStem": "/c",
            "CsUriQuery": "q=%27%20OR%201=1--", "ScStatus": 200, "UserAgent": AGENT,
        }),
    },
    "Cloudflare": {
        "ClientIP": CLIENT, "ClientRequestHost": "shop.test", "ClientRequestMethod": "GET", "ClientRequestURI": URL,
        "ClientRequestPath": "/c", "ClientRequestUserAgent": AGENT, "EdgeResponseStatus": 200,
        "EdgeStartTimestamp": 1772705472000000000,
    },
    "Fastly": {
        "timestamp": TIME, "client_ip": CLIENT, "host": "shop.test", "url": URL, "request_method": "GET",
        "request_user_agent": AGENT, "response_status": 200,
    },
    "Google": {
        "timestamp": TIME, "httpRequest": {
            "requestMethod": "GET", "requestUrl": f"https://shop.test{URL}", "status": 200, "userAgent": AGENT,
            "remoteIp": f"{CLIENT}:4444",
        },
    },
    "Envoy": {
        "start_time": TIME, "method": "GET", "path": URL, "response_code": 200, "response_flags": "-",
        "user-agent": AGENT, ":authority": "shop.test", "downstream_remote_address": f"{CLIENT}:4444",
        "upstream_cluster": "outbound|80||shop",
    },
    "Kong": {
        "request": {"uri": URL, "method": "GET", "headers": {"host": "shop.test", "user-agent": AGENT}},
        "client_ip": CLIENT, "response": {"status": 200, "headers": {"x": "<y>"}}, "started_at": 1772705472000,
    },
}  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_request_is_the_same_whoever_names_its_parts(read, platform: str) -> None:
    table, rejects = read("a.log", json.dumps(PLATFORMS[platform]).encode())
    (event,) = table.to_pylist()
    assert rejects.total == 0
    assert event["text"] == TEXT
    assert (event["time"], event["src_ip"], event["host"]) == (TIME, CLIENT, "shop.test")
    assert event["status"] in (200, None) and event["method"] == "GET"


@pytest.mark.parametrize("name", ["http_x_api_version", "http_cookie", "http_referer", "request_body", "remote_user"])
def test_what_a_client_sent_in_any_field_is_judged_once(read, name: str) -> None:
    table, _ = read("a.json", json.dumps(NGINX | {name: "${jndi:ldap://x/a}"}).encode())
    assert table["text"][0].as_py().count("${jndi:ldap://x/a}") == 1


def test_headers_as_an_object_and_cookies_are_the_clients(read) -> None:
    record = PLATFORMS["Cloudflare"] | {"RequestHeaders": {"x-api": "${jndi:a}"}, "Cookies": {"id": "'--"}}
    table, _ = read("a.json", json.dumps(record).encode())
    assert table["text"].to_pylist() == [f"{TEXT} headers=x-api: ${{jndi:a}}, cookies.id: '--"]


def test_a_programs_own_message_stands_behind_googles_request(read) -> None:
    table, _ = read("a.json", json.dumps(PLATFORMS["Google"] | {"textPayload": "no user bob"}).encode())
    assert table["text"].to_pylist() == [f"{TEXT} headers=no user bob"]


def test_nginx_escapes_in_json_as_in_text(read) -> None:
    line = rb'{"remote_addr":"203.0.113.5","request":"GET /\x22<a> HTTP/1.1","status":"200","http_user_agent":"%b"}'
    table, rejects = read("a.log", line % rb"\xC3\xA9\xFF\\x41")
    assert rejects.total == 0
    assert table["text"].to_pylist() == [r'HTTP GET /"<a> ua="é\xff\x41"']


@pytest.mark.parametrize("more", [{"label": "benign"}, {"message": "GET /"}, {"event": {"original": "GET /"}}])
def test_what_has_a_label_or_a_text_of_its_own_is_a_table(read, more: dict[str, Any]) -> None:
    table, _ = read("a.json", json.dumps(NGINX | more).encode())
    assert table["text"][0].as_py().startswith("GET /")


def test_whoever_names_the_column_has_a_table(read) -> None:
    table, _ = read("a.json", json.dumps(NGINX).encode(), columns=Columns(text="http_user_agent"))
    assert table["text"].to_pylist() == [AGENT]


def test_an_object_without_a_client_or_a_request_is_none(read) -> None:
    for record in ({"path": "/a", "host": "h"}, {"method": "GET", "url": "/a"}, {"status": 200, "client": CLIENT}):
        with pytest.raises(InputError, match="no text column"):
            read("a.json", json.dumps(record).encode())


VALUE = st.one_of(st.text(max_size=20), st.integers(-9, 9), st.none(), st.lists(st.text(max_size=5), max_size=2))


@given(st.dictionaries(st.sampled_from([*NGINX, "headers", "properties", "url", "é"]), VALUE))
def test_any_values_are_an_event_or_counted(read, changed: dict[str, Any]) -> None:
    lines = [json.dumps(NGINX)] * 2 + [json.dumps(NGINX | changed)]
    table, rejects = read("a.json", "\n".join(lines).encode())
    assert table.num_rows + rejects.total == 3


def test_an_object_of_thousands_of_parts_is_no_request() -> None:
    """Each part is looked for in the target: both may be as long as a line."""
    record = {"method": "GET", "uri": "/a", "status": 200, "remote_addr": "203.0.113.5"}
    assert named.is_request(record)
    assert not named.is_request({**record, **{f"k{i}": "v" for i in range(5000)}})
