"""Hang up on clients that dawdle: at the latest when their time is over, and at once where another needs the place.

For a head that does not come, or an answer that is not read, uvicorn would wait for ever: its own timeout is of
connections between two requests.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from overproof.inference.service.limits import Limits


class Impatient(H11Protocol):
    """uvicorn's protocol for one connection, with the service's limits.

    Attributes
    ----------
    limits
        Of the service.
    """

    limits: Limits
    _late: asyncio.TimerHandle | None = None
    _deaf: asyncio.TimerHandle | None = None
    _since = 0.0

    @property
    def waited_for(self) -> float | None:
        """Since when it keeps the service waiting: for a request, for the rest of one, or to take its answer.

        None while the service works for it, and once it is closed.
        """
        if self.transport.is_closing():
            return None
        waiting = self.cycle is None or self.cycle.response_complete or self.cycle.more_body or self._deaf is not None
        return self._since if waiting else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; of too many, the one that was waited for longest makes room."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch()
        if not self._has_room():
            self.limit_concurrency = 0  # uvicorn answers by 503 what it asks, and closes it

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait until the client takes more of its answer."""
        super().pause_writing()
        self._since = self.loop.time()
        self._deaf = self.loop.call_later(self.limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._deaf is not None:
            self._deaf.cancel()
            self._deaf = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        for timer in (self._late, self._deaf):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._late = self._late or self.loop.call_later(self.limits.header_seconds, self.transport.close)
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def _has_room(self) -> bool:
        """Tell whether there is room for it, if need be that of the connection that is waited for longest."""
        if len(self.connections) <= self.limits.connections:
            return True
        others = [one for one in self.connections if isinstance(one, Impatient) and one is not self]
        if sum(not one.transport.is_closing() for one in others) < self.limits.connections:
            return True
        waiting = [one for one in others if one.waited_for is not None]
        if waiting:
            min(waiting, key=lambda one: one.waited_for or 0.0).transport.abort()
        return bool(waiting)


def impatient(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol with these limits."""
    return type("ImpatientWithin", (Impatient,), {"limits": limits})
