"""Run the process around the application: sockets and signals."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from overproof.inference.cascade import Cascade
from overproof.inference.service.access import Endpoint, listening
from overproof.inference.service.app import create_app
from overproof.inference.service.impatient import impatient
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
            http=impatient(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
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
            how = "SIGHUP opens the bundle again, Ctrl-C ends the service"
            self._say("; ".join(filter(None, (f"http://{shown}:{port} answers", how, self._service.about))))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self._service.stopping = True
        self.should_exit = True
