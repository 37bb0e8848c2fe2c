"""Guard a full model: every call ends in time, whatever it does, and what keeps failing is left alone for a while."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace

from overproof.bundle.scores import Floats
from overproof.inference.cascade.breaker import Breaker
from overproof.inference.cascade.full import Full, FullDown

CALL_SECONDS = 30.0
TEXTS_PER_CALL = 32
STUCK = 4  # calls that were given up and still run: with so many it is not asked again

ENDS: ContextVar[float] = ContextVar("ends", default=math.inf)  # when the call that a thread works on is given up


@dataclass(frozen=True)
class Deadline:
    """How long a call may take, from its first word to its last, all attempts and waiting included.

    Attributes
    ----------
    seconds
        For each `texts`.
    texts
        None: for a call of any number.
    """

    seconds: float = CALL_SECONDS
    texts: int | None = TEXTS_PER_CALL

    def of(self, count: int) -> float:
        """Return the seconds that a call with so many texts may take."""
        return self.seconds if self.texts is None else self.seconds * max(1, math.ceil(count / self.texts))


class Guard:
    """Asks a full model in a thread of its own, so that it can be given up; counts every failure, of any kind."""

    def __init__(self, full: Full, deadline: Deadline, breaker: Breaker) -> None:
        self._full, self._deadline, self._breaker = full, deadline, breaker
        self._given_up: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def resting(self) -> bool:
        """Whether it failed too often, and is left alone for now."""
        return self._breaker.open or self._full.resting()

    def failed(self) -> None:
        """Count a failure that was seen elsewhere."""
        self._breaker.failed()

    def ask(self, texts: Sequence[str]) -> Floats:
        """Ask it; FullDown where there is no answer in time, or none is expected."""
        if not self._breaker.allows():
            raise FullDown(f"{self._full.model}: it failed before and is not asked again yet")
        try:
            answer = self._in_time(texts)
        except BaseException:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def _in_time(self, texts: Sequence[str]) -> Floats:
        limit = self._deadline.of(len(texts))
        answers: queue.SimpleQueue[Floats | BaseException] = queue.SimpleQueue()
        thread = threading.Thread(
            target=_answer, args=(self._full, texts, time.monotonic() + limit, answers), name="full model", daemon=True
        )
        with self._lock:
            self._given_up = [one for one in self._given_up if one.is_alive()]
            if len(self._given_up) >= STUCK:
                raise FullDown(f"{self._full.model}: {STUCK} calls that were given up still run")
        thread.start()
        try:
            answer = answers.get(timeout=limit)
        except queue.Empty:
            with self._lock:
                self._given_up.append(thread)
            raise FullDown(f"{self._full.model}: no answer within {limit:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, BaseException):  # code that ends the program ends no more than its answer
            raise FullDown(f"{self._full.model}: {type(answer).__name__}: {answer}") from answer
        return answer


def _answer(full: Full, texts: Sequence[str], ends: float, answers: queue.SimpleQueue[Floats | BaseException]) -> None:
    ENDS.set(ends)  # of this thread alone
    try:
        answers.put(full.ask(texts))
    except BaseException as error:
        answers.put(error)


def guarded(full: Full, deadline: Deadline | None = None, *, breaker: Breaker | None = None) -> Full:
    """Return a full model that is asked through a guard.

    Parameters
    ----------
    full
        Any, on this machine or elsewhere; what it raises but FullDown and other errors of ours is `full.aligned`'s.
    """
    guard = Guard(full, deadline or Deadline(), breaker or Breaker())
    return replace(full, ask=guard.ask, resting=lambda: guard.resting, failed=guard.failed)
