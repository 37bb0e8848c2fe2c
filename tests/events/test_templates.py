"""The templates, held against the built-in traffic: its events, parsed and written again, are the same."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events import templates
from overproof.events.simulate import dns, flows, http, sessions
from overproof.events.simulate.words import actor

WRITERS = {
    "dns": (dns.lookup, dns.hash_named, dns.generated_domain, dns.tunnel, dns.young_domain, dns.rebinding),
    "flow": (flows.web_flow, flows.exfiltration, flows.bulk_arrival, flows.backup),
    "flows": (flows.office, flows.nat_gateway, flows.beacon, flows.monitoring, flows.syn_flood),
    "SSH": (sessions.ssh_admin, sessions.ssh_unknown, sessions.ssh_new_host, sessions.ssh_brute_force),
    "TLS": (sessions.tls, sessions.tls_odd, sessions.tls_self_signed, sessions.tls_appliance),
}


def simulated(name: str, seed: int) -> str:
    rng = Random(seed)
    return rng.choice(WRITERS[name])(rng, actor(rng))


def parts_of(text: str) -> dict[str, Any]:
    """Keys and values; a bucket is the smallest number in it."""
    parts: dict[str, Any] = dict(part.split("=", 1) for part in text.split() if "=" in part)
    for key, value in parts.items():
        if bucket := re.fullmatch(r"2\^(\d+)[sd%]?", value):
            parts[key] = 2 ** int(bucket[1])
    return parts


@given(st.integers(0, 2**32))
def test_the_built_in_traffic_is_written_by_the_same_templates(seed: int) -> None:
    text = simulated("dns", seed)
    parts = parts_of(text)
    assert templates.DnsLookup(parts.pop("client"), parts.pop("query"), **parts).text == text
    text = simulated("flow", seed)
    assert templates.FlowRecord(**parts_of(text)).text == text
    text = simulated("flows", seed)
    parts = parts_of(text)
    parts |= {"failed": int(parts["failed"].rstrip("%")) / 100, "jitter": parts["jitter"] / 100}
    assert templates.HostAggregate(start=0, **parts).text == text
    text = simulated("SSH", seed)
    parts = parts_of(text)
    assert templates.SshSession(parts.pop("src"), parts.pop("dst"), **parts).text == text
    text = simulated("TLS", seed)
    assert templates.TlsSession(text.split()[1], **parts_of(text)).text == text


@given(st.integers(0, 2**32))
def test_a_request_of_the_built_in_traffic_is_the_templates_with_its_target_decoded(seed: int) -> None:
    rng = Random(seed)
    text = rng.choice((http.page, http.form, http.tutorial_page))(rng, actor(rng))
    match = re.fullmatch(
        r'HTTP (\S+) (.+?)(?: host=(\S+))?(?: ua="([^"]*)")?(?: cookie=(\S+)| referer=(\S+))?(?: body=(.*))?', text
    )
    assert match is not None
    method, target, *others = match.groups()
    names = ("host", "agent", "cookie", "referer", "body")
    written = templates.HttpRequest(method, target, **dict(zip(names, others, strict=True))).text
    assert written == text.replace(target, templates.percent_decoded(target), 1)


@pytest.mark.parametrize(
    ("number", "bucket"),
    [(0, "0"), (0.001, "2^0"), (1, "2^0"), (1.9, "2^0"), (2, "2^1"), (1024, "2^10"), (2047.5, "2^10"), (2**60, "2^60")],
)
def test_buckets(number: float, bucket: str) -> None:
    assert templates.bucket(number) == bucket


def test_a_target_is_decoded_once_and_only_once() -> None:
    assert templates.percent_decoded("/a%2527%27%zz+%C3%A9%ff") == "/a%27'%zz+é\\xff"
    assert templates.HttpRequest("GET", "/%252e", host="h").text == "HTTP GET /%2e host=h"


ORDINARY = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "accept-language": "de-DE,de;q=0.9",
    "authorization": 'Digest username="u", realm="a b", nonce="c=", uri="/x", response="00ff"',
    "content-type": "multipart/form-data; boundary=----WebKitFormBoundaryabc",
    "if-none-match": 'W/"5f-17"',
    "if-modified-since": "Tue, 24 Nov 2026 10:00:00 GMT",
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"',
    "x-forwarded-for": "192.0.2.7, 2001:db8::1",
}


@pytest.mark.parametrize(
    "value",
    ["${jndi:ldap://a.test/b}", "() { :; }; /bin/id", "en'--", "<script>", "a|id", "`id`", "%0d%0aX: y", "a\x00b"],
)
def test_headers_that_hold_what_headers_rarely_do_are_in_the_text(value: str) -> None:
    headers = [*ORDINARY.items(), ("x-any", value), ("cookie", "<shown>"), ("user-agent", "<elsewhere>")]
    written = templates.HttpRequest("GET", "/", headers=headers, body="b").text
    assert written == f"HTTP GET / headers=x-any: {value} body=b"
    assert templates.HttpRequest("GET", "/", headers=tuple(ORDINARY.items())).text == "HTTP GET /"


@pytest.mark.parametrize("name", ["' or 1=1", "x y", "", "${jndi:x}"])
def test_headers_of_strange_names_are_in_the_text(name: str) -> None:
    written = templates.HttpRequest("GET", "/", headers=[*ORDINARY.items(), (name, "1")]).text
    assert written == f"HTTP GET / headers={name}: 1"


def test_what_http_2_calls_its_first_line_is_no_strange_header() -> None:
    first = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/")]
    assert templates.HttpRequest("GET", "/", headers=first).text == "HTTP GET /"


def test_absent_parts_are_left_out() -> None:
    assert templates.HttpRequest("GET", "/").text == "HTTP GET /"
    assert templates.DnsLookup("10.0.0.1", "a.test", type="A").text == "dns client=10.0.0.1 query=a.test type=A"
    assert templates.record("zeek weird", {"name": "x y", "peer": None, "n": 3}) == 'zeek weird name="x y" n=3'


@pytest.mark.parametrize(
    ("issuer", "subject", "name"),
    [
        ("CN=DigiCert High Assurance CA-3,OU=x,C=US", "CN=a", "digicert-high-assurance-ca-3"),
        ("C=BE, O=GlobalSign nv-sa, CN=AlphaSSL CA - SHA256 - G2", "CN=a", "alphassl-ca-sha256-g2"),
        ("O=Acme\\, Inc., CN=Acme\\, Root", "CN=a", "acme-root"),
        ("CN=a", "CN=a", "self"),
        ("O=Acme", None, "o-acme"),
        (None, "CN=a", None),
    ],
)
def test_signers(issuer: str | None, subject: str | None, name: str | None) -> None:
    assert templates.signer(issuer, subject) == name
