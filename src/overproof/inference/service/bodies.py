"""Read the bodies of requests: each within its bounds of bytes and time, and all of them together within one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.types import Receive

from overproof.inference.service.limits import Limits

SMALL = 16 << 10  # bytes of a body that has room whatever the others hold


class TooLarge(Exception):
    """A body of more bytes than are taken."""


class TooSlow(Exception):
    """A body that did not come in time."""


class Full(Exception):
    """The bodies of the requests in work leave no room for this one."""


class Bodies:
    """The bodies of all requests that are in work."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0

    @contextmanager
    def room(self) -> Iterator[Body]:
        """Make room for the body of one request, until the block ends."""
        body = Body(self, self._limits)
        try:
            yield body
        finally:
            self.held -= body.size


class Body:
    """The body of one request."""

    def __init__(self, bodies: Bodies, limits: Limits) -> None:
        self.size = 0
        self._bodies, self._limits = bodies, limits

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
        """Return its content; None if the client has left.

        Raises
        ------
        TooLarge, TooSlow, Full
            It is not read to its end.
        """
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.body:
            raise TooLarge
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await self._read(receive)
        except TimeoutError:
            raise TooSlow from None

    async def _read(self, receive: Receive) -> bytes | None:
        parts = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            self._grow(len(parts[-1]))
            if not message.get("more_body", False):
                return b"".join(parts)

    def _grow(self, size: int) -> None:
        self.size += size
        self._bodies.held += size
        if self.size > self._limits.body:
            raise TooLarge
        if self.size > SMALL and self._bodies.held > self._limits.held:
            raise Full
