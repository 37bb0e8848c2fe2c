"""No test asserts how fast this machine is: the clock is ours, and moves only when a candidate is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from overproof.results import time_interleaved, timing
from overproof.results.timing import Blocks

TEXTS = [f"text {i}" for i in range(30)]


class Clock:
    """Seconds that pass only while a candidate works; remembers who was called with how much."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []
        self.seen: dict[str, list[str]] = {}

    def candidate(self, name: str, seconds: float) -> Callable[[Sequence[str]], None]:
        def judge(texts: Sequence[str]) -> None:
            self.now += seconds * len(texts)
            self.calls.append((name, len(texts)))
            self.seen.setdefault(name, []).extend(texts)

        return judge


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr(timing, "perf_counter", lambda: ours.now)
    return ours


def test_figures_are_the_clocks(clock: Clock) -> None:
    candidates = {"fast": clock.candidate("fast", 0.001), "slow": clock.candidate("slow", 0.004)}
    found = time_interleaved(candidates, TEXTS, seed=0, blocks=Blocks(4), budget_s=100)
    assert found["fast"].p50_ms == pytest.approx(1)
    assert found["slow"].p99_ms == pytest.approx(4)
    assert found["fast"].events_per_second == pytest.approx(1000)
    assert found["slow"].events_per_second == pytest.approx(250)
    assert (found["fast"].calls, found["fast"].batch) == (200, 30)


def test_blocks_alternate_and_every_candidate_sees_the_same_texts(clock: Clock) -> None:
    candidates = {"a": clock.candidate("a", 0.001), "b": clock.candidate("b", 0.002)}
    time_interleaved(candidates, TEXTS, seed=7, blocks=Blocks(3, calls=50), budget_s=100)
    blocks = "".join(name for name, size in clock.calls if size == 1)[20:]
    assert blocks == ("a" * 50 + "b" * 50) * 3
    assert clock.seen["a"] == clock.seen["b"]
    assert set(clock.seen["a"]) == set(TEXTS)


def test_a_slow_candidate_gets_fewer_blocks_spread_over_the_run(clock: Clock) -> None:
    candidates = {"fast": clock.candidate("fast", 0.0001), "slow": clock.candidate("slow", 0.1)}
    found = time_interleaved(candidates, TEXTS, seed=0, blocks=Blocks(20, calls=50), budget_s=80)
    assert found["slow"].calls == 200  # 20 s of its 40 s, at 5 s a block
    assert found["fast"].calls == 1000
    assert clock.now < 80 * 1.2
    blocks = [name for name, size in clock.calls if size == 1][20:][::50]
    turns = [i for i, name in enumerate(blocks) if name == "slow"]
    assert len(turns) == 4
    assert min(b - a for a, b in pairwise(turns)) >= 5


def test_one_too_slow_for_a_block_gets_fewer_calls_and_no_p99(clock: Clock) -> None:
    found = time_interleaved({"full": clock.candidate("full", 1.0)}, TEXTS, seed=0, blocks=Blocks(20), budget_s=20)
    assert found["full"].calls == 10
    assert found["full"].p99_ms is None
    assert found["full"].batch == 3


def test_no_texts() -> None:
    with pytest.raises(ValueError, match="no texts"):
        time_interleaved({"a": len}, [], seed=0)
