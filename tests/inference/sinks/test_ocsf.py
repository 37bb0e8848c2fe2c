"""Verdicts as Detection Findings, held against py-ocsf-models and against OCSF's own schema."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from overproof.inference.sinks import SINKS, About
from overproof.inference.sinks.fields import address
from overproof.inference.sinks.ocsf import finding

from .conftest import ESCALATED, EVENT, NO_NUMBERS, NOW, PLAIN, any_verdict, plain

ABOUT = About("1.2.3", ("benign",), {"student": "0123456789abcdef", "full": None}, NOW)

# The attributes of OCSF 1.5.0 that are written, by object, each with its type; "!" marks what is required.
# From https://schema.ocsf.io/1.5.0 (classes/detection_finding, objects/…), which py-ocsf-models does not enforce:
# it knows neither endpoints nor requests, and lets pass what it does not know.
TEXT, NUMBER, FLAG, TEXTS, ANY = str, int, bool, [str], object
OBJECTS: dict[str, dict[str, Any]] = {
    "detection_finding": {
        "activity_id!": NUMBER,
        "activity_name": TEXT,
        "category_name": TEXT,
        "category_uid!": NUMBER,
        "class_name": TEXT,
        "class_uid!": NUMBER,
        "confidence": TEXT,
        "confidence_id": NUMBER,
        "confidence_score": NUMBER,
        "count": NUMBER,
        "end_time": NUMBER,
        "start_time": NUMBER,
        "device": "device",
        "evidences": ["evidences"],
        "finding_info!": "finding_info",
        "is_alert": FLAG,
        "message": TEXT,
        "metadata!": "metadata",
        "observables": ["observable"],
        "raw_data": TEXT,
        "risk_score": NUMBER,
        "severity": TEXT,
        "severity_id!": NUMBER,
        "status": TEXT,
        "status_code": TEXT,
        "status_detail": TEXT,
        "status_id": NUMBER,
        "time!": NUMBER,
        "type_name": TEXT,
        "type_uid!": NUMBER,
        "unmapped": ANY,
    },
    "metadata": {
        "version!": TEXT,
        "product!": "product",
        "profiles": TEXTS,
        "uid": TEXT,
        "log_name": TEXT,
        "original_time": TEXT,
    },
    "product": {"name": TEXT, "vendor_name": TEXT, "version": TEXT},
    "finding_info": {
        "uid!": TEXT,
        "title": TEXT,
        "desc": TEXT,
        "types": TEXTS,
        "data_sources": TEXTS,
        "analytic": "analytic",
        "related_analytics": ["analytic"],
        "attacks": ["attack"],
        "first_seen_time": NUMBER,
        "last_seen_time": NUMBER,
        "related_events_count": NUMBER,
    },
    "attack": {"technique": "technique", "sub_technique": "sub_technique"},
    "technique": {"name": TEXT, "uid": TEXT},
    "sub_technique": {"name": TEXT, "uid": TEXT},
    "analytic": {"name": TEXT, "uid": TEXT, "type_id!": NUMBER, "type": TEXT, "version": TEXT},
    "evidences": {
        "name": TEXT,
        "data": ANY,
        "src_endpoint": "network_endpoint",
        "dst_endpoint": "network_endpoint",
        "connection_info": "network_connection_info",
        "http_request": "http_request",
        "http_response": "http_response",
        "url": "url",
        "query": "dns_query",
        "user": "user",
    },
    "network_endpoint": {"ip": TEXT, "hostname": TEXT, "port": NUMBER, "svc_name": TEXT},
    "network_connection_info": {"direction_id!": NUMBER, "protocol_name": TEXT, "uid": TEXT},
    "http_request": {"http_method": TEXT, "user_agent": TEXT, "url": "url"},
    "http_response": {"code!": NUMBER},
    "url": {"url_string": TEXT, "path": TEXT, "query_string": TEXT, "hostname": TEXT},
    "dns_query": {"hostname!": TEXT},
    "user": {"name": TEXT},
    "device": {"hostname": TEXT, "type_id!": NUMBER},
    "observable": {"name": TEXT, "type_id!": NUMBER, "type": TEXT, "value": TEXT},
}
AT_LEAST_ONE = {
    "product": {"name"},
    "analytic": {"name", "uid"},
    "evidences": {"src_endpoint", "dst_endpoint", "connection_info", "url", "query", "user", "data"},
    "network_endpoint": {"ip", "hostname"},
    "url": {"url_string", "path"},
    "user": {"name"},
    "attack": {"technique", "sub_technique"},
    "technique": {"name", "uid"},
    "sub_technique": {"name", "uid"},
}


def hold_to_the_rules(value: Any, kind: Any) -> None:
    """The value has the attributes and types that OCSF gives it."""
    if isinstance(kind, list):
        for each in value:
            hold_to_the_rules(each, kind[0])
    elif isinstance(kind, str):
        attributes = {name.rstrip("!"): of for name, of in OBJECTS[kind].items()}
        assert value.keys() <= attributes.keys(), kind
        assert {name[:-1] for name in OBJECTS[kind] if name.endswith("!")} <= value.keys(), kind
        assert kind not in AT_LEAST_ONE or value.keys() & AT_LEAST_ONE[kind], kind
        for name, each in value.items():
            hold_to_the_rules(each, attributes[name])
    else:
        assert isinstance(value, kind) and (kind is not NUMBER or type(value) is int)


@given(any_verdict())
def test_any_verdict_is_a_detection_finding(verdict: dict[str, Any]) -> None:
    event = finding(verdict, ABOUT)
    DetectionFinding.model_validate(json.loads(json.dumps(event, default=str)))
    hold_to_the_rules(event, "detection_finding")
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"] == 200401
    assert ("risk_score" in event) == (verdict["attack"] is not None)
    assert 0 <= event.get("confidence_score", 0) <= 100 and 0 <= event.get("risk_score", 0) <= 100
    for name in ("severity", "status", "confidence"):
        caption = DetectionFinding.model_validate(plain(event)).model_dump()[f"{name}_id"].name
        assert event[name] == caption


@cache
def published() -> Any:
    """OCSF 1.5.0 as its server exports it, as JSON Schema."""
    ocsf = pytest.importorskip("ocsf_json_schema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = ocsf.OcsfJsonSchemaEmbedded(ocsf.get_ocsf_schema("1.5.0")).get_class_schema("detection_finding", [])
    return jsonschema.Draft202012Validator(schema)


@given(any_verdict())
def test_any_verdict_is_valid_by_the_published_schema(verdict: dict[str, Any]) -> None:
    published().validate(plain(finding(verdict, ABOUT)))


@given(any_verdict())
def test_nothing_that_is_known_of_the_event_is_lost(verdict: dict[str, Any]) -> None:
    event = finding(verdict, ABOUT)
    told = set(map(str, leaves({name: event.get(name) for name in ("evidences", "device", "unmapped")})))
    for name, value in (verdict.get("event") or {}).items():
        assert {str(value), str(address(str(value)))} & told, name


def leaves(value: Any) -> Any:
    """Everything that is said in an object, its objects included."""
    yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)


def test_a_plain_verdict() -> None:
    event = finding(PLAIN, ABOUT)
    assert event["time"] == NOW - 3_600_000
    assert (event["severity_id"], event["severity"]) == (4, "High")
    assert (event["status_id"], event["status_code"], event["status_detail"]) == (1, "decided", "the student is sure")
    assert (event["confidence_id"], event["confidence_score"], event["risk_score"]) == (3, 97, 98)
    assert event["is_alert"] is True
    assert event["message"] == event["finding_info"]["title"] == "SQL injection"
    assert event["finding_info"]["desc"] == (
        "SQL injection. Severity high because sqli is an attack (high at most); attack probability 0.98, 0.9 or more; "
        "the student decided. sqli (attack 0.98) at access.log:17: decided by the student, the student is sure"
    )
    assert event["metadata"]["log_name"] == "access.log"
    assert event["finding_info"]["analytic"]["uid"] == "0123456789abcdef"
    assert event["unmapped"]["student"] == PLAIN["student"] and event["unmapped"]["full"] is None
    assert event.keys().isdisjoint({"evidences", "observables", "raw_data"})


def test_an_escalated_verdict_with_its_event() -> None:
    event = finding(ESCALATED, ABOUT)
    assert event["finding_info"]["analytic"]["uid"] == "https://models.example/full"
    assert [a["uid"] for a in event["finding_info"]["related_analytics"]] == ["0123456789abcdef"]
    assert event["confidence_score"] == 50 and event["raw_data"] == ESCALATED["text"]
    url = {"url_string": EVENT["url"], "path": "/item", "query_string": "id=1'--", "hostname": "shop.example"}
    assert event["evidences"] == [
        {
            "name": "access",
            "src_endpoint": {"ip": "192.0.2.7", "port": 51234},
            "dst_endpoint": {"ip": "2001:db8::1", "port": 443, "svc_name": "http"},
            "connection_info": {"direction_id": 0, "protocol_name": "tcp", "uid": "C1a2b3"},
            "url": url,
            "http_request": {"http_method": "GET", "user_agent": "sqlmap/1.8", "url": url},
            "http_response": {"code": 500},
            "query": {"hostname": "shop.example"},
            "user": {"name": "alice"},
        }
    ]
    assert {(o["name"], o["value"]) for o in event["observables"]} == {
        ("evidences.src_endpoint.ip", "192.0.2.7"),
        ("evidences.dst_endpoint.ip", "2001:db8::1"),
        ("evidences.url.hostname", "shop.example"),
        ("evidences.url.url_string", EVENT["url"]),
        ("evidences.query.hostname", "shop.example"),
        ("evidences.user.name", "alice"),
    }
    assert event["unmapped"]["event"] == {"vlan": 12} and event["unmapped"]["group"] == 3


@pytest.mark.parametrize(
    ("event", "evidence", "unmapped"),
    [
        ({"method": "PROPFIND", "url": "/"}, {"url": {"url_string": "/", "path": "/"}}, {"method": "PROPFIND"}),
        ({"src_port": 5, "protocol": "dns"}, None, {"src_port": 5, "protocol": "dns"}),
        ({"src_ip": "client7"}, {"src_endpoint": {"hostname": "client7"}}, None),
        ({"host": "web1"}, {"device": {"hostname": "web1", "type_id": 0}}, None),
        ({"host": "a.example", "dst_ip": "::1"}, {"dst_endpoint": {"ip": "::1", "hostname": "a.example"}}, None),
        ({"url": "http://[bad"}, {"url": {"url_string": "http://[bad"}}, None),
        ({"status": 404}, {"http_response": {"code": 404}, "data": {"status": 404}}, None),
    ],
)
def test_events_that_fit_only_in_part(event: Any, evidence: Any, unmapped: Any) -> None:
    found = finding({**PLAIN, "event": event}, ABOUT)
    assert found.get("device") == (evidence or {}).pop("device", None)
    assert found.get("evidences") == ([{"name": "access", **evidence}] if evidence else None)
    assert found["unmapped"].get("event") == unmapped


def test_what_nobody_decided_is_of_low_confidence_and_still_an_alert() -> None:
    event = finding({**PLAIN, "status": "held", "decided_by": "nobody"}, ABOUT)
    assert (event["confidence_id"], event["severity"], event["is_alert"]) == (1, "Medium", True)
    assert "undecided" in event["finding_info"]["desc"]
    event = finding({**PLAIN, "label": "benign", "attack": 0.01}, ABOUT)
    assert (event["severity"], event["is_alert"]) == ("Informational", False)


def test_the_sink_writes_what_the_function_says() -> None:
    out = io.BytesIO()
    SINKS["ocsf"].stream(out, ABOUT).write([PLAIN, ESCALATED])
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [finding(v, ABOUT) for v in (PLAIN, ESCALATED)]


def test_scores_that_are_no_numbers_are_an_alert_without_a_score() -> None:
    event = finding(NO_NUMBERS, ABOUT)
    assert event.keys().isdisjoint({"confidence_score", "risk_score"})
    assert (event["is_alert"], event["severity"], event["confidence"]) == (True, "Medium", "Low")
    assert (event["finding_info"]["title"], event["unmapped"]["attack"]) == ("unlabelled", None)
    assert (
        "unlabelled (attack unknown) at access.log:17: undecided, the student's scores" in event["finding_info"]["desc"]
    )
