"""A service to be asked: in this process, without a network; or in one of its own, to be signalled and killed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.inference.cascade import Bucket, Cascade, Full, Policy
from overproof.inference.service.app import create_app
from overproof.inference.service.limits import Limits
from overproof.inference.service.service import Service

LOOPBACK = "http://127.0.0.1"
TEXTS = ["select * from users", "<script>", "", "GET /index.html " * 9, "é\x00\ud7ff", "a" * 700, "id=1"]
PATIENCE_SECONDS = 120
SMALL = Limits(seconds=20, full_seconds=10, grace_seconds=10)


class Client:
    """Asks an application as a network would, from any thread; the application has a loop of its own."""

    def __init__(self, service: Service, *, token: str | None = None) -> None:
        self.service, self.app = service, create_app(service, token=token)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=LOOPBACK)
        self._lifespan = self.app.router.lifespan_context(self.app)
        self.run(self._lifespan.__aenter__())

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.run(self._http.get(path, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.run(self._http.post(path, json=body, **options))

    def send(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        told = {"content-type": "application/json", **headers}
        return self.run(self._http.post(path, content=content, headers=told))

    def many(self, asked: list[tuple[str, Any]]) -> list[httpx.Response]:
        """All at once."""

        async def together() -> Any:
            return await asyncio.gather(*(self._http.post(path, json=body) for path, body in asked))

        return self.run(together())

    def close(self) -> None:
        self.run(self._http.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


Start = Callable[..., Client]


@pytest.fixture
def start(student: OnnxScorer) -> Iterator[Start]:
    """Starts services on the small bundle; those that were started are ended."""
    started: list[Client] = []

    def start(
        full: Full | None = None,
        policy: Policy | None = None,
        *,
        bucket: Bucket | None = None,
        token: str | None = None,
        open_cascade: Callable[[], Cascade] | None = None,
        index: Path | None = None,
        console: Any = None,
        **limits: Any,
    ) -> Client:
        opening = open_cascade or (lambda: Cascade(student, full, policy, bucket))
        told = {} if console is None else {"console": console}
        service = Service(opening, index=index, limits=replace(SMALL, **limits), **told)
        started.append(Client(service, token=token))
        return started[-1]

    yield start
    for client in started:
        client.close()


@pytest.fixture(scope="module")
def client(small_bundle: Path) -> Iterator[Client]:
    """One service on the small bundle, for tests that leave it as it is."""
    started = Client(Service(lambda: Cascade(OnnxScorer(open_bundle(small_bundle))), limits=SMALL))
    yield started
    started.close()


@contextmanager
def gate() -> Iterator[threading.Event]:
    """An event that is set in the end, so that nothing waits for it for ever."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other threads bring about."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.002)
