"""The process on a real socket: clients that dawdle, send too much or come in crowds, a full model that comes back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from overproof.bundle.runtime import OnnxScorer
from overproof.errors import ExitCode
from overproof.inference.cascade import Cascade
from overproof.inference.service import Endpoint, serve

from .conftest import until
from .test_concurrent import VARIED
from .test_killed import PREDICT

pytestmark = pytest.mark.slow

SERVE = """
import sys, time
from functools import partial
from pathlib import Path
from overproof.bundle.manifest import open_bundle
from overproof.inference.cascade import EVERYTHING, Cascade, Policy, guard
from overproof.inference.cascade.breaker import Breaker
from overproof.inference.cascade.remote import remote
from overproof.progress import terminal
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.service import Endpoint, Limits, serve
guard.Breaker = partial(Breaker, failures=2, rest=1.0)  # the service's own rests for half a minute
class Waiting(OnnxScorer):
    def score(self, texts):
        for text in texts:
            while text.startswith("wait for ") and not Path(text.removeprefix("wait for ")).exists():
                time.sleep(0.01)
        return super().score(texts)
def opened():
    student = Waiting(open_bundle(sys.argv[1]))
    if len(sys.argv) < 4:
        return Cascade(student)
    full = remote(sys.argv[3], student.classes)
    return Cascade(student, full, Policy(confidence=EVERYTHING))
