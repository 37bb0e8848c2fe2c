"""Break the circuit: what keeps failing is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3
REST_SECONDS = 30.0


class Breaker:
    """Closed while calls succeed; open after some failures in a row; half open, for one call, after a rest.

    Source: M. Nygard, Release It!, 2007, "Circuit Breaker".
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        rest: float = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._rest, self._clock = failures, rest, clock
        self._failed = 0
        self._until: float | None = None
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Return whether a call may be made now; of those that ask after the rest, the first alone may."""
        with self._lock:
            if self._until is None:
                return True
            if self._clock() < self._until:
                return False
            self._until = self._clock() + self._rest
            return True

    def succeeded(self) -> None:
        """Close it."""
        with self._lock:
            self._failed, self._until = 0, None

    def failed(self) -> None:
        """Count a failure; open it after too many."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._most:
                self._until = self._clock() + self._rest

    @property
    def open(self) -> bool:
        """True while calls are held back."""
        with self._lock:
            return self._until is not None and self._clock() < self._until
