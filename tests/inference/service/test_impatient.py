"""Connections that only cost: without a request, or whose answer is not read. Timers are looked at, not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from overproof.inference.service.impatient import impatient
from overproof.inference.service.limits import Limits

LIMITS = Limits(seconds=30.0, header_seconds=10.0)
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Timer:
    """What `call_later` gave: when, what, and whether it still will."""

    def __init__(self, seconds: float, call: Any) -> None:
        self.seconds, self.call, self.cancelled = seconds, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Transport(asyncio.Transport):
    """A connection to nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def close(self) -> None:
        self.log.append("close")

    def abort(self) -> None:
        self.log.append("abort")

    def is_closing(self) -> bool:
        return bool(self.log)

    def write(self, data: Any) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connection:
    """A protocol on that transport, in a loop whose timers are kept and whose tasks are run by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop, state: ServerState | None = None) -> None:
        self.loop, self.timers, self.transport = loop, [], Transport()
        loop.call_later = self._keep  # type: ignore[method-assign, assignment]
        config = uvicorn.Config(
            self.app, interface="asgi3", proxy_headers=False, ws="none", lifespan="off", log_config=None
        )
        self.protocol: Any = impatient(LIMITS)(config, state or ServerState(), {}, loop)  # type: ignore[call-arg]
        self.protocol.connection_made(self.transport)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def _keep(self, seconds: float, call: Any) -> Timer:
        self.timers.append(Timer(seconds, call))
        return self.timers[-1]

    def pending(self) -> list[tuple[float, str]]:
        return [(timer.seconds, timer.call.__name__) for timer in self.timers if not timer.cancelled]

    def answer(self) -> None:
        for _ in range(5):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()


@pytest.fixture
def connection() -> Iterator[Connection]:
    loop = asyncio.new_event_loop()
    yield Connection(loop)
    loop.close()


def test_a_head_must_come(connection: Connection) -> None:
    assert connection.pending() == [(10.0, "close")]
    connection.protocol.data_received(REQUEST[:20])
    assert connection.pending() == [(10.0, "close")]  # not put off by a part of it
    connection.protocol.data_received(REQUEST[20:])
    assert connection.pending() == []
    connection.answer()
    assert connection.pending() == [(5, "timeout_keep_alive_handler")]
    connection.protocol.data_received(REQUEST[:20])  # of a second request
    assert connection.pending() == [(10.0, "close")]
    connection.timers[-1].call()
    assert connection.transport.log == ["close"]


def test_an_answer_must_be_read(connection: Connection) -> None:
    connection.protocol.data_received(REQUEST)
    connection.protocol.pause_writing()
    assert connection.pending() == [(30.0, "abort")]
    connection.protocol.resume_writing()
    assert connection.pending() == []
    connection.protocol.pause_writing()
    connection.timers[-1].call()
    assert connection.transport.log == ["abort"]
    connection.protocol.connection_lost(None)
    connection.answer()


def test_who_leaves_leaves_no_timer(connection: Connection) -> None:
    connection.protocol.data_received(REQUEST[:20])
    connection.protocol.pause_writing()
    connection.protocol.connection_lost(None)
    assert connection.pending() == []


def test_of_too_many_the_one_waited_for_longest_makes_room() -> None:
    loop, state = asyncio.new_event_loop(), ServerState()
    times = iter(range(1000))
    loop.time = lambda: float(next(times))  # type: ignore[method-assign]
    crowd = [Connection(loop, state) for _ in range(LIMITS.connections)]
    crowd[0].protocol.data_received(REQUEST)  # is being worked for
    crowd[1].protocol.data_received(REQUEST)
    crowd[1].answer()
    crowd[2].protocol.data_received(REQUEST[:20])
    crowd[3].protocol.data_received(REQUEST[:-2] + b"Content-Length: 9\r\n\r\n1234")
    assert [one.transport.log for one in crowd if one.transport.log] == []
    for _ in range(3):
        Connection(loop, state)
    assert [i for i, one in enumerate(crowd) if one.transport.log == ["abort"]] == [2, 3, 4]
    for one in crowd:
        one.protocol.connection_lost(None)
    crowd[0].answer()
    loop.close()
