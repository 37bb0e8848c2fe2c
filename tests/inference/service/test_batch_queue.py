"""A bounded queue: what waits is one call, each caller gets its own, and nothing is kept for those who left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overproof.inference.service.batch_queue import BatchQueue, Busy, Call

from .conftest import gate


def running(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(limited())


def upper(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


class Held:
    """Work that waits for a gate, and remembers its calls."""

    def __init__(self, opened: threading.Event) -> None:
        self.calls: list[list[str]] = []
        self.begun = threading.Event()
        self._loaded = opened

    def __call__(self, texts: list[str]) -> list[str]:
        self.calls.append(texts)
        self.begun.set()
        assert self._loaded.wait(30)
        if "bad" in texts:
            raise ValueError("bad")
        return upper(texts)


async def begun(work: Held, *asked: Awaitable[Any]) -> list[asyncio.Task[Any]]:
    """Start the first, and the others once the first is being worked on."""
    tasks = [asyncio.ensure_future(asked[0])]
    await asyncio.to_thread(work.begun.wait, 30)
    tasks += [asyncio.ensure_future(one) for one in asked[1:]]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def batch_queue(**sizes: Any) -> BatchQueue:
    return BatchQueue("the test", **{"threads": 1, "queue": 10, "call": Call(4), **sizes})


def test_what_waits_is_one_call_and_everyone_gets_his_own() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            tasks = await begun(work, *(own(work, texts) for texts in (["a"], ["b", "c"], ["d"], ["e", "f"])))
            assert own.waiting == 5
            opened.set()
            assert await asyncio.gather(*tasks) == [["A"], ["B", "C"], ["D"], ["E", "F"]]
            assert work.calls == [["a"], ["b", "c", "d"], ["e", "f"]]
            assert own.waiting == 0
            await own.close(5)

    running(test)


def test_more_than_a_call_holds_comes_back_whole() -> None:
    async def test() -> None:
        counts: list[int] = []
        own = batch_queue(threads=2, measure=counts.append)
        texts = [f"t{i}" for i in range(10)]
        assert await own(upper, texts) == upper(texts)
        assert sum(counts) == 10 and max(counts) <= 4
        assert await own(upper, []) == []
        await own.close(5)

    running(test)


def test_other_work_is_another_call() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work, other = batch_queue(), Held(opened), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["b"]), own(other, ["c"]), own(work, ["d"]))
            opened.set()
            assert await asyncio.gather(*tasks) == [["A"], ["B"], ["C"], ["D"]]
            assert (work.calls, other.calls) == ([["a"], ["b"], ["d"]], [["c"]])
            await own.close(5)

    running(test)


def test_a_request_may_be_alone_and_whole() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(call=None), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["b"] * 9), own(work, ["c"]))
            opened.set()
            await asyncio.gather(*tasks)
            assert work.calls == [["a"], ["b"] * 9, ["c"]]
            await own.close(5)

    running(test)


def test_a_short_request_waits_for_no_long_one_and_a_long_one_for_no_crowd() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(queue=2000, call=Call(64, 100)), Held(opened)
            long = [[f"{i:09}"] * 40 for i in range(30)]  # each of four calls
            short = [[f"{i}"] for i in range(10, 70)]
            tasks = await begun(work, own(work, ["first"]), *(own(work, texts) for texts in long + short))
            opened.set()
            await asyncio.gather(*tasks)
            kinds = ["long" if len(call[0]) == 9 else "short" for call in work.calls[1:]]
            assert kinds == ["long", "short", "long", "short", *["long"] * 118]
            assert work.calls[2] + work.calls[4] == [text for texts in short for text in texts]
            # and those of them that came first are done first
            firsts = [call[0] for call, kind in zip(work.calls[1:], kinds, strict=True) if kind == "long"]
            assert firsts == [texts[0] for texts in long for _ in range(4)]
            await own.close(5)

    running(test)


def test_a_crowd_of_short_requests_does_not_keep_a_long_one_waiting() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(queue=2000, call=Call(64, 100)), Held(opened)
            opened.set()
            long = asyncio.ensure_future(own(work, ["x" * 40] * 10))
            calls = 0
            while not long.done():  # there always is a short one
                await own(work, ["short"])
                calls += 1
                assert calls < 1000
            assert len(await long) == 10
            await own.close(5)

    running(test)


def test_a_call_is_bounded_by_its_work_and_a_larger_text_alone() -> None:
    async def test() -> None:
        calls: list[list[str]] = []

        def work(texts: list[str]) -> list[str]:
            calls.append(texts)
            return texts

        own = batch_queue(queue=100, call=Call(64, 50, lambda text: min(len(text), 30)))
        texts = ["a" * n for n in (10, 20, 25, 500, 40, 1, 1, 1)]
        assert await own(work, texts) == texts
        assert [[len(text) for text in call] for call in calls] == [[10, 20], [25], [500], [40, 1, 1, 1]]
        await own.close(5)

    running(test)


def test_a_full_queue_says_so_and_takes_nothing_of_what_is_too_much() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["b"] * 8))
            with pytest.raises(Busy, match="the test: 8 events are waiting, no room for 3 more"):
                await own(work, ["c"] * 3)
            tasks.append(asyncio.ensure_future(own(work, ["c"] * 2)))
            opened.set()
            assert [len(found) for found in await asyncio.gather(*tasks)] == [1, 8, 2]
            await own.close(5)

    running(test)


def test_one_that_fails_takes_no_other_with_it() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["b"]), own(work, ["bad"]), own(work, ["c"]))
            opened.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert [str(one) for one in found] == ["['A']", "['B']", "bad", "['C']"]
            await own.close(5)

    running(test)


def test_what_nobody_waits_for_is_not_worked_on() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["left"] * 4), own(work, ["b"]))
            tasks[1].cancel()
            await asyncio.sleep(0)
            opened.set()
            assert [await tasks[0], await tasks[2]] == [["A"], ["B"]]
            assert work.calls == [["a"], ["b"]]
            await own.close(5)

    running(test)


def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            tasks = await begun(work, own(work, ["a"]), own(work, ["b"]))
            closing = asyncio.ensure_future(own.close(20))
            await asyncio.sleep(0)
            with pytest.raises(Busy):
                await own(work, ["c"])
            opened.set()
            assert await asyncio.gather(*tasks) == [["A"], ["B"]]
            await closing

    running(test)


def test_closing_does_not_wait_for_ever() -> None:
    async def test() -> None:
        with gate() as opened:
            own, work = batch_queue(), Held(opened)
            (task,) = await begun(work, own(work, ["a"]))
            await own.close(0.01)
            assert not task.done()
            opened.set()
            assert await task == ["A"]

    running(test)


def test_what_was_given_up_holds_no_place() -> None:
    async def test() -> None:
        with gate() as opened:
            work = Held(opened)
            queue = batch_queue(queue=4)
            first, second = await begun(work, queue(work, ["a"]), queue(work, ["b", "c", "d"]))
            assert queue.waiting == 3
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            assert queue.waiting == 0
            third = asyncio.ensure_future(queue(work, ["e"] * 4))
            await asyncio.sleep(0)
            opened.set()
            assert await first == ["A"]
            assert await third == ["E"] * 4
            assert ["b", "c", "d"] not in work.calls
            await queue.close(30)

    running(test)


class Panic(BaseException):
    """What a library written in Rust raises (pyo3's PanicException): no Exception, so that nothing catches it."""


def test_a_panic_ends_a_thread_and_another_takes_its_place() -> None:
    def work(texts: list[str]) -> list[str]:
        if "panic" in texts:
            raise Panic("index out of bounds")
        return upper(texts)

    async def test() -> None:
        said: list[str] = []
        queue = batch_queue()
        queue.on_panic = said.append
        assert queue.healthy
        with pytest.raises(RuntimeError, match="Panic: index out of bounds"):
            await queue(work, ["panic"])
        async with asyncio.timeout(30):
            while not said:
                await asyncio.sleep(0.01)
        assert not queue.healthy and queue.panics == 1
        assert said == ["the test: a thread ended (Panic: index out of bounds) and was started again"]
        assert await queue(work, ["a"]) == ["A"]
        assert queue.healthy
        answers = await asyncio.gather(*(queue(work, [one]) for one in ("b", "panic", "c")), return_exceptions=True)
        assert [answers[0], answers[2]] == [["B"], ["C"]]
        assert isinstance(answers[1], RuntimeError)
        assert await queue(work, ["d"]) == ["D"]
        await queue.close(30)

    running(test)


def test_a_fault_beside_the_work_is_answered_too() -> None:
    async def test() -> None:
        broken = [True]

        def measure(count: int) -> None:
            if broken:
                broken.clear()
                raise ValueError("odd")

        queue = batch_queue(measure=measure)
        with pytest.raises(RuntimeError):
            await queue(upper, ["a"])
        assert await queue(upper, ["b"]) == ["B"]
        await queue.close(30)

    running(test)