serve(opened, Endpoint(port=0), limits=Limits(**eval(sys.argv[2])), console=terminal())
"""
HEAD = b"POST /judge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

Started = Callable[..., str]


@pytest.fixture
def started(small_bundle: Path) -> Iterator[Started]:
    """Starts services with limits of their own; gives the URL."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str, **limits: Any) -> str:
        command = [sys.executable, "-c", SERVE, str(small_bundle), repr(limits), *words]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        assert running[-1].stderr is not None
        return running[-1].stderr.readline().split()[0]

    yield start
    for one in running:
        one.terminate()
        _, told = one.communicate(timeout=60)
        assert (one.returncode, told) == (0, "")  # nothing that clients do is logged, or brings it down


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def closed(connection: socket.socket) -> bytes:
    """What comes until the other side hangs up."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def answered(connection: socket.socket) -> bytes:
    """One whole answer: its head and its body may come apart."""
    answer = connection.makefile("rb")
    head = b"".join(iter(answer.readline, b"\r\n"))
    length = next(line for line in head.splitlines() if line.lower().startswith(b"content-length:"))
    return head + answer.read(int(length.split(b":")[1]))


def test_connections_without_a_request_are_hung_up_on(started: Started) -> None:
    url = started(header_seconds=2.0, body_seconds=3.0, idle_seconds=2)
    with connected(url) as silent, connected(url) as half, connected(url) as slow, connected(url) as later:
        half.sendall(HEAD)  # and never the empty line
        slow.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")  # and never the rest
        body = b'{"text": "a"}'
        later.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert b" 200 OK" in answered(later)
        later.sendall(b"POST /judge HT")  # a second request that does not come
        assert httpx.post(f"{url}/judge", json={"text": "a"}).status_code == 200
        assert closed(silent) == closed(half) == closed(later) == b""
        assert b" 408 " in closed(slow)


def test_too_much_is_refused_before_it_is_read(started: Started) -> None:
    url = started(body=10_000)
    for headers in ({}, {"transfer-encoding": "chunked"}):
        content = b" " * 5_000_000
        answer = httpx.post(
            f"{url}/judge",
            content=iter([content]) if headers else content,
            headers={"content-type": "application/json", **headers},
        )
        assert answer.status_code == 413
    with connected(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 40_000)
        assert b" 400 " in closed(connection)
    for nonsense in (b"\x00" * 50 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with connected(url) as connection:
            connection.sendall(nonsense)
            assert closed(connection)[9:12] in (b"400", b"421", b"405", b"505")


def test_a_crowd_of_slow_clients_makes_room(started: Started) -> None:
    url = started(connections=20, seconds=60, header_seconds=60, body_seconds=60, idle_seconds=60)
    body = b'{"text": "a"}'
    starts = (b"", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n{")  # nothing, half a head, half a body
    crowd = [connected(url) for _ in range(60)]
    for i, connection in enumerate(crowd):
        with suppress(OSError):
            connection.sendall(starts[i % 3])
    for _ in range(5):
        assert httpx.post(f"{url}/judge", json={"text": "a"}).status_code == 200
    with connected(url) as kept:
        for _ in range(5):
            kept.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert b" 200 OK" in answered(kept)
            crowd += [connected(url) for _ in range(10)]
    for connection in crowd:
        connection.close()


def test_more_requests_than_are_taken_are_told_so(started: Started, tmp_path: Path) -> None:
    url = started(connections=5, scorers=1, batch=1, seconds=120)
    body = orjson.dumps({"text": f"wait for {tmp_path / 'told'}"})
    with ExitStack() as opened:
        crowd = [opened.enter_context(connected(url)) for _ in range(5)]
        for connection in crowd:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        time.sleep(1)  # until all are read: one that is not would be hung up on to make room
        assert httpx.post(f"{url}/judge", json={"text": "a"}, timeout=60).status_code == 503
        (tmp_path / "told").touch()
        assert all(b" 200 OK" in answered(connection) for connection in crowd)
    until(lambda: httpx.post(f"{url}/judge", json={"text": "a"}).status_code == 200)


def test_a_load_balancer_may_ask_for_heads_alone(started: Started) -> None:
    url = started()
    for path in ("/healthz", "/readyz"):
        with connected(url) as connection:
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            head, _, body = closed(connection).partition(b"\r\n\r\n")
        assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"")


def test_no_redirect_names_what_a_client_said(started: Started) -> None:
    url = started()
    for path in ("/judge/", "/healthz/", "//evil.example/", "/page.css/"):
        for host in ("127.0.0.1", "localhost:1"):
            found = httpx.get(f"{url}{path}", headers={"host": host})
            assert (found.status_code, "location" in found.headers) == (404, False)


def test_overload_over_the_network_none_wrong_none_lost(started: Started, student: OnnxScorer) -> None:
    url = started(queue=100, events=50, batch=8, scorers=1)
    expected = {text: Cascade(student).judge([text])[0]["student"] for text in VARIED}
    texts = (VARIED * 5)[:50]

    def ask(_: int) -> int:
        answer = httpx.post(f"{url}/judge", json={"events": [{"text": text} for text in texts]}, timeout=60)
        if answer.status_code == 200:
            assert [v["student"] for v in answer.json()["verdicts"]] == [expected[text] for text in texts]
        else:
            assert answer.headers["retry-after"]
        return answer.status_code

    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(ask, range(160)))
    assert set(codes) <= {200, 429, 503}
    assert 200 in codes and 429 in codes


def test_a_full_model_is_left_alone_while_it_is_dead_and_asked_when_it_is_back(started: Started) -> None:
    def full(port: int) -> subprocess.Popen[str]:
        code = PREDICT.replace('("127.0.0.1", 0)', f'("127.0.0.1", {port})')
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    with full(0) as first:
        assert first.stdout is not None
        port = int(first.stdout.readline())
        url = started(f"http://127.0.0.1:{port}/predict")

        def verdict() -> dict[str, Any]:
            return dict(httpx.post(f"{url}/judge", json={"text": "a"}, timeout=30).json())

        def state() -> str:
            return str(httpx.get(f"{url}/readyz").json()["full"])

        assert (verdict()["decided_by"], state()) == ("full", "in use")
        first.kill()
        first.wait()
    until(lambda: "not asked again yet" in verdict()["reason"])  # each of which is held
    assert verdict()["status"] == "held"
    assert state() == "resting after failures"
    with full(port) as second:
        until(lambda: verdict()["decided_by"] == "full")
        assert state() == "in use"
        second.kill()


def test_a_service_that_does_not_start_has_failed(student: OnnxScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("overproof.inference.service.service.Service.start", broken)
    with pytest.raises(SystemExit) as ended:
        serve(lambda: Cascade(student), Endpoint(port=0))
    assert ended.value.code == ExitCode.FAILED  # as uvicorn has it too
