"""Measure by a bundle's own scores whether recent events look like those that it was validated on."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.inference.cascade.signals import CONFIDENCE, OOD_DISTANCE, Signals

WINDOW = 5000
LEAST = 500


class Bins:
    """The last events' values of one signal, counted between its thresholds on validation events.

    Parameters
    ----------
    thresholds
        Share of the validation events beyond a threshold to the threshold; None where it was not measured.
    below
        Whether beyond is below: of the confidence, not of the OOD distance.
    """

    def __init__(self, thresholds: Mapping[str, float | None], *, below: bool) -> None:
        sign = 1.0 if below else -1.0
        edges: dict[float, float] = {}
        for share, value in sorted((float(name), sign * v) for name, v in thresholds.items() if v is not None):
            edges.setdefault(value, share)  # of equal thresholds, the least share is closest to what lies beyond
        self._sign, self._edges = sign, np.array(list(edges))
        self.expected = np.diff([0.0, *edges.values(), 1.0])
        self._recent: NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def add(self, values: ArrayLike) -> None:
        """Count values that are numbers, and forget as many of the oldest where there are more than a window's."""
        found = np.asarray(values, dtype=np.float64)
        new = np.searchsorted(self._edges, self._sign * found[np.isfinite(found)], side="right")
        self._recent = np.concatenate([self._recent, new])[-WINDOW:]

    def psi(self) -> float | None:
        """Return the population stability index Σ (a - e) · ln(a / e); None before there are enough events.

        Half an event is added to every bin, so that an empty one is no infinity. Rule of thumb: up to 0.1 the same,
        above 0.25 another population. Source: Siddiqi, Credit Risk Scorecards, 2006, chapter 10.
        """
        if len(self._recent) < LEAST or len(self.expected) < 2:
            return None
        counts = np.bincount(self._recent, minlength=len(self.expected)) + 0.5
        actual = counts / counts.sum()
        return math.fsum((actual - self.expected) * np.log(actual / self.expected))


class Drift:
    """Population stability index of confidence and OOD distance over the last events; safe to share between threads."""

    def __init__(self, signals: Signals | None) -> None:
        self._lock = threading.Lock()
        self._bins: dict[str, Bins] = {}
        if signals is not None:
            measured = [name for name in (CONFIDENCE, OOD_DISTANCE) if name in signals]
            self._bins = {name: Bins(signals[name], below=name == CONFIDENCE) for name in measured}

    def add(self, **values: ArrayLike | None) -> None:
        """Count the confidence and OOD distance of events; None is of a model that has no detector."""
        with self._lock:
            for name, bins in self._bins.items():
                if (new := values[name]) is not None:
                    bins.add(new)

    def measured(self) -> dict[str, float]:
        """Return the index of each signal; empty while unmeasured."""
        with self._lock:
            found = {name: bins.psi() for name, bins in self._bins.items()}
        return {name: value for name, value in found.items() if value is not None}

    def unmeasured(self) -> str | None:
        """Return why there is no index; None if there is one."""
        if not self._bins:
            return "the bundle keeps no scores of validation events: it was made by an older version"
        return None if self.measured() else f"fewer than {LEAST} events were judged"
