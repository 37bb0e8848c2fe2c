"""Pass every request through access policy, limits of size and time, headers and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overproof.inference.service.access import HEADERS, AccessPolicy
from overproof.inference.service.bodies import Bodies, Full, TooLarge, TooSlow
from overproof.inference.service.limits import Limits

ENCODED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
TRUSTED = "overproof.trusted"  # in a request's scope: whether it may know what it asks about
SLOW = (408, "the body came too slowly")

Measure = Callable[[str, int, float], None]


@dataclass(frozen=True)
class RequestMeter:
    """Counts requests by endpoint.

    Attributes
    ----------
    measure
        Takes endpoint, status and seconds of each request.
    endpoints
        Paths that are counted apart; all others are one endpoint, so that strangers cannot add any.
    """

    measure: Measure
    endpoints: frozenset[str]

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.measure(path if path in self.endpoints else "other", status, seconds)


class RequestMiddleware:
    """ASGI middleware. The body is read before the application is called, so that slow senders cost no more than that.

    Parameters
    ----------
    access
        Says which requests are refused.
    limits
        Of size and time.
    meter
        Counts the requests.
    stopping
        Whether no new requests are taken.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: AccessPolicy,
        limits: Limits,
        meter: RequestMeter,
        stopping: Callable[[], bool],
    ) -> None:
        self._app, self._access, self._limits = app, access, limits
        self._meter, self._stopping = meter, stopping
        self._bodies = Bodies(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, path = time.perf_counter(), scope["path"]
        answer = _Answer(send)
        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._pass(path, scope, receive, answer)
        except TimeoutError:
            if answer.status is not None:
                raise  # the head is out: hanging up is all that is left to say
            late = (504, "no answer in time") if scope.get("overproof.read") else SLOW
            await answer.problem(*late, close=True)
        finally:
            self._meter.add(path, answer.status or 500, time.perf_counter() - began)

    async def _pass(self, path: str, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = dict(scope["headers"])
        if refused := self._access.refusal(path, headers, scope["http_version"]):
            await answer.problem(*refused, close=True)
            return
        scope[TRUSTED] = self._access.trusts(headers)
        if self._stopping() and path not in ("/healthz", "/readyz", "/metrics"):
            await answer.problem(503, "the service is ending", close=True)
            return
        if scope["method"] == "POST" and (unread := _unreadable(headers)):
            await answer.problem(415, unread, close=True)
            return
        with self._bodies.room() as room:
            try:
                body = await room.read(headers, receive)
            except TooLarge:
                await answer.problem(413, f"the body has more than {self._limits.body:,} bytes", close=True)
                return
            except TooSlow:
                await answer.problem(*SLOW, close=True)
                return
            except Full:
                await answer.problem(429, "the requests in work hold too many bytes: come again", close=True)
                return
            if body is not None:  # else the client has left
                scope["overproof.read"] = True
                await self._app(scope, _once(body, receive), answer)


def _unreadable(headers: Mapping[bytes, bytes]) -> str | None:
    """Say what is expected of a body that is not sent as plain JSON; None of one that is.

    What a form or a page of another origin can send without asking first has another type.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0]
    if kind.strip().lower() != b"application/json":
        return "expected the header Content-Type: application/json"
    if headers.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        return "the body is compressed; expected it plain, without the header Content-Encoding"
    return None


class _Answer:
    """Sends what the application says, with the headers that every answer has, and keeps the status."""

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            await self._send(message)
            return
        await self._send({**message, "headers": [*message.get("headers", []), *ENCODED]})
        self.status = message["status"]

    async def problem(self, status: int, detail: str, *, close: bool = False) -> None:
        """Answer with a reason; `close` ends the connection, whose rest was not read."""
        content = orjson.dumps({"detail": detail})
        headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        headers += [(b"connection", b"close")] if close else []
        headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []
        headers += [(b"retry-after", b"1")] if status in (429, 503) else []
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": content})


def _once(body: bytes, receive: Receive) -> Receive:
    """Give what was read, then whatever comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again
