"""Post to a URL within a time that nothing extends: no dripped head or body, no wait that the server asks for."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from overproof.inference.cascade.full import FullDown
from overproof.inference.cascade.guard import ENDS

CONNECT_SECONDS = 2.0
RETRIES = 2
BACKOFF_SECONDS = 0.2
BUSY = (429, 502, 503, 504)
MOST_BYTES = 16 << 20

_THREAD = threading.local()  # .through: what the call of this thread goes through


class _Seen:
    """Notes what a thread's call goes through, so that it can be ended from outside.

    The connection while it is being made; then the socket, which an answer that ends with it takes from there.
    """

    sock: Any

    def connect(self) -> None:
        _THREAD.through.append(self)
        super().connect()  # type: ignore[misc]
        _THREAD.through.append(self.sock)

    def request(self, *given: Any, **options: Any) -> None:
        _THREAD.through.append(self.sock)  # of a connection that stood already
        super().request(*given, **options)  # type: ignore[misc]


class _Http(_Seen, HTTPConnection):
    """A plain connection that can be ended."""


class _Https(_Seen, HTTPSConnection):
    """A connection by TLS that can be ended."""


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


@dataclass(frozen=True)
class Poster:
    """Posts JSON to one URL.

    Attributes
    ----------
    url, headers
        What is asked, and with what.
    shown
        The URL as messages name it.
    seconds
        That a call may take, all attempts included; less where the thread's own call ends before (`guard.ENDS`).
    """

    url: str
    shown: str
    headers: dict[str, str]
    seconds: float
    pools: Any

    def __call__(self, body: bytes) -> bytes:
        """Return the answer's body; FullDown where there is none in time."""
        ends = min(time.monotonic() + self.seconds, ENDS.get())
        for left in range(RETRIES, -1, -1):
            pause = BACKOFF_SECONDS * 2 ** (RETRIES - left)
            try:
                status, content, again = self._once(body, ends)
            except (urllib3.exceptions.HTTPError, ValueError) as error:  # ValueError: of a chunk of -5 bytes
                down = FullDown(f"{self.shown}: {_why(error)}")
            else:
                if status == 200:
                    return content
                down, pause = FullDown(f"{self.shown}: answered {status}"), max(pause, again)
                left *= status in BUSY
            if time.monotonic() >= ends:
                raise FullDown(f"{self.shown}: no answer in time (timed out after {self.seconds:g} s)") from None
            if not left or time.monotonic() + pause >= ends:
                raise down from None
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, body: bytes, ends: float) -> tuple[int, bytes, float]:
        """Return status, body, and the seconds after which the server asks to come again."""
        left = max(1e-3, ends - time.monotonic())
        through: list[Any] = []
        _THREAD.through = through
        ending = threading.Timer(left, _end, (through,))
        ending.daemon = True
        ending.start()
        try:
            timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left)
            answer = self.pools.request(
                "POST",
                self.url,
                body=body,
                headers=self.headers,
                timeout=timeout,
                preload_content=False,
                redirect=False,  # it would read where to, which need not be a URL
            )
            with answer:
                content: bytes = answer.read(MOST_BYTES)
        finally:
            ending.cancel()
        if time.monotonic() >= ends:  # what was cut off by us may look whole
            raise urllib3.exceptions.TimeoutError("timed out")
        return answer.status, content, _retry_after(answer.headers.get("retry-after"))


def poster(url: str, shown: str, headers: dict[str, str], seconds: float) -> Poster:
    """Make a function that posts JSON to a URL."""
    # no retries of its own, which take as long as the server says; no redirects, which take the events elsewhere
    pools = urllib3.PoolManager(retries=urllib3.Retry(total=0, redirect=0, raise_on_redirect=False, status=0))
    pools.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return Poster(url, shown, headers, seconds, pools)


def _end(through: list[Any]) -> None:
    """Shut the sockets of a call: a thread that reads from one sees its end."""
    for one in through:
        with suppress(OSError, AttributeError):
            getattr(one, "sock", one).shutdown(socket.SHUT_RDWR)


def _retry_after(value: str | None) -> float:
    """Return the seconds of a Retry-After header, a number or a date; 0 where there is none, or it is neither."""
    try:
        seconds = float(urllib3.Retry().parse_retry_after(value)) if value else 0.0
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _why(error: Exception) -> str:
    """Return the innermost reason of a failed request, without the pool's address in memory."""
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(">: ")[2] or type(reason).__name__
