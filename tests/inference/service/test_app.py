"""The endpoints: verdicts as everywhere, and a clear reason where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import EVERYTHING, Cascade, Full, FullDown, Policy, Promise
from overproof.inference.cascade.remote import parsed
from overproof.inference.service import questions, schemas
from overproof.progress import Console, _no_bar

from .conftest import SMALL, TEXTS, Client, Start

ALL = Policy(confidence=1.0)


def sample(client: Client, name: str, **labels: str) -> float | None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = [s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
    return sum(found) if found else None


def test_one_event_is_answered_by_its_verdict(client: Client, student: OnnxScorer) -> None:
    answer = client.post("/judge", {"text": "select * from users", "origin": "a.log:3"})
    (expected,) = Cascade(student).judge(["select * from users"])
    assert answer.json() == {"origin": "a.log:3", "source": "request", "time": None, **expected}
    assert list(answer.json())[:3] == ["origin", "source", "time"]
    assert client.post("/judge", {"text": ""}).json()["origin"] == "request:1"


def test_many_events_are_answered_in_their_order(client: Client, student: OnnxScorer) -> None:
    events = [{"text": text} for text in TEXTS] + [{"text": "x", "origin": "mine"}]
    verdicts = client.post("/judge", {"events": events}).json()["verdicts"]
    assert [v["origin"] for v in verdicts] == [*(f"request:{i + 1}" for i in range(len(TEXTS))), "mine"]
    for verdict, expected in zip(verdicts, Cascade(student).judge([*TEXTS, "x"]), strict=True):
        assert {name: verdict[name] for name in expected} == expected
    assert client.post("/judge", {"events": []}).json() == {"verdicts": []}


def test_predict_is_what_a_text_classifier_answers(client: Client, student: OnnxScorer) -> None:
    answer = client.post("/predict", {"inputs": TEXTS, "parameters": {"top_k": None}})
    expected = student.score(TEXTS).probabilities
    np.testing.assert_allclose(parsed(answer.content, len(TEXTS), student.classes, "u"), expected, atol=1e-7)
    assert all(row == sorted(row, key=lambda s: -s["score"]) for row in answer.json())
    assert client.post("/predict", {"inputs": "a"}).json() == client.post("/predict", {"inputs": ["a"]}).json()
    assert [len(row) for row in client.post("/predict", {"inputs": "a", "parameters": {"top_k": 2}}).json()] == [2]


def test_predict_answers_by_who_decided(start: Start, student: OnnxScorer) -> None:
    sure = np.array([[0.0, 1.0, 0.0]], dtype=np.float32)
    client = start(Full(student.classes, lambda texts: sure.repeat(len(texts), 0), "m"), Policy(confidence=EVERYTHING))
    assert client.post("/predict", {"inputs": "a"}).json()[0][0] == {"label": "sqli", "score": 1.0}


def test_what_is_held_has_no_final_probabilities(start: Start, student: OnnxScorer) -> None:
    def down(texts: Any) -> Any:
        raise FullDown("gone")

    client = start(Full(student.classes, down, "m"), Policy(confidence=EVERYTHING))
    assert client.post("/judge", {"text": "a"}).json()["status"] == "held"
    answer = client.post("/predict", {"inputs": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "held (gone)" in answer.json()["detail"]


def test_embeddings_are_the_students(client: Client, student: OnnxScorer) -> None:
    found = np.array(client.post("/embed", {"inputs": TEXTS}).json(), dtype=np.float32)
    np.testing.assert_array_equal(found, student.embed(TEXTS))


def test_windows_tell_which_one_decides(client: Client, student: OnnxScorer) -> None:
    text = "GET /index.html select * from users <script>alert(1)</script> id=1"
    told = client.post("/windows", {"text": text}).json()
    verdict = client.post("/judge", {"text": text}).json()
    assert len(told["windows"]) == verdict["student"]["windows"] > 1
    (decides,) = [window for window in told["windows"] if window["decides"]]
    assert (decides["label"], decides["attack"]) == (verdict["label"], pytest.approx(verdict["attack"], abs=1e-6))
    assert "".join(told["windows"][0]["tokens"]) == text[: len("".join(told["windows"][0]["tokens"]))]
    assert client.post("/windows", {"text": "a" * 5000}).json()["overflow"] is True


def test_what_a_service_has_not_is_said(client: Client) -> None:
    answer = client.post("/similar", {"inputs": "a"})
    assert (answer.status_code, answer.json()["detail"]) == (
        501, "no index of known events was given: overproof serve --index INDEX",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"", 422, "Field required"),
        (b"{", 422, "JSON decode error"),
        (b'{"text": 1}', 422, "text: Input should be a valid string"),
        (b'{"events": [{"text": "a"}, {"txt": "b"}]}', 422, "events.1.text: Field required; events.1.txt: Extra"),
        (b'{"text": "a", "events": []}', 422, "events.text: Extra|text: Extra"),
        (b'{"text": "\\ud800"}', 422, "text: half of a surrogate pair"),
        (b'{"text": "a", "origin": "\\udfff"}', 422, "origin: half of a surrogate pair"),
        (b'"text"', 422, "valid dictionary"),
        (b"[" * 100_000, 400, "parsing the body"),
        (b'{"text": "\xff"}', 400, "parsing the body"),
        (b'{"text": ' + b"1" * 6000 + b"}", 400, "parsing the body"),
    ],
)
def test_a_mistake_is_named_and_what_was_sent_is_not_repeated(
    client: Client, content: bytes, status: int, why: str
) -> None:
    answer = client.send("/judge", content)
    assert answer.status_code == status
    assert any(part in answer.json()["detail"] for part in why.split("|")), answer.text


def test_parameters_that_are_not_understood_are_refused(client: Client) -> None:
    answer = client.post("/predict", {"inputs": "a", "parameters": {"function_to_apply": "none"}})
    assert answer.status_code == 422
    assert "parameters.function_to_apply: Extra inputs" in answer.json()["detail"]
    answer = client.post("/predict", {"inputs": ["a", 1]})
    assert "inputs.1: Input should be a valid string" in answer.json()["detail"]


def test_too_much_is_refused(start: Start) -> None:
    client = start(body=1000, events=3, characters=100)
    for asked, why in (
        ({"events": [{"text": "a"}] * 4}, "4 events, expected no more than 3"),
        ({"events": [{"text": "a"}, {"text": "b" * 101}]}, "event 2 has 101 characters, expected no more than 100"),
        ({"text": "c" * 1001}, "more than 1,000 bytes"),
    ):
        answer = client.post("/judge", asked)
        assert answer.status_code == 413 and why in answer.json()["detail"]
    assert client.post("/predict", {"inputs": ["a"] * 4}).status_code == 413
    assert client.post("/judge", {"events": [{"text": "a"}] * 3}).status_code == 200

    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 100

    headers = {"content-type": "application/json"}
    assert client.run(client._http.post("/judge", content=endless(), headers=headers)).status_code == 413


def test_half_a_million_mistakes_are_one_answer(start: Start) -> None:
    client = start()
    for body in (b'{"events":[%b]}' % b",".join([b"{}"] * 300_000), b'{"inputs":[%b]}' % b",".join([b"1"] * 500_000)):
        answer = client.send("/predict" if b"inputs" in body else "/judge", body)
        assert answer.status_code == 422
    keys = b",".join(b'"k%d":1' % i for i in range(80_000))
    answer = client.send("/judge", b'{"text":"a",%b}' % keys)
    assert (answer.status_code, "80,001 keys" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize("limit", ["seconds", "body_seconds"])
def test_a_body_that_comes_too_slowly_is_not_waited_for(start: Start, limit: str) -> None:
    import asyncio

    client = start(**{limit: 0.05})

    async def slow() -> Any:
        yield b"{"
        await asyncio.sleep(30)

    answer = client.run(client._http.post("/judge", content=slow(), headers={"content-type": "application/json"}))
    assert (answer.status_code, answer.json()["detail"]) == (408, "the body came too slowly")


def test_a_service_that_ends_says_so(start: Start) -> None:
    client = start()
    assert client.get("/readyz").json()["ready"] is True
    client.service.stopping = True
    answer = client.post("/judge", {"text": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == client.get("/metrics").status_code == 200


def test_readiness_tells_what_is_in_service(start: Start, student: OnnxScorer) -> None:
    told = start().get("/readyz").json()
    assert (told["full"], told["known_events"], told["drift"]) == (None, None, None)
    assert told["drift_unmeasured"] == "fewer than 500 events were judged"
    assert told["classes"] == list(student.classes)
    resting = [False]
    full = Full(student.classes, lambda texts: np.ones((len(texts), 3)) / 3, "m", resting=lambda: resting[0])
    client = start(full)
    assert client.get("/readyz").json()["full"] == "in use"
    resting[0] = True
    assert client.get("/readyz").json()["full"] == "resting after failures"
    assert sample(client, "overproof_full_resting") == 1


def test_everything_is_counted(start: Start, student: OnnxScorer) -> None:
    client = start(None, ALL)
    verdicts = client.post("/judge", {"events": [{"text": t} for t in TEXTS]}).json()["verdicts"]
    client.post("/judge", {})
    client.get("/nowhere")
    client.post("/embed", {"inputs": "a"})
    for verdict in verdicts:
        labels = {name: verdict[name] for name in ("label", "status", "decided_by")}
        assert sample(client, "overproof_verdicts_total", **labels) == len(
            [v for v in verdicts if labels.items() <= v.items()]
        )
    assert sample(client, "overproof_requests_total", endpoint="/judge", code="200") == 1
    assert sample(client, "overproof_requests_total", endpoint="/judge", code="422") == 1
    assert sample(client, "overproof_requests_total", endpoint="other", code="404") == 1
    assert sample(client, "overproof_request_seconds_count", endpoint="/judge") == 2
    assert sample(client, "overproof_batch_events_sum", model="student") == len(TEXTS)
    assert sample(client, "overproof_batch_events_sum", model="lookup") == 1
    assert sample(client, "overproof_queue_events", model="student") == 0
    assert sample(client, "overproof_ready") == 1
    assert sample(client, "overproof_rejected_total", code="429") == 0
    assert sample(client, "overproof_drift") is None
    model = student.manifest.files["model.onnx"]["sha256"]
    assert sample(client, "overproof_bundle_info", model=model, precision="int8") == 1


def test_drift_is_told_once_there_are_enough_events(start: Start, student: OnnxScorer) -> None:
    client = start(None, Policy(temperature=student.manifest.calibration or 1.0))
    for _ in range(2):
        client.post("/judge", {"events": [{"text": f"id={i} select {'x' * (i % 37)}"} for i in range(1000)]})
    # the events that the small bundle's thresholds come from
    for signal in ("confidence", "ood_distance"):
        assert sample(client, "overproof_drift", signal=signal) < 0.01
    assert client.get("/readyz").json()["drift_unmeasured"] is None
    for _ in range(3):
        client.post("/judge", {"events": [{"text": "<script>"}] * 1000})
    assert sample(client, "overproof_drift", signal="confidence") > 0.1


def test_the_interface_is_described_and_true(client: Client) -> None:
    told = client.get("/openapi.json").json()
    assert set(told["paths"]) == set("/judge /predict /embed /similar /windows /card /healthz /readyz /metrics".split())
    schemas.Verdict.model_validate(schemas.VERDICT)  # FastAPI leaves an example's nulls out
    for name in ("Event", "OneEvent", "Events", "Inputs", "Predict", "Embed"):
        for example in told["components"]["schemas"][name]["examples"]:
            getattr(questions, name).model_validate(example)
    for body in ({"text": TEXTS[0]}, {"events": [{"text": text} for text in TEXTS]}):
        verdicts = client.post("/judge", body).json()
        found = TypeAdapter(schemas.Verdict | schemas.Verdicts).validate_python(verdicts, strict=True)
        assert found.model_dump(exclude_unset=True) == verdicts  # nothing is said that is not described
    windows = client.post("/windows", {"text": "a" * 700}).json()
    assert schemas.Windows.model_validate(windows, strict=True).model_dump() == windows
    ready = client.get("/readyz").json()
    assert schemas.Ready.model_validate(ready).model_dump() == ready
    for answer in (client.post("/judge", {}), client.post("/judge", {"text": "a"}, headers={"host": "x"})):
        schemas.Problem.model_validate(answer.json(), strict=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from("text origin events inputs parameters top_k count explain".split())
SHAPED = st.dictionaries(NAMES, JSON | st.lists(st.dictionaries(NAMES, JSON, max_size=3), max_size=4), max_size=4)
PATHS = st.sampled_from("/judge /predict /embed /similar /windows".split())


@settings(max_examples=150)
@given(path=PATHS, body=JSON | SHAPED)
def test_any_json_is_answered(client: Client, path: str, body: Any) -> None:
    answer = client.send(path, json.dumps(body).encode())
    assert answer.status_code in (200, 413, 422, 501), (answer.status_code, answer.text)
    answer.json()


@settings(max_examples=100)
@given(path=PATHS, content=st.binary(max_size=200))
def test_any_bytes_are_answered(client: Client, path: str, content: bytes) -> None:
    answer = client.send(path, content)
    assert answer.status_code in (200, 400, 422, 501)
    answer.json()


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_gets_the_verdict_it_gets_elsewhere(client: Client, student: OnnxScorer, text: str) -> None:
    verdict = client.post("/judge", {"text": text}).json()
    (expected,) = Cascade(student).judge([text])
    assert {name: verdict[name] for name in expected} == expected


def test_limits_that_contradict_each_other_are_refused() -> None:
    from dataclasses import replace

    from overproof.errors import InputError

    with pytest.raises(InputError, match="expected no more than wait at once"):
        replace(SMALL, events=100, queue=99)


def test_telemetry_cannot_be_switched_on_from_outside(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    assert not any(FastAPI.__call__.__globals__["NativeTelemetry"](client.app._telemetry).config[name]
                   for name in ("auto_configure", "tracing", "metrics", "logs"))  # fmt: skip


class NoNumbers(OnnxScorer):
    """A student whose scores of what begins with `nan` are no numbers."""

    def score_and_embed(self, texts: Any) -> Any:
        scores, embeddings = super().score_and_embed(texts)
        broken = [text.startswith("nan") for text in texts]
        scores.logits[broken], embeddings[broken] = np.nan, np.nan
        return scores, embeddings

    def window_logits(self, ids: Any) -> Any:
        return np.full_like(super().window_logits(ids), np.nan)


def test_scores_that_are_no_numbers_are_answered_as_such(start: Start, small_bundle: Path) -> None:
    student = NoNumbers(open_bundle(small_bundle))
    client = start(open_cascade=lambda: Cascade(student))
    good, bad = client.post("/judge", {"events": [{"text": "id=1"}, {"text": "nan"}]}).json()["verdicts"]
    assert good["status"] != bad["status"] == "abstained"
    assert (bad["label"], bad["attack"], bad["student"]["confidence"]) == (None, None, None)
    TypeAdapter(schemas.Verdict).validate_python(bad)
    answer = client.post("/predict", {"inputs": ["id=1", "nan"]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "the student's scores are no numbers; no full model was given"
    (window,) = client.post("/windows", {"text": "a"}).json()["windows"]
    assert (window["label"], window["attack"], window["decides"]) == (None, None, True)
    assert sample(client, "overproof_verdicts_total", status="abstained", label="") == 2.0
    sure = Full(student.classes, lambda texts: np.eye(3, dtype=np.float32)[[1] * len(texts)], "m")
    full = start(open_cascade=lambda: Cascade(student, sure))
    assert full.post("/predict", {"inputs": "nan"}).json()[0][0] == {"label": "sqli", "score": 1.0}


PROMISE = Promise(0.005, 0.95, "check.json")


def test_the_promise_is_withdrawn_with_the_first_event_that_is_not_verified(start: Start, student: OnnxScorer) -> None:
    def ask(texts: Any) -> Any:
        if "down" in texts[0]:
            raise FullDown("gone")
        return np.eye(3, dtype=np.float32)[[1] * len(texts)]

    said: list[str] = []
    policy = Policy(confidence=EVERYTHING, on_full_down="student", promise=PROMISE)
    client = start(Full(student.classes, ask, "m"), policy, console=Console(said.append, _no_bar))
    client.post("/judge", {"text": "id=1"})
    status = client.get("/readyz").json()["promise"]
    schemas.PromiseState.model_validate(status)
    assert (status["status"], status["stood_in"], status["limit"]) == ("stands", 0, 0.005)
    assert sample(client, "overproof_promise", status="stands") == 1.0
    assert said == []
    for _ in range(2):
        client.post("/judge", {"events": [{"text": "down"}, {"text": "down too"}]})
    status = client.get("/readyz").json()["promise"]
    assert (status["status"], status["stood_in"]) == ("withdrawn", 4)
    assert "did not verify 4 of 5 events (4 decided by the student in its place)" in status["message"]
    assert sample(client, "overproof_promise", status="stands") == 0.0
    assert sample(client, "overproof_promise", status="withdrawn") == 1.0
    assert sample(client, "overproof_unverified_events_total", why="stood_in") == 4.0
    assert sample(client, "overproof_unverified_events_total", why="held") == 0.0
    (line,) = said  # once
    assert line.startswith("promise withdrawn: the full model did not verify 2 of 3 events")


def test_where_nothing_was_promised_nothing_is_withdrawn(start: Start) -> None:
    said: list[str] = []
    client = start(None, ALL, console=Console(said.append, _no_bar))
    assert client.post("/judge", {"text": "id=1"}).json()["status"] == "abstained"
    assert client.get("/readyz").json()["promise"] is None
    assert sample(client, "overproof_promise", status="none") == 1.0
    assert said == []
