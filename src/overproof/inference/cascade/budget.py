"""Limit escalations by a token bucket: a flood of uncertain events cannot drown the full model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from overproof.errors import InputError

BURST_EVENTS = 20_000  # events whose share may be saved up
BURST_SECONDS = 10.0


@dataclass(frozen=True)
class Rate:
    """How much may be escalated: a share of the events, or so many a second."""

    share: float | None = None
    per_second: float | None = None

    def __str__(self) -> str:
        return f"{self.per_second:g} a second" if self.share is None else f"{100 * self.share:g} % of the events"


def parse_rate(text: str, option: str = "--max-escalations") -> Rate:
    """`5%`, `0.05` or `20/s`.

    Raises
    ------
    InputError
        If it is none of these.
    """
    expected = f"{option} {text}: expected a share such as 5% or 0.05, or a rate such as 20/s"
    try:
        if text.endswith("/s"):
            rate = Rate(per_second=float(text[:-2]))
        else:
            rate = Rate(share=float(text[:-1]) / 100 if text.endswith("%") else float(text))
    except ValueError:
        raise InputError(expected) from None
    value, most = (rate.per_second, float("inf")) if rate.share is None else (rate.share, 1.0)
    if value is None or not 0 <= value <= most:
        raise InputError(expected)
    return rate


class Bucket:
    """Tokens that fill by events or by time and are spent on escalations; safe to share between threads.

    It starts empty when it fills by events, so that at no point more than the share of the events was escalated. A
    rate starts with one second's worth.

    Parameters
    ----------
    rate
        What fills it; None is without limit.
    level
        Tokens at the start, of a run that is taken up again.
    """

    def __init__(
        self, rate: Rate | None, *, level: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._then = clock()
        self.level = level if level is not None else (rate.per_second or 0.0) if rate else 0.0

    def grant(self, events: int, wanted: int) -> int:
        """Return how many of the wanted escalations may go, now that so many more events have come by."""
        if self._rate is None:
            return wanted
        with self._lock:
            if self._rate.share is not None:
                capacity = self._rate.share * BURST_EVENTS
                gained = self._rate.share * events
            else:
                now, rate = self._clock(), self._rate.per_second or 0.0
                capacity = max(1.0, rate * BURST_SECONDS)
                gained = min(rate * (now - self._then), capacity)
                self._then = now
            self.level = min(self.level + gained, max(capacity, gained))
            granted = min(wanted, int(self.level + 1e-9))
            self.level -= granted
            return granted
