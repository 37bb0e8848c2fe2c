"""Many at once: the same verdicts as alone, no waiting for another's full model, and a bound on everything."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.bundle.scores import Floats
from overproof.inference.cascade import EVERYTHING, Bucket, Cascade, Full, FullDown, Policy, Rate
from overproof.inference.service.loaded_bundle import TRIED

from .conftest import TEXTS, Client, Start, gate, until

CLASSES = ("benign", "sqli", "xss")
ALL = Policy(confidence=EVERYTHING)
VARIED = [*TEXTS, *(f"id={i} select {'x' * (7 * i % 41)} from t" for i in range(60))]


def some(student: OnnxScorer) -> Policy:
    """A policy that defers about half of the texts."""
    confidence = Cascade(student).decide(student.score(VARIED)).deferrals.confidence
    return Policy(confidence=float(np.median(confidence)), overflow=False)


def by_length(texts: Sequence[str]) -> Floats:
    """A full model whose answer tells which text it was asked about."""
    x = np.array([(len(text) % 50 + 1) / 100 for text in texts], dtype=np.float32)
    return np.stack([x, 1 - x, 0 * x], axis=1)


@pytest.mark.parametrize("limits", [{}, {"batch": 1}, {"batch": 7, "scorers": 3}, {"scorers": 4, "full_workers": 4}])
def test_verdicts_are_the_same_alone_and_in_any_company(
    start: Start, student: OnnxScorer, limits: dict[str, int]
) -> None:
    full, policy = Full(CLASSES, by_length, "by length"), some(student)
    expected = {text: Cascade(student, full, policy).judge([text])[0] for text in VARIED}
    assert {v["decided_by"] for v in expected.values()} == {"student", "full"}
    client, chance = start(full, policy, **limits), random.Random(0)
    for _ in range(3):
        asked = [[chance.choice(VARIED) for _ in range(chance.choice((1, 1, 1, 2, 9, 40)))] for _ in range(30)]
        answers = client.many([("/judge", {"events": [{"text": text} for text in texts]}) for texts in asked])
        for texts, answer in zip(asked, answers, strict=True):
            for text, verdict in zip(texts, answer.json()["verdicts"], strict=True):
                assert {name: verdict[name] for name in expected[text]} == expected[text]


def test_other_endpoints_share_the_threads_and_mix_nothing_up(client: Client, student: OnnxScorer) -> None:
    expected = student.embed(VARIED)
    asked = [("/embed", {"inputs": [text]}) for text in VARIED]
    others = [("/windows", {"text": text}) for text in VARIED] + [("/judge", {"text": text}) for text in VARIED]
    answers = client.many([pair for pairs in zip(asked, others[: len(asked)], strict=True) for pair in pairs])[::2]
    found = np.array([answer.json()[0] for answer in answers], dtype=np.float32)
    np.testing.assert_array_equal(found, expected)


class Slow:
    """A full model that answers when it is let."""

    def __init__(self, opened: threading.Event) -> None:
        self.begun, self.asked = threading.Semaphore(0), 0
        self._loaded = opened

    def __call__(self, texts: Sequence[str]) -> Floats:
        self.asked += len(texts)
        self.begun.release()
        assert self._loaded.wait(30)
        return by_length(texts)


def test_nobody_waits_for_the_full_model_of_another(start: Start, student: OnnxScorer) -> None:
    policy = some(student)
    deferred = Cascade(student, None, policy).decide(student.score(VARIED)).deferrals.reasons
    hard, easy = VARIED[min(deferred)], [text for i, text in enumerate(VARIED) if i not in deferred]
    with gate() as opened, ThreadPoolExecutor(8) as pool:
        slow = Slow(opened)
        client = start(Full(CLASSES, slow, "slow"), policy, full_workers=2)
        waiting = [pool.submit(client.post, "/judge", {"text": hard}) for _ in range(4)]
        assert slow.begun.acquire(timeout=30) and slow.begun.acquire(timeout=30)
        for text in easy:
            assert client.post("/judge", {"text": text}).json()["decided_by"] == "student"
        assert client.get("/readyz").status_code == 200
        assert not any(one.done() for one in waiting)
        opened.set()
        assert {one.result().json()["decided_by"] for one in waiting} == {"full"}


def test_a_full_queue_of_the_full_model_defers(start: Start) -> None:
    with gate() as opened, ThreadPoolExecutor(8) as pool:
        slow = Slow(opened)
        client = start(Full(CLASSES, slow, "slow"), ALL, full_workers=1, full_queue=3)
        first = pool.submit(client.post, "/judge", {"text": "a"})
        assert slow.begun.acquire(timeout=30)
        second = pool.submit(client.post, "/judge", {"events": [{"text": "b"}] * 3})
        until(lambda: client.service._queues["full"].waiting == 3)
        (verdict,) = client.post("/judge", {"events": [{"text": "c"}]}).json()["verdicts"]
        assert (verdict["status"], verdict["decided_by"], verdict["full"]) == ("deferred", "nobody", None)
        assert "the full model: 3 events are waiting, no room for 1 more" in verdict["reason"]
        assert verdict["reason"].startswith("confidence ")
        opened.set()
        assert first.result().json()["decided_by"] == "full"
        assert [v["decided_by"] for v in second.result().json()["verdicts"]] == ["full"] * 3
        assert slow.asked == 4


def test_a_full_model_that_takes_too_long_counts_as_down(start: Start) -> None:
    with gate() as opened:
        client = start(Full(CLASSES, Slow(opened), "slow"), ALL, full_seconds=0.05)
        verdict = client.post("/judge", {"text": "a"}).json()
        assert verdict["status"] == "held"
        assert "slow: no answer within 0.05 s" in verdict["reason"]


def test_a_full_model_that_hangs_is_left_alone(start: Start) -> None:
    """Each doubtful event took all of its time, and the breaker never opened: the calls failed where nobody counted."""
    with gate() as opened:
        slow = Slow(opened)
        client = start(Full(CLASSES, slow, "slow"), ALL, full_seconds=0.5)
        for _ in range(3):
            assert client.post("/judge", {"text": "a"}).json()["status"] == "held"
        assert client.get("/readyz").json()["full"] == "resting after failures"
        begun, asked = time.monotonic(), slow.asked
        verdicts = client.post("/judge", {"events": [{"text": "a"}] * 20}).json()["verdicts"]
        assert time.monotonic() - begun < 0.5
        assert {one["status"] for one in verdicts} == {"held"}
        assert all("not asked again yet" in one["reason"] for one in verdicts)
        assert slow.asked == asked


@pytest.mark.parametrize(
    ("policy", "status", "decided_by"), [("hold", "held", "nobody"), ("student", "decided", "student")]
)
@pytest.mark.parametrize("error", [FullDown("gone"), MemoryError(), RuntimeError("out of order")])
def test_a_full_model_that_fails(start: Start, policy: str, status: str, decided_by: str, error: Exception) -> None:
    def ask(texts: Sequence[str]) -> Floats:
        raise error

    client = start(Full(CLASSES, ask, "m"), Policy(confidence=EVERYTHING, on_full_down=policy))  # type: ignore[arg-type]
    verdict = client.post("/judge", {"text": "a"}).json()
    assert (verdict["status"], verdict["decided_by"]) == (status, decided_by)
    assert (str(error) or type(error).__name__) in verdict["reason"]
    assert "overproof_full_failures_total 1.0" in client.get("/metrics").text


def test_a_policy_that_is_to_fail_fails_that_request_alone(start: Start, student: OnnxScorer) -> None:
    def ask(texts: Sequence[str]) -> Floats:
        raise FullDown("gone")

    median = some(student).confidence
    policy = Policy(confidence=median, overflow=False, on_full_down="fail")
    deferred = Cascade(student, None, policy).decide(student.score(VARIED)).deferrals.reasons
    client = start(Full(CLASSES, ask, "m"), policy)
    answers = client.many([("/judge", {"text": text}) for text in VARIED])
    assert [a.status_code for a in answers] == [503 if i in deferred else 200 for i in range(len(VARIED))]


def test_the_budget_is_that_of_all_requests_together(start: Start) -> None:
    full = Full(CLASSES, by_length, "m")
    client = start(full, ALL, bucket=Bucket(Rate(share=0.25)))
    answers = client.many([("/judge", {"text": f"id={i}"}) for i in range(40)])
    assert sum(answer.json()["decided_by"] == "full" for answer in answers) == 6  # of 10 tokens those for doubt
    assert {a.json()["status"] for a in answers} == {"decided", "deferred"}


class Stuck(OnnxScorer):
    """A student that waits for a gate."""

    opened: threading.Event
    begun: threading.Event

    def score(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
        if texts != TRIED:  # which the service asks before it starts
            self.begun.set()
            assert self.opened.wait(30)
        return super().score(texts)


@pytest.fixture
def stuck(small_bundle):  # type: ignore[no-untyped-def]
    from overproof.bundle.manifest import open_bundle

    with gate() as opened:
        student = Stuck(open_bundle(small_bundle))
        student.opened, student.begun = opened, threading.Event()
        yield student


def test_overload_is_answered_by_429_none_wrong_none_lost(start: Start, stuck: Stuck, student: OnnxScorer) -> None:
    expected = {text: Cascade(student).judge([text])[0] for text in VARIED}
    client = start(open_cascade=lambda: Cascade(stuck), queue=20, events=20, scorers=1)
    with ThreadPoolExecutor(41) as pool:
        first = pool.submit(client.post, "/judge", {"text": VARIED[0]})
        assert stuck.begun.wait(30)
        asked = [VARIED[i % len(VARIED)] for i in range(40)]  # twice what may wait
        answers = [pool.submit(client.post, "/judge", {"text": text}) for text in asked]
        until(lambda: sum(one.done() for one in answers) == 20)  # those that are refused are answered at once
        refused = [one.result() for one in answers if one.done()]
        assert {(a.status_code, a.headers["retry-after"]) for a in refused} == {(429, "1")}
        assert "20 events are waiting" in refused[0].json()["detail"]
        stuck.opened.set()
        found = [one.result() for one in answers]
        assert first.result().status_code == 200
    assert sorted(a.status_code for a in found) == [200] * 20 + [429] * 20
    for text, answer in zip(asked, found, strict=True):
        if answer.status_code == 200:
            assert {name: answer.json()[name] for name in expected[text]} == expected[text]
    assert 'overproof_rejected_total{code="429"} 20.0' in client.get("/metrics").text


def test_a_request_that_takes_too_long_is_given_up(start: Start, stuck: Stuck) -> None:
    client = start(open_cascade=lambda: Cascade(stuck), seconds=0.1, scorers=1)
    answers = client.many([("/judge", {"text": "a"})] * 3)
    assert {(a.status_code, a.json()["detail"]) for a in answers} == {(504, "no answer in time")}
    assert 'overproof_requests_total{code="504",endpoint="/judge"} 3.0' in client.get("/metrics").text
    stuck.opened.set()
    assert client.service._queues["student"].waiting <= 2
    until(lambda: not client.service._queues["student"].waiting)
    assert client.post("/judge", {"text": "b"}).status_code == 200


def test_ending_waits_for_what_was_accepted(start: Start, stuck: Stuck) -> None:
    client = start(open_cascade=lambda: Cascade(stuck), scorers=1)
    with ThreadPoolExecutor(8) as pool:
        accepted = [pool.submit(client.post, "/judge", {"text": "id=0"})]
        assert stuck.begun.wait(30)
        accepted += [pool.submit(client.post, "/judge", {"text": f"id={i}"}) for i in range(5)]
        until(lambda: client.service._queues["student"].waiting == 5)
        ending = pool.submit(client.run, client.service.stop())
        until(lambda: client.service.stopping)
        assert client.post("/judge", {"text": "late"}).status_code == 503
        stuck.opened.set()
        ending.result(30)
        assert [one.result(30).status_code for one in accepted] == [200] * 6
