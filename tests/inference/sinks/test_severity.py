"""How grave a verdict is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.inference.sinks import severity

BENIGN = ("benign", "normal")
labels = st.sampled_from(["sqli", "cmdi", "probe", "never heard of"])
statuses = st.sampled_from(["decided", "deferred", "held", "abstained"])


@pytest.mark.parametrize(
    ("label", "attack", "status", "expected"),
    [
        ("benign", 0.01, "decided", "informational"),
        ("normal", 0.4, "decided", "informational"),
        ("benign", 0.4, "held", "low"),
        ("sqli", 0.98, "decided", "high"),
        ("sqli", 0.6, "decided", "medium"),
        ("sqli", 0.4, "decided", "low"),
        ("sqli", 0.98, "abstained", "medium"),
        ("sqli", 0.6, "deferred", "low"),
        ("CMDI", 0.9, "decided", "critical"),
        ("cmdi", 0.98, "held", "high"),
        ("port-scan", 0.98, "decided", "medium"),
        ("probe", 0.6, "abstained", "low"),
    ],
)
def test_severity(label: str, attack: float, status: str, expected: str) -> None:
    assert severity.NAMES[severity.severity(label, attack, BENIGN, status)] == expected
    assert severity.NAMES[severity.of({"label": label, "attack": attack, "status": status}, BENIGN)] == expected


@given(labels, st.floats(0, 1), st.floats(0, 1), statuses)
def test_a_likelier_attack_is_no_less_grave(label: str, one: float, other: float, status: str) -> None:
    less, more = sorted((one, other))
    assert severity.severity(label, less, BENIGN, status) <= severity.severity(label, more, BENIGN, status)


@given(labels, st.floats(0, 1), statuses)
def test_no_attack_is_informational_and_none_graver_for_being_undecided(label: str, attack: float, status: str) -> None:
    found = severity.severity(label, attack, BENIGN, status)
    assert severity.LOW <= found <= severity.severity(label, attack, BENIGN, "decided")


def test_names_are_read_back() -> None:
    assert [severity.parse(name.upper()) for name in severity.NAMES.values()] == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match=r"'grave'.*informational, low, medium, high, critical"):
        severity.parse("grave")


def test_names_are_those_of_ocsf() -> None:
    from py_ocsf_models.events.findings.severity_id import SeverityID

    assert {number: SeverityID(number).name.lower() for number in severity.NAMES} == severity.NAMES


def test_what_is_not_known_is_not_belittled() -> None:
    assert severity.severity(None, None, BENIGN, "abstained") == severity.MEDIUM
