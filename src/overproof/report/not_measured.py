"""Hold the reason why a figure could not be measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NotMeasured:
    """A figure that could not be measured.

    Attributes
    ----------
    unmeasured
        Why not.
    """

    unmeasured: str
