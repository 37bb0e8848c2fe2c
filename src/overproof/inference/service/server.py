"""Run the process around the application: sockets, signals, and clients that dawdle."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from overproof.inference.cascade import Cascade
from overproof.inference.service.access import Endpoint, listening
from overproof.inference.service.app import create_app
from overproof.inference.service.limits import Limits
from overproof.inference.service.service import Service
from overproof.progress import Console

HEAD_BYTES = 16 << 10


def run(
    open_cascade: Callable[[], Cascade],
    endpoint: Endpoint,
    *,
    index: Path | None,
    limits: Limits,
    console: Console,
) -> None:
    """Run the service; see `overproof.inference.service.serve`."""
    bound = listening(endpoint)  # first: an address that cannot be had is an error before anything is loaded
    with bound:
        service = Service(open_cascade, index=index, limits=limits, console=console)
        config = uvicorn.Config(
            create_app(service, token=endpoint.token),
            http=_impatient(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
            limit_concurrency=limits.connections,
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=limits.grace_seconds,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # its warnings are of what strangers send
        _Server(config, service, console).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Ends gently at the first signal, at once at the second, and opens the bundle again on SIGHUP."""

    def __init__(self, config: uvicorn.Config, service: Service, console: Console) -> None:
        super().__init__(config)
        self._service, self._say = service, console.say

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._service.reload)
        for bound in sockets or []:
            host, port = bound.getsockname()[:2]
            shown = f"[{host}]" if bound.family == socket.AF_INET6 else host
            self._say(f"http://{shown}:{port} answers; SIGHUP opens the bundle again, Ctrl-C ends the service")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self._service.stopping = True
        self.should_exit = True


def _impatient(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which also hangs up on who sends no head of a request, or does not read the answer.

    For either it would wait for ever: its own timeout is of connections between two requests.
    """

    class Impatient(H11Protocol):
        _late: asyncio.TimerHandle | None = None
        _deaf: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def _watch(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self._late = self._late or self.loop.call_later(limits.header_seconds, self.transport.close)
            elif self._late is not None:
                self._late.cancel()
                self._late = None

        def pause_writing(self) -> None:
            super().pause_writing()
            self._deaf = self.loop.call_later(limits.seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._deaf is not None:
                self._deaf.cancel()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._late, self._deaf):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

    return Impatient
