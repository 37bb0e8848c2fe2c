"""A full model that hangs, raises, ends the program or answers with nonsense holds nobody up, and is left alone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from overproof.bundle.scores import Floats
from overproof.errors import InputError, OverproofError
from overproof.inference.cascade import Full, FullDown
from overproof.inference.cascade.breaker import Breaker
from overproof.inference.cascade.full import aligned
from overproof.inference.cascade.guard import STUCK, Deadline, guarded

CLASSES = ("benign", "sqli")


def right(texts: Sequence[str]) -> Floats:
    return np.full((len(texts), 2), 0.5, dtype=np.float32)


def failing(how: Callable[[Sequence[str]], Any]) -> Full:
    return aligned(Full(CLASSES, how, "m"), CLASSES)


def raising(error: BaseException) -> Callable[[Sequence[str]], Any]:
    def ask(texts: Sequence[str]) -> Any:
        raise error

    return ask


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (raising(FullDown("down")), "down"),
        (raising(ValueError("odd")), "ValueError: odd"),
        (raising(InputError("no such event")), "no such event"),
        (raising(MemoryError()), "MemoryError"),
        (lambda texts: sys.exit(0), "SystemExit: 0"),
        (lambda texts: time.sleep(30), "no answer within 0.05 s"),
        (lambda texts: None, "not an array of numbers|shape"),
        (lambda texts: [[0.5, 0.4]] * len(texts), "do not add up"),
        (lambda texts: [[float("nan"), 1]] * len(texts), "no numbers"),
    ],
)
def test_every_kind_of_failure_counts(how: Callable[[Sequence[str]], Any], why: str) -> None:
    breaker = Breaker(failures=2)
    full = guarded(failing(how), Deadline(0.05, None), breaker=breaker)
    for _ in range(2):
        assert not full.resting()
        begun = time.monotonic()
        with pytest.raises(OverproofError, match=why):
            full.ask(["a"])
        assert time.monotonic() - begun < 5
    assert full.resting()
    with pytest.raises(FullDown, match="not asked again yet"):
        full.ask(["a"])


def test_what_answers_is_asked_with_its_own_words_and_closes_the_breaker() -> None:
    breaker = Breaker(failures=2)
    full = guarded(failing(right), breaker=breaker)
    breaker.failed()
    assert full.ask(["a", "b"]).tolist() == [[0.5, 0.5]] * 2
    breaker.failed()
    assert not full.resting()
    full.failed()
    assert full.resting()


def test_calls_that_were_given_up_do_not_pile_up() -> None:
    opened, running = threading.Event(), []

    def hang(texts: Sequence[str]) -> Floats:
        running.append(1)
        opened.wait(30)
        return right(texts)

    full = guarded(failing(hang), Deadline(0.02, None), breaker=Breaker(failures=100))
    for _ in range(STUCK):
        with pytest.raises(FullDown, match="no answer within"):
            full.ask(["a"])
    with pytest.raises(FullDown, match=f"{STUCK} calls that were given up still run"):
        full.ask(["a"])
    assert len(running) == STUCK
    opened.set()
    for _ in range(500):
        try:
            assert full.ask(["a"]).shape == (1, 2)
            break
        except FullDown:
            time.sleep(0.01)
    else:
        pytest.fail("it is not asked again")


def test_the_deadline_grows_with_the_texts_unless_it_is_for_all() -> None:
    assert [Deadline(2, 10).of(n) for n in (0, 1, 10, 11, 100)] == [2, 2, 2, 4, 20]
    assert Deadline(2, None).of(1000) == 2
