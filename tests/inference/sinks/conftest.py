"""Verdicts to write, and what is said beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from overproof.inference.sinks import About
from overproof.inference.sinks.fields import COLUMNS

NOW = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z

STUDENT = {
    "label": "sqli",
    "attack": 0.98,
    "confidence": 0.97,
    "probabilities": {"benign": 0.02, "sqli": 0.97, "xss": 0.01},
    "windows": 1,
    "overflow": False,
    "ood_distance": 9.875,
    "tier": 2,
}
FULL = {"label": "xss", "attack": 0.75, "confidence": 0.5, "probabilities": {"benign": 0.25, "sqli": 0.25, "xss": 0.5}}
PLAIN = {
    "origin": "access.log:17",
    "source": "access",
    "time": "2026-01-02T03:04:05.678+01:00",
    "label": "sqli",
    "attack": 0.98,
    "status": "decided",
    "decided_by": "student",
    "stood_in": False,
    "reason": "the student is sure",
    "student": STUDENT,
    "full": None,
    "models": {"student": "0123456789abcdef", "full": None},
}
EVENT = {
    "src_ip": "192.0.2.7",
    "src_port": 51234,
    "dst_ip": "2001:db8::1",
    "dst_port": 443,
    "transport": "tcp",
    "protocol": "http",
    "host": "shop.example",
    "url": "/item?id=1'--",
    "method": "GET",
    "user_agent": "sqlmap/1.8",
    "status": 500,
    "user": "alice",
    "query": "shop.example",
    "flow_id": "C1a2b3",
    "vlan": 12,
}
ESCALATED = {
    **PLAIN,
    "label": "xss",
    "attack": 0.75,
    "decided_by": "full",
    "reason": "confidence 0.71 < 0.934",
    "full": FULL,
    "models": {"student": "0123456789abcdef", "full": "https://models.example/full"},
    "event": EVENT,
    "text": "GET /item?id=1'-- …\x00",
    "group": 3,
}
NO_NUMBERS = {
    **PLAIN,
    "label": None,
    "attack": None,
    "status": "abstained",
    "decided_by": "nobody",
    "reason": "the student's scores are no numbers; no full model was given",
    "student": {
        "label": None,
        "attack": None,
        "confidence": None,
        "probabilities": {"benign": None, "sqli": None, "xss": None},
        "windows": 1,
        "overflow": False,
        "ood_distance": None,
        "tier": None,
    },
    "event": EVENT,
}


@pytest.fixture
def about() -> About:
    """What is said beside the verdicts."""
    return About("1.2.3", ("benign",), {"student": "0123456789abcdef", "full": None}, NOW)


@pytest.fixture
def verdicts() -> Callable[[int], list[dict[str, Any]]]:
    """So many verdicts, no two alike."""
    return lambda count: [{**(ESCALATED if i % 3 else PLAIN), "origin": f"access.log:{i + 1}"} for i in range(count)]


# What attackers may put anywhere, short of what Arrow's strings cannot hold.
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
shares = st.floats(0, 1, width=32).map(np.float32) | st.floats(0, 1, width=32)
columns = st.dictionaries(
    st.sampled_from([*COLUMNS, "vlan", "tags"]),
    words | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 70_000) | st.booleans() | st.lists(words, max_size=2),
)
addresses = st.ip_addresses().map(str) | words
spans = st.lists(
    st.fixed_dictionaries(
        {"start": st.integers(0, 9), "end": st.integers(1, 99), "weight": st.floats(0, 99), "text": words},
        optional={"part": words},
    ),
    max_size=3,
)
times = st.none() | words | st.datetimes().map(str) | st.floats(0, 1e11).map(str)
campaigns = st.fixed_dictionaries(
    {
        "count": st.integers(1, 1000),
        "first": times,
        "last": times,
        "source": words,
        "family": words,
        "targets": st.integers(0, 1000),
        "more_targets": st.booleans(),
        "status": st.dictionaries(words, st.integers(1, 99), max_size=2),
        "examples": st.lists(st.fixed_dictionaries({"origin": words, "time": times, "target": words}), max_size=3),
    }
)
TOLD = {
    "excerpt": words,
    "family": words | st.sampled_from(["xss", "beacon", "page"]),
    "campaign": campaigns,
    "excepted": words,
}


@st.composite
def any_verdict(draw: st.DrawFn) -> dict[str, Any]:
    """A verdict of any shape that the contract allows."""

    def answer() -> dict[str, Any]:
        label = draw(st.sampled_from(["benign", "sqli", "cmdi", "probe", "malicious", "encoded-powershell"]))
        probabilities = draw(st.dictionaries(words, shares, max_size=3))
        return {"label": label, "attack": draw(shares), "confidence": draw(shares), "probabilities": probabilities}

    known = draw(st.booleans())  # else the student's scores are no numbers
    said = answer() if known else {**NO_NUMBERS["student"]}
    student = {**said, "windows": draw(st.integers(1, 16)), "overflow": draw(st.booleans())}
    student["ood_distance"] = draw(st.none() | st.floats(0, 1e6, width=32))
    student["tier"] = draw(st.sampled_from([None, 1, 2]))
    full = (draw(st.booleans()) and answer()) or None
    stands = full or student
    undecided = ["deferred", "held", "abstained"]
    status = "decided" if full else draw(st.sampled_from(["decided", *undecided] if known else undecided))
    event = draw(columns) | draw(st.fixed_dictionaries({}, optional={"src_ip": addresses, "dst_ip": addresses}))
    return {
        "origin": draw(words),
        "source": draw(words),
        "time": draw(times),
        "label": stands["label"],
        "attack": stands["attack"],
        "status": status,
        "decided_by": "full" if full else "student" if status == "decided" else "nobody",
        "stood_in": draw(st.booleans()),
        "reason": draw(words),
        "student": student,
        "full": full,
        "models": {"student": "0123456789abcdef", "full": "https://models.example" if full else None},
        **({"event": event} if event else {}),
        **draw(
            st.fixed_dictionaries({}, optional={"text": words, "group": st.integers(0, 99), "spans": spans, **TOLD})
        ),
    }


def plain(verdict: dict[str, Any]) -> dict[str, Any]:
    """The verdict as JSON tells it: of a number of 32 bits, the shortest decimal that is that number."""
    return json.loads(json.dumps(verdict, default=lambda number: float(str(number))))  # type: ignore[no-any-return]
