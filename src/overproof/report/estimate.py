"""Say what a figure with an interval is, whoever computed it."""

from __future__ import annotations

from typing import Protocol


class Estimate(Protocol):
    """A figure and the ends of its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
