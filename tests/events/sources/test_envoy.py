"""Requests in Envoy's and Istio's access logs, and Google's; the examples are those of their documentation, edited."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.accesslog.envoy import read_envoy

ENVOY = '[2016-04-15T20:17:00.310Z] "POST {} HTTP/2" 204 - 154 0 226 100 "{}" "{}" "cc21d9b0" "shop.test" "tcp://10.0.2.1:80"'
ISTIO = (
    '[2020-11-25T21:26:18.409Z] "GET {} HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "{}" "{}" "84961386" '
    '"httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 192.0.2.7:37652 outbound_.80 default'
)
JSON = {
    "start_time": "2020-11-25T21:26:18.409Z",
    "method": "GET",
    "path": "/a?x='",
    "protocol": "HTTP/1.1",
    "response_code": 418,
    "user_agent": "() { :;}; id",
    "authority": "httpbin:8000",
    "x_forwarded_for": "<script>",
    "downstream_remote_address": "192.0.2.7:37652",
    "upstream_host": "127.0.0.1:80",
}
SENT = ("/a?x=%27", "-", "() { :;}; id")


def test_text_in_both_formats(read) -> None:
    table, rejects = read("a.log", "\n".join([ENVOY.format(*SENT), ISTIO.format(*SENT)]).encode())
    assert rejects.total == 0
    assert table["text"].to_pylist() == [
        'HTTP POST /a?x=\' host=shop.test ua="() { :;}; id"',
        'HTTP GET /a?x=\' host=httpbin:8000 ua="() { :;}; id"',
    ]
    assert table["time"].to_pylist() == ["2016-04-15T20:17:00.310000Z", "2020-11-25T21:26:18.409000Z"]
    assert table["src_ip"].to_pylist() == [None, "192.0.2.7"] and table["src_port"].to_pylist() == [None, 37652]
    assert table["status"].to_pylist() == [204, 418]
    assert table["dst_ip"].to_pylist() == ["10.0.2.1", "127.0.0.1"]


def test_json_and_gzip_and_crlf(read) -> None:
    table, rejects = read("a.log", b"\xef\xbb\xbf" + json.dumps(JSON).encode() + b"\r\n")
    (event,) = table.to_pylist()
    assert event["text"] == 'HTTP GET /a?x=\' host=httpbin:8000 ua="() { :;}; id" headers=x-forwarded-for: <script>'
    assert (event["src_ip"], event["status"], event["time"]) == ("192.0.2.7", 418, "2020-11-25T21:26:18.409000Z")
    assert rejects.total == 0


def test_an_entry_of_google(read) -> None:
    entry = {
        "insertId": "a",
        "timestamp": "2020-11-25T21:26:18.409Z",
        "httpRequest": {
            "requestMethod": "GET",
            "requestUrl": "https://shop.test/a?x=%27",
            "userAgent": "sqlmap",
            "remoteIp": "192.0.2.7",
            "status": 403,
        },
    }
    (event,) = read("a.json", json.dumps(entry).encode() + b"\n")[0].to_pylist()
    assert event["text"] == 'HTTP GET /a?x=\' host=shop.test ua="sqlmap"'
    assert (event["src_ip"], event["status"]) == ("192.0.2.7", 403)


@pytest.mark.parametrize("form", [ENVOY, ISTIO])
@given(st.lists(st.sampled_from(['" 200 ', "- ", '1 2 3 4 "', '" "', "x", "'", '"', '" 204 - 1 2 3 4 "']), max_size=8))
def test_whatever_a_client_sends_is_kept(form: str, sent: list[str]) -> None:
    path, agent = "/" + "".join(sent).replace(" ", "+"), "".join(sent) or "-"
    found = read_envoy(form.format(path, "-", agent).encode())
    assert found is not None
    kept = " ".join(filter(None, (found.target, found.agent, found.host, *(value for _, value in found.headers))))
    for part in re.findall(r"[^\s\"]+", path):
        assert part in kept


@pytest.mark.timeout(20)
def test_long_lines_take_no_more_than_their_length() -> None:
    for filler in ('" 200 - 1 2 3 4 "', '" "', '"', " 1"):
        assert read_envoy(b'[2016-04-15T20:17:00.310Z] "GET /' + filler.encode() * 200_000) is None
