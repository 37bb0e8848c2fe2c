"""Measure the error that rounding made in one tensor, in all and by magnitude."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

# In JSON, null stands for an open end.
Bound = Annotated[float, Field(allow_inf_nan=True), BeforeValidator(lambda value: math.inf if value is None else value)]


@dataclass(frozen=True)
class Band:
    """Values of like magnitude, |x| / scale in [low, high).

    Attributes
    ----------
    low, high
        Bounds in steps of the grid; the last band is open.
    values
        How many there are.
    mean_error, max_error
        |x̂ - x|.
    mean_relative
        Mean of |x̂ - x| / |x| over those that are not 0; None if there are none.
    """

    low: float
    high: Bound
    values: int
    mean_error: float
    max_error: float
    mean_relative: float | None

    def __post_init__(self) -> None:
        if self.mean_relative is not None and self.mean_relative < 0:
            raise ValueError(f"a mean error of {self.mean_relative}, expected 0 or more")


@dataclass(frozen=True)
class Cost:
    """The error of one tensor on one grid.

    Attributes
    ----------
    values
        Numbers in the tensor.
    max_error, mean_error
        |x̂ - x|.
    sqnr_db
        10 · log10(Σ x² / Σ (x̂ - x)²), in dB; None where nothing is lost, or nothing is there.
    lost
        Share of the values that are not 0 and became 0.
    saturated
        Share of the values more than half a step outside the grid's range: clipped, not rounded.
    bands
        The same by magnitude.
    bytes_before, bytes_after
        In float32; and as integers of the scheme's bits, with four bytes for each scale and as many bits for
        each zero point as for a value.
    """

    values: int
    max_error: float
    mean_error: float
    sqnr_db: float | None
    lost: float
    saturated: float
    bands: tuple[Band, ...]
    bytes_before: int
    bytes_after: int

    def __post_init__(self) -> None:
        if self.bands and self.values < 1:
            raise ValueError(f"bands of {self.values} values")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; the open end of the last band is null."""
        data = asdict(self)
        data["bands"] = [{**asdict(b), "high": b.high if math.isfinite(b.high) else None} for b in self.bands]
        return data
