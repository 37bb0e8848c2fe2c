"""Verdicts in the Elastic Common Schema."""

from __future__ import annotations

import io
import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from overproof.inference.sinks import SINKS, About
from overproof.inference.sinks.ecs import document

from .conftest import ESCALATED, NO_NUMBERS, NOW, PLAIN, any_verdict, plain

ABOUT = About("1.2.3", ("benign",), {"student": "0123456789abcdef", "full": None}, NOW)

# Every field that is written, with its type: ECS 9.3.0, github.com/elastic/ecs, generated/elasticsearch/composable.
# Types of these fields have been the same since 8.0.
FIELDS = {
    "@timestamp": "date",
    "destination.address": "keyword",
    "destination.domain": "keyword",
    "destination.ip": "ip",
    "destination.port": "long",
    "dns.question.name": "keyword",
    "ecs.version": "keyword",
    "event.category": "keyword array",
    "event.dataset": "keyword",
    "event.end": "date",
    "event.id": "keyword",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.original": "keyword",
    "event.reason": "keyword",
    "event.risk_score": "float",
    "event.severity": "long",
    "event.start": "date",
    "event.type": "keyword array",
    "host.name": "keyword",
    "http.request.method": "keyword",
    "http.response.status_code": "long",
    "message": "match_only_text",
    "network.protocol": "keyword",
    "network.transport": "keyword",
    "observer.product": "keyword",
    "observer.vendor": "keyword",
    "observer.version": "keyword",
    "related.hosts": "keyword array",
    "related.ip": "ip array",
    "related.user": "keyword array",
    "rule.description": "keyword",
    "rule.name": "keyword",
    "rule.ruleset": "keyword",
    "rule.version": "keyword",
    "source.address": "keyword",
    "source.domain": "keyword",
    "source.ip": "ip",
    "source.port": "long",
    "threat.framework": "keyword",
    "threat.technique.id": "keyword array",
    "threat.technique.name": "keyword array",
    "threat.technique.subtechnique.id": "keyword array",
    "threat.technique.subtechnique.name": "keyword array",
    "url.domain": "keyword",
    "url.original": "wildcard",
    "user.name": "keyword",
    "user_agent.original": "keyword",
}
# Allowed values, and the event types that each category expects (ECS 9.3.0, allowed values of event.category).
KINDS = {"alert", "enrichment", "event", "metric", "state", "pipeline_error", "signal", "asset"}
EXPECTED_TYPES = {
    "intrusion_detection": {"allowed", "denied", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "web": {"access", "error", "info"},
}


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names of everything outside the namespace of our own."""
    for name, each in value.items():
        if not prefix and name == "overproof":
            continue
        if isinstance(each, dict):
            yield from flat(each, f"{prefix}{name}.")
        else:
            yield prefix + name, each


def fits(value: Any, kind: str) -> bool:
    """Whether Elasticsearch takes the value for a field of that type."""
    if kind.endswith(" array"):
        return (
            isinstance(value, list) and bool(value) and all(fits(each, kind.removesuffix(" array")) for each in value)
        )
    if kind == "ip":
        return "%" not in value and bool(ipaddress.ip_address(value))
    if kind == "date":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None
    return type(value) in {"long": (int,), "float": (float, int)}.get(kind, (str,))


@given(any_verdict())
def test_every_field_is_one_of_the_schema_and_of_its_type(verdict: dict[str, Any]) -> None:
    found = document(verdict, ABOUT)
    for name, value in flat(found):
        assert name in FIELDS, name
        assert fits(value, FIELDS[name]), (name, value)
    event = found["event"]
    assert event["kind"] in KINDS
    for category in event.get("category", ()):
        assert set(event["type"]) <= EXPECTED_TYPES[category]
    assert found.keys() >= {"@timestamp", "ecs", "message", "event", "overproof"}


@given(any_verdict())
def test_the_verdict_itself_is_all_there(verdict: dict[str, Any]) -> None:
    found = document(verdict, ABOUT)
    own = {name: value for name, value in verdict.items() if name not in ("event", "text", "excerpt")}
    assert plain({name: found["overproof"][name] for name in own}) == plain(own)
    assert found["event"].get("original") == verdict.get("text", verdict.get("excerpt"))
    told = [str(value) for _, value in flat(found)] + [str(found["overproof"])]
    for name, value in (verdict.get("event") or {}).items():
        assert any(str(value).lower() in each.lower() or repr(value) in each for each in told), name


def test_a_plain_verdict() -> None:
    assert document(PLAIN, ABOUT) == {
        "@timestamp": "2026-01-02T02:04:05.678Z",
        "ecs": {"version": "9.3.0"},
        "message": "SQL injection. Severity high because sqli is an attack (high at most); attack probability 0.98, "
        "0.9 or more; the student decided. sqli (attack 0.98) at access.log:17: decided by the "
        "student, the student is sure",
        "event": {
            "kind": "alert",
            "module": "overproof",
            "dataset": "overproof.verdict",
            "id": document(PLAIN, ABOUT)["event"]["id"],
            "severity": 4,
            "risk_score": 98.0,
            "reason": "the student is sure",
            "category": ["intrusion_detection"],
            "type": ["info"],
        },
        "observer": {"vendor": "overproof", "product": "overproof", "version": "1.2.3"},
        "rule": {
            "name": "sqli",
            "description": "SQL injection",
            "ruleset": "overproof",
            "version": "0123456789abcdef",
        },
        "threat": {
            "framework": "MITRE ATT&CK",
            "technique": {"id": ["T1190"], "name": ["Exploit Public-Facing Application"]},
        },
        "overproof": PLAIN,
    }


def test_an_escalated_verdict_with_its_event() -> None:
    found = document(ESCALATED, ABOUT)
    assert found["source"] == {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 51234}
    assert found["destination"] == {"address": "2001:db8::1", "ip": "2001:db8::1", "port": 443}
    assert found["network"] == {"transport": "tcp", "protocol": "http"}
    assert found["http"] == {"request": {"method": "GET"}, "response": {"status_code": 500}}
    assert found["url"] == {"original": "/item?id=1'--", "domain": "shop.example"}
    assert found["user_agent"] == {"original": "sqlmap/1.8"}
    assert found["dns"] == {"question": {"name": "shop.example"}}
    assert found["user"] == {"name": "alice"}
    assert found["related"] == {"ip": ["192.0.2.7", "2001:db8::1"], "hosts": ["shop.example"], "user": ["alice"]}
    assert found["event"]["category"] == ["intrusion_detection", "web", "network"]
    assert found["rule"]["version"] == "https://models.example/full"
    assert found["overproof"]["flow_id"] == "C1a2b3"
    assert found["overproof"]["event"] == {"vlan": 12}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"src_ip": "client7"}, {"source": {"address": "client7", "domain": "client7"}}),
        ({"src_ip": "fe80::1%eth0"}, {"source": {"address": "fe80::1%eth0", "ip": "fe80::1"}}),
        ({"dst_port": "443"}, {"destination": {"port": 443}}),
        ({"host": "web1"}, {"host": {"name": "web1"}}),
        ({"host": "web1", "status": 200}, {"url": {"domain": "web1"}, "http": {"response": {"status_code": 200}}}),
        ({"transport": "TCP"}, {"network": {"transport": "tcp"}}),
    ],
)
def test_events_that_fit_only_in_part(event: Any, expected: Any) -> None:
    found = document({**PLAIN, "event": event}, ABOUT)
    assert {name: found[name] for name in expected} == expected


def test_benign_is_an_event_and_an_undecided_attack_an_alert() -> None:
    benign = document({**PLAIN, "label": "benign", "attack": 0.01}, ABOUT)
    assert benign["event"]["kind"] == "event" and benign["event"].keys().isdisjoint({"category", "type"})
    assert "rule" not in benign
    held = document({**PLAIN, "status": "held", "decided_by": "nobody"}, ABOUT)
    assert held["event"]["kind"] == "alert" and held["rule"]["version"] == "0123456789abcdef"


def test_the_sink_writes_what_the_function_says() -> None:
    out = io.BytesIO()
    SINKS["ecs"].stream(out, ABOUT).write([PLAIN, ESCALATED])
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told == [document(v, ABOUT) for v in (PLAIN, ESCALATED)]


def test_scores_that_are_no_numbers_are_an_alert_without_a_score() -> None:
    found = document(NO_NUMBERS, ABOUT)
    assert "risk_score" not in found["event"]
    assert (found["event"]["kind"], found["event"]["severity"], found["rule"]["name"]) == ("alert", 3, "unlabelled")
    assert (found["overproof"]["label"], found["overproof"]["attack"]) == (None, None)
