"""Bodies of requests: bounded each, and together; small ones always have room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import pytest

from overproof.inference.service.bodies import SMALL, Bodies, Full, TooLarge, TooSlow
from overproof.inference.service.limits import Limits

LIMITS = Limits(body=100_000, held=150_000, body_seconds=0.05)


def sender(*parts: bytes, ends: bool = True) -> Callable[[], Awaitable[Any]]:
    messages = [
        {"type": "http.request", "body": part, "more_body": not ends or i < len(parts)}
        for i, part in enumerate(parts, 1)
    ]

    async def receive() -> Any:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    return receive


def test_bodies_have_room_together_and_small_ones_always() -> None:
    async def test() -> None:
        bodies = Bodies(LIMITS)
        with ExitStack() as requests:

            async def read(*parts: bytes) -> bytes | None:
                return await requests.enter_context(bodies.room()).read({}, sender(*parts))

            assert await read(b"a" * 90_000, b"b") == b"a" * 90_000 + b"b"
            with pytest.raises(Full), bodies.room() as room:
                await room.read({}, sender(b"a" * 50_000, b"a" * 50_000))
            assert bodies.held == 90_001  # what was refused holds nothing
            assert await read(b"a" * 59_999) is not None
            for _ in range(3):
                assert await read(b"a" * SMALL) is not None
            with pytest.raises(Full), bodies.room() as room:
                await room.read({}, sender(b"a" * (SMALL + 1)))
        assert bodies.held == 0

    asyncio.run(test())


def test_a_body_is_neither_too_large_nor_too_slow() -> None:
    async def test() -> None:
        bodies = Bodies(LIMITS)
        for headers, parts in (({b"content-length": b"100001"}, ()), ({}, (b"a" * 60_000, b"a" * 60_000))):
            with pytest.raises(TooLarge), bodies.room() as room:
                await room.read(headers, sender(*parts))
        with pytest.raises(TooSlow), bodies.room() as room:
            await room.read({}, sender(b"a", ends=False))
        assert bodies.held == 0

    asyncio.run(test())
