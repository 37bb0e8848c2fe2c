"""Limit escalations by token buckets, one a kind of reason: no flood can drown the full model, or crowd out another.

What a kind has reserved is its own, however much of the others comes; what it leaves unused is for all.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from overproof.errors import InputError

Kind = Literal["doubt", "ood", "other"]

# What each kind of reason is sure of: doubt (confidence, margin, scores that are no numbers), out of distribution, and
# the others (longer than was judged, never decided alone). In the order in which they may use what all share.
RESERVED: Mapping[Kind, float] = MappingProxyType({"doubt": 0.6, "ood": 0.2, "other": 0.2})
POOL = "pool"  # what all share

RESERVE_EVENTS = 2_000  # events whose share a reserve saves up
BURST_EVENTS = 20_000  # events whose share all save up together
BURST_SECONDS = 10.0
ROUNDING = 1e-9  # of sums of fractions of a token


@dataclass(frozen=True)
class Rate:
    """How much may be escalated: a share of the events, or so many a second.

    Raises
    ------
    InputError
        A share that is not from 0 to 1, or a rate that is not from 0 up and finite.
    """

    share: float | None = None
    per_second: float | None = None

    def __post_init__(self) -> None:
        value, most = (self.per_second, sys.float_info.max) if self.share is None else (self.share, 1.0)
        if value is None or not 0 <= value <= most:
            raise InputError(f"a rate of {value}: expected a share from 0 to 1, or so many a second")

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
            return Rate(per_second=float(text[:-2]))
        return Rate(share=float(text[:-1]) / 100 if text.endswith("%") else float(text))
    except (ValueError, InputError):
        raise InputError(expected) from None


class Bucket:
    """Tokens that fill by events or by time and are spent on escalations; safe to share between threads.

    Every accrual is parted among the kinds (`RESERVED`); what a kind's reserve has no room for, once it has taken what
    it wants, goes to a pool, which any kind may use. So a kind whose demand fits a token bucket of its own reserve is
    served whatever the others do.

    It starts empty when it fills by events, so that at no point more than the share of the events was escalated; a
    share of 100 % is without limit. A rate starts with one second's worth.

    Parameters
    ----------
    rate
        What fills it; None is without limit.
    level
        Tokens at the start, by kind and `POOL`, of a run that is taken up again; those that are not named are 0.

    Attributes
    ----------
    level
        Tokens by kind and `POOL`.
    """

    def __init__(
        self,
        rate: Rate | None,
        *,
        level: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = None if rate is None or rate.share == 1 else rate
        self._clock = clock
        self._lock = threading.Lock()
        self._then = clock()
        first = 0.0 if rate is None else rate.per_second or 0.0
        self.level: dict[str, float] = {kind: share * first for kind, share in RESERVED.items()} | {POOL: 0.0}
        if level is not None:
            self.level = {name: level.get(name, 0.0) for name in self.level}

    def grant(self, events: int, wanted: Mapping[Kind, int]) -> dict[Kind, int]:
        """Return how many of the wanted escalations of each kind may go, now that so many more events have come by."""
        if self._rate is None:
            return dict(wanted)
        with self._lock:
            gained, reserve, pool = self._accrued(self._rate, events)
            granted: dict[Kind, int] = dict.fromkeys(wanted, 0)
            spill = 0.0
            for kind, share in RESERVED.items():
                self.level[kind] += share * gained
                self._take(kind, wanted, granted)
                over = max(0.0, self.level[kind] - max(1.0, share * reserve))
                self.level[kind] -= over
                spill += over
            self.level[POOL] = min(self.level[POOL] + spill, max(pool, spill))
            for kind in RESERVED:
                self._take(kind, wanted, granted, shared=True)
            return granted

    def _accrued(self, rate: Rate, events: int) -> tuple[float, float, float]:
        """Return the tokens gained since the last grant, and how many all reserves and the pool may save up."""
        if rate.share is not None:
            return rate.share * events, rate.share * RESERVE_EVENTS, rate.share * BURST_EVENTS
        now, per_second = self._clock(), rate.per_second or 0.0
        burst = per_second * BURST_SECONDS
        gained, self._then = min(per_second * (now - self._then), burst), now
        return gained, burst, max(1.0, burst) if per_second else 0.0

    def _take(self, kind: Kind, wanted: Mapping[Kind, int], granted: dict[Kind, int], *, shared: bool = False) -> None:
        """Grant a kind whole tokens of its reserve and, if shared, of the pool: its own first."""
        there = self.level[kind] + (self.level[POOL] if shared else 0.0)
        taken = min(wanted.get(kind, 0) - granted.get(kind, 0), max(0, int(there + ROUNDING)))
        if taken:
            own = min(float(taken), self.level[kind]) if shared else float(taken)
            self.level[kind] -= own
            self.level[POOL] -= taken - own
            granted[kind] += taken
