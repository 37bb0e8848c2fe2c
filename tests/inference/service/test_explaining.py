"""Verdicts that tell what carried them, within bounds of number and time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import TypeAdapter

from overproof.bundle.runtime import OnnxScorer
from overproof.inference.explanation.explain import attack_log_odds, explain
from overproof.inference.service import explaining, schemas

from .conftest import Client, Start

POOL = [f"{word} {i}" for i in range(12) for word in ("select", "<script>", "GET /index.html", "union all", "a=b&c")]


@pytest.fixture(scope="module")
def alerts(student: OnnxScorer) -> list[str]:
    """Texts that the untrained student flags, the likeliest attack first."""
    scores = student.score(POOL)
    attack = student.attack(scores.probabilities)
    return [POOL[i] for i in (-attack).argsort(kind="stable") if attack[i] > 0.5]


@pytest.fixture(scope="module")
def benign(alerts: list[str]) -> str:
    return next(text for text in POOL if text not in alerts)


def ask(client: Client, texts: list[str]) -> list[dict[str, Any]]:
    answer = client.post("/judge", {"events": [{"text": text} for text in texts], "explain": True}).json()
    assert TypeAdapter(schemas.Verdicts).validate_python(answer, strict=True).model_dump(exclude_unset=True) == answer
    return answer["verdicts"]


def test_an_alert_tells_its_spans_and_their_weight_is_measured(
    client: Client, student: OnnxScorer, alerts: list[str], benign: str
) -> None:
    asked = [benign, *alerts[:4]]
    verdicts = ask(client, asked)
    assert (verdicts[0]["spans"], verdicts[0]["unexplained"]) == (None, "not an alert")
    told = [verdict["spans"] for verdict in verdicts[1:]]
    assert any(told)
    for text, spans, expected in zip(asked[1:], told, explain(student, asked[1:]), strict=True):
        assert [(span["start"], span["end"], span["weight"]) for span in spans] == [
            (span.start, span.end, span.weight) for span in expected
        ]
        for span in spans[:1]:
            assert span["text"] == text[span["start"] : span["end"]]
            odds = attack_log_odds(student.score([text, text[: span["start"]] + text[span["end"] :]]))
            assert odds[0] - odds[1] == pytest.approx(span["weight"], abs=0.01)


def test_one_event_is_explained_as_many_are(client: Client, alerts: list[str]) -> None:
    one = client.post("/judge", {"text": alerts[0], "explain": True}).json()
    assert one == ask(client, alerts[:1])[0]
    plain = client.post("/judge", {"text": alerts[0]}).json()
    assert {name: one[name] for name in plain} == plain and one.keys() - plain.keys() == {"spans", "unexplained"}


def test_a_span_names_the_part_of_a_request() -> None:
    from overproof.inference.explanation import Span

    text = "HTTP GET /a?id=1 host=shop.example.com"
    (span,) = explaining.spelled(text, [Span(text.index("shop"), len(text), 1.5)])
    assert span == {"start": 22, "end": 38, "weight": 1.5, "text": "shop.example.com", "part": "host header"}


def test_the_likeliest_alerts_are_explained_where_there_are_more(start: Start, alerts: list[str], benign: str) -> None:
    client = start(explained=2)
    verdicts = ask(client, [*alerts[:4][::-1], benign])
    assert [verdict["unexplained"] for verdict in verdicts] == [
        *["one of more than 2 alerts"] * 2, None, None, "not an alert",
    ]  # fmt: skip
    assert [verdict["spans"] is None for verdict in verdicts] == [True, True, False, False, True]


def test_a_verdict_does_not_wait_for_what_takes_too_long(
    start: Start, alerts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, gate = start(explain_seconds=0.2), threading.Event()

    def slow(student: Any, texts: Any) -> Any:
        if alerts[0] not in texts:
            gate.wait(30)
        return explain(student, texts)

    monkeypatch.setattr(explaining, "explain", slow)
    try:
        verdicts = ask(client, alerts[:3])
        assert [verdict["unexplained"] for verdict in verdicts] == [None, explaining.NO_TIME, explaining.NO_TIME]
        assert verdicts[0]["spans"] is not None
        assert client.post("/judge", {"text": alerts[1]}).status_code == 200  # nothing else waits for it either
    finally:
        gate.set()


def test_where_no_more_may_wait_verdicts_stay_without(start: Start, alerts: list[str]) -> None:
    (one, two) = ask(start(explain_queue=1), alerts[:2])
    assert one["spans"] is two["spans"] is None
    assert one["unexplained"] == "not explained: explaining: 0 events are waiting, no room for 2 more"


def test_an_explanation_that_fails_takes_no_verdict_with_it(
    start: Start, alerts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(student: Any, texts: Any) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(explaining, "explain", broken)
    (verdict,) = ask(start(), alerts[:1])
    assert (verdict["spans"], verdict["unexplained"]) == (None, "not explained: odd")
