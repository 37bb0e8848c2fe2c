"""What a rule silences, and what it does not, though whoever attacks knows the rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Scores
from overproof.inference.cascade import Cascade, Policy
from overproof.inference.exceptions import Rule, Silencer
from overproof.inference.exceptions.match import concerns
from overproof.inference.exceptions.silencer import MOST_PROVED, _names
from overproof.inference.explanation import Span

HARMLESS = "union select of the docs"
ATTACKS = re.compile(r"union\s+select|<script|drop table")


class Student:
    """Takes each of some phrases for an attack, sure of itself; calls what is strange far from all it knows."""

    classes = ("benign", "sqli")
    manifest = SimpleNamespace(classes=classes, benign=("benign",), models=["0" * 64])

    def __init__(self) -> None:
        self.asked = 0

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked += len(texts)
        logits = [[4.0, 8.0 * len(ATTACKS.findall(text))] for text in texts]
        far = np.array([90.0 if "strange" in text else 1.0 for text in texts], dtype=np.float32)
        n, benign = len(texts), np.array([True, False])
        cut = np.array([len(text) > 2000 for text in texts], dtype=bool)
        found = np.array(logits, dtype=np.float32).reshape(n, 2)
        return Scores(found, self.classes, np.ones(n, dtype=np.int32), cut, far, benign=benign)


def cascade(**policy: Any) -> Cascade:
    return Cascade(Student(), None, Policy(ood_distance=50.0, **policy))  # type: ignore[arg-type]


def rule(name: str = "known", until: str = "2999-01-01T00:00:00+00:00", **conditions: str) -> Rule:
    return Rule(name, "J. Doe", "ticket 4711", until, **conditions)


def silenced(text: str, *rules: Rule, event: dict[str, Any] | None = None, **changed: Any) -> tuple[str | None, str]:
    """The rule that silences an alert, and the reason of one that does not."""
    judging = cascade()
    (verdict,) = judging.judge([text])
    verdict = {"source": "access", **verdict, "event": event or {}, **changed}
    found = Silencer(rules, judging)([verdict], [text])
    return found.silenced.get(0), found.left.get(0, "")


SPAN = rule(span=HARMLESS)


@pytest.mark.parametrize(
    "text", [f"GET /?q={HARMLESS}", HARMLESS, f"a {HARMLESS} b {HARMLESS}"], ids=["in a request", "alone", "twice"]
)
def test_a_known_text_is_silenced_where_it_is_all_there_is(text: str) -> None:
    assert silenced(text, SPAN) == ("known", "")


@pytest.mark.parametrize(
    "text",
    [
        f"q={HARMLESS}&id=1; drop table users",
        f"<script>alert(1)</script>{HARMLESS}",
        f"union {HARMLESS}select 1",
        f"union{HARMLESS}select 1",
        f"strange words around {HARMLESS}",
        "union select of it",
    ],
    ids=["another attack", "before it", "torn by it, joined", "torn by it, apart", "out of distribution", "alike"],
)
def test_nothing_hides_behind_a_known_text(text: str) -> None:
    assert silenced(text, SPAN)[0] is None


@pytest.mark.parametrize(
    ("spans", "named"),
    [
        ([(7, 31)], True),
        ([(0, 31)], True),
        ([(7, 9), (60, 70)], True),
        ([(40, 70)], False),
        ([(0, 14)], False),
        ([(60, 70), (7, 31)], False),
        ([], False),
    ],
    ids=["the text", "with a little more", "part of it, first", "another", "its beginning", "second", "nothing"],
)
def test_the_explanation_names_the_text_first(spans: list[tuple[int, int]], named: bool) -> None:
    text = f"GET /q={HARMLESS}{'.' * 50}"
    assert _names([Span(start, end, 1.0) for start, end in spans], text, HARMLESS) is named


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"status": "abstained", "decided_by": "nobody"}, "nobody decided"),
        ({"status": "deferred", "decided_by": "nobody"}, "nobody decided"),
        ({"stood_in": True}, "in place of the full model"),
        ({"label": None}, "nobody decided"),
    ],
    ids=["abstained", "deferred", "stood in", "no label"],
)
@pytest.mark.parametrize("by", [SPAN, rule(source="192.0.2.0/24")], ids=["span", "source"])
def test_what_nobody_is_sure_of_stays_an_alert(by: Rule, changed: dict[str, Any], why: str) -> None:
    found, left = silenced(f"GET /?q={HARMLESS}", by, event={"src_ip": "192.0.2.7"}, **changed)
    assert found is None and why in left


@pytest.mark.parametrize(
    ("text", "full", "why"),
    [
        ("union select, strange", False, "out of distribution"),
        ("union select, strange", True, ""),
        ("union select " + "x" * 2000, True, "beyond what was judged"),
    ],
    ids=["out of distribution", "that the full model decided", "cut"],
)
def test_what_was_not_judged_whole_or_is_unknown_stays_an_alert(text: str, full: bool, why: str) -> None:
    by = {"status": "decided", "decided_by": "full" if full else "student"}
    found, left = silenced(text, rule(source="192.0.2.7"), event={"src_ip": "192.0.2.7"}, **by)
    assert (found is None) == bool(why) and why in left


def test_a_span_never_speaks_against_the_full_model() -> None:
    found, left = silenced(f"GET /?q={HARMLESS}", SPAN, decided_by="full")
    assert found is None and "the full model decided" in left


def test_an_expired_rule_silences_nothing_and_says_so() -> None:
    old = rule("old", "2020-01-01T00:00:00+00:00", span=HARMLESS)
    assert silenced(f"q={HARMLESS}", old) == (None, "the rule old expired on 2020-01-01T00:00:00+00:00")
    assert silenced(f"q={HARMLESS}", old, SPAN) == ("known", "")


def test_of_several_rules_the_first_that_holds_silences() -> None:
    event = {"src_ip": "192.0.2.7"}
    first, second = rule("one", source="198.51.100.1"), rule("two", source="192.0.2.7")
    assert silenced("union select", first, second, rule("three", source="192.0.2.0/24"), event=event)[0] == "two"


def test_proofs_are_bounded() -> None:
    judging = cascade()
    texts = [f"{i} {HARMLESS}" for i in range(MOST_PROVED + 9)]
    found = Silencer([SPAN], judging)(list(judging.judge(texts)), texts)
    assert len(found.silenced) == MOST_PROVED and len(found.left) == 9
    assert set(found.left.values()) == {f"more than {MOST_PROVED} texts at once"}


def test_nothing_is_asked_about_alerts_that_no_rule_is_about() -> None:
    judging = cascade()
    verdicts = judging.judge(["union select 1"])
    asked = judging.student.asked  # type: ignore[attr-defined]
    assert Silencer([SPAN], judging)(verdicts, ["union select 1"]).silenced == {}
    assert judging.student.asked == asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "event", "holds"),
    [
        ("192.0.2.7", {"src_ip": "192.0.2.7"}, True),
        ("192.0.2.0/28", {"src_ip": "192.0.2.7"}, True),
        ("192.0.2.0/28", {"src_ip": "::ffff:192.0.2.7"}, True),
        ("2001:db8::/32", {"src_ip": "2001:DB8::1"}, True),
        ("192.0.2.0/28", {"src_ip": "192.0.2.17"}, False),
        ("192.0.2.7", {"dst_ip": "192.0.2.7"}, False),
        ("192.0.2.7", {"src_ip": "scanner.example"}, False),
        ("192.0.2.7", {}, False),
        ("build-7", {"host": "BUILD-7"}, True),
        ("build-7", {"host": "build-7", "url": "/"}, False),
        ("build-7", {"host": "build-7", "src_ip": "192.0.2.9"}, False),
        ("build-7", {"user": "build-7"}, False),
    ],
    ids=[
        "address", "network", "mapped", "IPv6", "another network", "target", "a name", "none", "machine",
        "Host header", "of a connection", "user",
    ],
)  # fmt: skip
def test_who_a_rule_is_about(source: str, event: dict[str, Any], holds: bool) -> None:
    assert concerns(rule(source=source), {"label": "sqli", "event": event}, "") is holds


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("/docs/search?q=1", True),
        ("/docs/", True),
        ("http://shop.example/docs/a", True),
        ("/docs/a%20b", False),
        ("/docs/%61", True),
        ("/docs", False),
        ("/admin", False),
        ("/docs/../admin", False),
        ("/docs/%2e%2e/admin", False),
        ("/docs/%252e%252e/admin", False),
        ("/docs/..;/admin", False),
        ("/docs/..\\admin", False),
        ("/docs//admin", False),
        ("/docs/./a", False),
        ("//docs/a", False),
        ("/docs\t/a", False),
        ("/docs/%ff", False),
        (None, False),
    ],
)
def test_which_paths_a_rule_is_about(url: str | None, holds: bool) -> None:
    event = {} if url is None else {"url": url}
    assert concerns(rule(path="/docs/*"), {"label": "sqli", "event": event}, "") is holds


@pytest.mark.parametrize(
    ("label", "family", "holds"),
    [
        ("sqli", None, True),
        ("SQLI", None, True),
        ("xss", "sqli", False),
        ("attack", "sqli", True),
        ("attack", None, False),
    ],
    ids=["label", "case", "another label", "the event's own", "no family"],
)
def test_which_families_a_rule_is_about(label: str, family: str | None, holds: bool) -> None:
    own = {} if family is None else {"family": family}
    assert concerns(rule(family="sqli"), {"label": label, "event": {}, **own}, "") is holds
