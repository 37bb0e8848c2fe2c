"""What an alert says of itself: its name, between whom, where in the event, how grave and why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.inference.sinks import About, severity
from overproof.inference.sinks.ecs import document
from overproof.inference.sinks.families import GENERIC, TECHNIQUES, TITLES, Technique
from overproof.inference.sinks.ocsf import finding
from overproof.inference.sinks.techniques import ID, read_techniques
from overproof.inference.sinks.wording import EXCERPT, description, excerpt, family_of, headline, title

from .conftest import ESCALATED, NO_NUMBERS, NOW, PLAIN

ABOUT = About("1.2.3", ("benign",), {"student": "0123456789abcdef", "full": None}, NOW)
SPANS = [
    {"start": 0, "end": 9, "weight": 3.0, "text": "1' or\x1b 1=1", "part": "query parameter id"},
    {"start": 9, "end": 12, "weight": 1.0, "text": "sql", "part": "user agent"},
    {"start": 12, "end": 14, "weight": 0.5, "text": "--", "part": "query parameter id"},
]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "SQL injection"),
        ({"label": "SQLi"}, "SQL injection"),
        ({"label": "my-own"}, "my-own"),
        ({"label": None}, "unlabelled"),
        ({"label": "malicious", "family": "xss"}, "Cross-site scripting"),
        ({"label": "malicious", "family": "page"}, "malicious HTTP request"),
        ({"label": "malicious", "family": None, "source": "zeek-dns"}, "malicious DNS lookup"),
        ({"label": "malicious", "source": "flows"}, "malicious connections of one host in a minute"),
        ({"label": "malicious", "source": "syslog"}, "malicious event"),
        ({"label": "malicious", "source": "payload"}, "malicious payload"),
        ({"label": "sqli", "family": "xss"}, "SQL injection"),
    ],
)
def test_an_alert_is_named_by_its_family(changed: dict[str, Any], expected: str) -> None:
    verdict = {**PLAIN, **changed}
    assert title(verdict) == expected
    assert finding(verdict, ABOUT)["finding_info"]["title"] == expected
    assert document(verdict, ABOUT)["rule"]["description"] == expected
    assert finding(verdict, ABOUT)["finding_info"]["types"] == [document(verdict, ABOUT)["rule"]["name"]]


def test_a_label_that_says_no_more_than_attack_leaves_the_family_to_the_event() -> None:
    assert family_of({**PLAIN, "label": "malicious", "family": "XSS"}) == "xss"
    assert family_of({**PLAIN, "label": "malicious", "family": "page"}) == "malicious"
    assert {name.lower() for name in GENERIC} == GENERIC and not GENERIC & TITLES.keys()


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (PLAIN, "SQL injection"),
        ({**PLAIN, "spans": []}, "SQL injection"),
        (
            {**ESCALATED, "spans": SPANS},
            "Cross-site scripting from 192.0.2.7 to 2001:db8::1 port 443 (host shop.example), "
            'flagged for "1\' or\\x1b 1=1" in the query parameter id, "sql" in the user agent, '
            '"--" in the query parameter id',
        ),
        ({**PLAIN, "event": {"user": "al\nice"}}, "SQL injection from al\\nice"),
        ({**PLAIN, "event": {"src_ip": "192.0.2.7", "host": "192.0.2.7"}}, "SQL injection from 192.0.2.7"),
        (
            {**PLAIN, "event": {"src_ip": "192.0.2.7", "dst_ip": "192.0.2.8", "dst_port": 3, "transport": "icmp"}},
            "SQL injection from 192.0.2.7 to 192.0.2.8",
        ),
        ({**PLAIN, "event": {"src_ip": "192.0.2.7", "host": "web1"}}, "SQL injection from 192.0.2.7 to web1"),
        (
            {**PLAIN, "event": {"src_ip": "127.0.0.1", "dst_ip": "127.0.0.1", "dst_port": 8080, "host": "127.0.0.1"}},
            "SQL injection from 127.0.0.1 to 127.0.0.1 port 8080",
        ),
        (
            {**PLAIN, "event": {"src_ip": "192.0.2.7", "dst_ip": "192.0.2.8", "dst_port": 8080, "host": "b.example"}},
            "SQL injection from 192.0.2.7 to 192.0.2.8 port 8080 (host b.example)",
        ),
        (
            {**PLAIN, "status": "abstained", "decided_by": "nobody", "event": {"src_ip": "192.0.2.7"}},
            "SQL injection (undecided) from 192.0.2.7",
        ),
        (
            {**PLAIN, "spans": [{"start": 0, "end": 2, "weight": 1.0, "text": "\r\n", "part": "body"}]},
            "SQL injection, flagged for white space in the body",
        ),
        (
            {**PLAIN, "spans": [{"start": 0, "end": 1, "weight": 1.0, "text": "x" * 500}]},
            f'SQL injection, flagged for "{"x" * 80}…"',
        ),
        (
            {
                **PLAIN,
                "spans": [
                    {"start": 9, "end": 10, "weight": 3.0, "text": "^", "part": "field duration", "shown": "2^0s"},
                    {"start": 11, "end": 12, "weight": 1.0, "text": "s", "part": "field duration", "shown": "2^0s"},
                ],
            },
            'SQL injection, flagged for "2^0s" in the field duration',
        ),
    ],
    ids=[
        "plain",
        "no span",
        "all of it",
        "a name of two lines",
        "to itself",
        "icmp",
        "a host without address",
        "over the loopback",
        "through a proxy",
        "undecided",
        "white space",
        "a long span",
        "a short field, twice",
    ],
)
def test_the_headline(verdict: dict[str, Any], expected: str) -> None:
    assert headline(verdict) == expected
    assert finding(verdict, ABOUT)["message"] == expected
    assert document(verdict, ABOUT)["message"].startswith(expected + ". ")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {},
            "high because sqli is an attack (high at most); attack probability 0.98, 0.9 or more; the student decided",
        ),
        (
            {**ESCALATED, "label": "rce", "attack": 0.8999999},
            "high because rce runs code on the machine when it succeeds (critical at most); attack probability 0.89, "
            "below 0.9: one level less; the full model decided",
        ),
        (
            {"label": "probe", "attack": 0.4},
            "low because probe only prepares an attack (medium at most); attack probability 0.40, below 0.5: low, "
            "whatever it is; the student decided",
        ),
        (
            {"status": "held", "decided_by": "nobody"},
            "medium because sqli is an attack (high at most); attack probability 0.98, 0.9 or more; nobody decided"
            ": one level less, and never below low",
        ),
    ],
    ids=["sure", "likely", "unlikely", "undecided"],
)
def test_severity_explains_itself(changed: dict[str, Any], expected: str) -> None:
    verdict = {**PLAIN, **changed}
    assert f"Severity {expected}. " in description(verdict, ABOUT)
    assert (
        description(verdict, ABOUT)
        == finding(verdict, ABOUT)["finding_info"]["desc"]
        == document(verdict, ABOUT)["message"]
    )


@given(st.sampled_from(["sqli", "rce", "probe"]), st.floats(0, 1), st.sampled_from(["decided", "held"]))
def test_the_reasons_add_up_to_the_severity(label: str, attack: float, status: str) -> None:
    decided_by = "student" if status == "decided" else "nobody"
    why = severity.because({"label": label, "attack": attack, "decided_by": decided_by})
    numbers = {name: number for number, name in severity.NAMES.items()}
    most = numbers[re.search(r"\((\w+) at most\)", why)[1]]  # type: ignore[index]
    counted = severity.LOW if "low, whatever it is" in why else max(severity.LOW, most - why.count("one level less"))
    assert counted == severity.severity(label, attack, ("benign",), status)
    said = float(re.search(r"probability (\d\.\d\d)", why)[1])  # type: ignore[index]
    assert (said >= severity.SURE) == (attack >= severity.SURE) and (said >= severity.LIKELY) == (
        attack >= severity.LIKELY
    )


def test_what_has_no_label_says_why_it_is_medium() -> None:
    assert "Severity medium because what has no label is an attack (high at most); nobody knows how likely it is; " in (
        description(NO_NUMBERS, ABOUT)
    )


def test_a_sum_over_flows_tells_its_figures() -> None:
    event = {"src_ip": "192.0.2.7", "connections": 1200, "peers": 254, "ports": 1, "failed": 0.957, "gap": 0.0512}
    told = description({**PLAIN, "label": "port-scan", "source": "flows", "event": event}, ABOUT)
    assert told.startswith(
        "Port scan from 192.0.2.7. 1,200 connections in a minute to 254 hosts and 1 port, 96 % of them failed, "
        "0.0512 s between two on average. "
    )
    assert "connections" not in description({**PLAIN, "source": "csv", "event": event}, ABOUT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /\x1b[2J\x9b\u202e\u200bx", "GET /\\x1b[2J\\x9b\\u202e\\u200bx"),
        ("two\nlines\t", "two\nlines\t"),
        ("x" * EXCERPT, "x" * EXCERPT),
        ("x" * 3000, "x" * EXCERPT + "… (cut: the first 2,048 of 3,000 characters)"),
    ],
    ids=["controls", "lines", "as long as may be", "cut"],
)
def test_an_excerpt_shows_what_is_there(text: str, shown: str) -> None:
    assert excerpt(text) == shown
    assert finding({**PLAIN, "excerpt": shown}, ABOUT)["raw_data"] == shown
    assert document({**PLAIN, "excerpt": shown}, ABOUT)["event"]["original"] == shown
    assert document({**PLAIN, "excerpt": shown, "text": text}, ABOUT)["event"]["original"] == text  # --with-text


def test_the_built_in_techniques_are_of_attack() -> None:
    assert all(ID.fullmatch(each.id) and ("." in each.id) == (each.of is not None) for each in TECHNIQUES.values())
    assert all(family == family.lower() for family in [*TECHNIQUES, *TITLES])
    names = {(each.technique_id, each.of or each.name) for each in TECHNIQUES.values()}
    assert len({id for id, _ in names}) == len(names)  # one name each


def test_a_technique_stands_in_both_forms() -> None:
    technique = Technique("T1059.001", "PowerShell", "Command and Scripting Interpreter")
    about = About("1.2.3", ("benign",), {}, NOW, {"sqli": technique, "xss": None})
    assert finding(PLAIN, about)["finding_info"]["attacks"] == [
        {
            "technique": {"uid": "T1059", "name": "Command and Scripting Interpreter"},
            "sub_technique": {"uid": "T1059.001", "name": "PowerShell"},
        }
    ]
    assert document(PLAIN, about)["threat"] == {
        "framework": "MITRE ATT&CK",
        "technique": {
            "id": ["T1059"],
            "name": ["Command and Scripting Interpreter"],
            "subtechnique": {"id": ["T1059.001"], "name": ["Command and Scripting Interpreter: PowerShell"]},
        },
    }
    for other in ({**PLAIN, "label": "xss"}, {**PLAIN, "label": "my-own"}, {**PLAIN, "label": "benign"}):
        assert "attacks" not in finding(other, about)["finding_info"] and "threat" not in document(other, about)
    (plain,) = finding(PLAIN, ABOUT)["finding_info"]["attacks"]
    assert plain == {"technique": {"uid": "T1190", "name": "Exploit Public-Facing Application"}}


def test_a_table_of_techniques_is_read(tmp_path: Path) -> None:
    table = tmp_path / "techniques.json"
    table.write_text(json.dumps({"My-Own": {"id": "T1595", "name": "Active Scanning"}, "sqli": None}))
    assert read_techniques(table) == {"my-own": Technique("T1595", "Active Scanning"), "sqli": None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not JSON"),
        ('{"a": null, "a": null}', "stands twice"),
        ("[1]", "expected a JSON object of families"),
        ('{"a": "T1190"}', """'a': expected {"id": "T1190", "name": "…"}"""),
        ('{"a": {"id": "T1190"}}', "'a': expected"),
        ('{"a": {"id": "T1190", "name": "x", "tactic": "y"}}', "'a': expected"),
        ('{"a": {"id": "1190", "name": "x"}}', "'a': id is '1190', expected T and four digits"),
        ('{"a": {"id": "T1190.01", "name": "x"}}', "'a': id is 'T1190.01'"),
        ('{"a": {"id": 1190, "name": "x"}}', "'a': id is 1190"),
        ('{"a": {"id": "T1190", "name": " "}}', "'a': name is ' ', expected a name"),
        ('{"a": {"id": "T1059.001", "name": "x"}}', "T1059.001: of a sub-technique, and of no other"),
        ('{"a": {"id": "T1190", "name": "x", "of": "y"}}', "T1190: of a sub-technique, and of no other"),
        ("x" * (1 << 20) + "x", "more than 1,048,576 bytes"),
        (None, "cannot be read"),
    ],
    ids="broken twice list text no-name tactic no-t short number blank no-of of long absent".split(),
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    table = tmp_path / "techniques.json"
    if content is not None:
        table.write_text(content)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        read_techniques(table)
    assert str(error.value).startswith(f"{table}: ")


CAMPAIGN = {
    "count": 85,
    "first": "2026-01-02T02:00:00Z",
    "last": "2026-01-02T02:09:59.5Z",
    "source": "192.0.2.7",
    "family": "sqli",
    "targets": 12,
    "more_targets": False,
    "status": {"decided": 80, "held": 5},
    "examples": [{"origin": "access.log:17", "time": None, "attack": 0.98}],
}


def test_a_campaign_says_how_many_alerts_and_targets_and_when() -> None:
    verdict = {**ESCALATED, "campaign": CAMPAIGN}
    found, told = finding(verdict, ABOUT), document(verdict, ABOUT)
    assert found["message"] == "Cross-site scripting from 192.0.2.7 (85 alerts on 12 targets)"
    assert told["message"].startswith(found["message"])
    first, last = NOW - 3_845_678, NOW - 3_246_178
    assert (found["count"], found["start_time"], found["end_time"]) == (85, first, last)
    info = found["finding_info"]
    assert (info["related_events_count"], info["first_seen_time"], info["last_seen_time"]) == (85, first, last)
    assert (told["event"]["start"], told["event"]["end"]) == ("2026-01-02T02:00:00.000Z", "2026-01-02T02:09:59.500Z")
    assert found["unmapped"]["campaign"] == told["overproof"]["campaign"] == CAMPAIGN


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"count": 1, "targets": 1}, " to 2001:db8::1 port 443 (host shop.example)"),
        ({"targets": 1}, " to 2001:db8::1 port 443 (host shop.example) (85 alerts)"),
        ({"targets": 1000, "more_targets": True}, " (85 alerts on 1,000 or more targets)"),
    ],
    ids=["one alert", "one target", "many targets"],
)
def test_the_headline_of_a_campaign(changed: dict[str, Any], expected: str) -> None:
    verdict = {**ESCALATED, "campaign": {**CAMPAIGN, **changed}}
    assert headline(verdict) == f"Cross-site scripting from 192.0.2.7{expected}"
