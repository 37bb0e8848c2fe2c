"""Hold what stands on a layer's grids: its weights, and the activations that go into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overproof.results.rounding_cost import Cost


@dataclass(frozen=True)
class Weights:
    """A layer's weights on their grid.

    Attributes
    ----------
    scheme
        Which integers are used, such as `S8 symmetric, reduced range`.
    bits
        Of a stored integer.
    per, grids
        `tensor`, `channel` or `group`, and the number of scales.
    scale, zero_point, range
        Least and greatest over all grids; the range in the weights' own unit.
    qmin, qmax
        The grid's least and greatest integer.
    counts
        Weights stored as each integer from qmin to qmax.
    cost
        What that did to the FP32 weights.
    """

    scheme: str
    bits: int
    per: str
    grids: int
    scale: tuple[float, float]
    zero_point: tuple[int, int]
    range: tuple[float, float]
    qmin: int
    qmax: int
    counts: tuple[int, ...]
    cost: Cost

    def __post_init__(self) -> None:
        _require_histogram(self.counts, self.qmin, self.qmax)
        _require_zero_points(self.zero_point, self.qmin, self.qmax)


@dataclass(frozen=True)
class Seen:
    """What events of one kind put into a layer.

    Attributes
    ----------
    counts
        Values rounded to each integer of the grid.
    below, above
        Values more than half a step outside the range, which are clipped; not in `counts`.
    """

    counts: tuple[int, ...]
    below: int
    above: int

    def __post_init__(self) -> None:
        if min(self.below, self.above) < 0:
            raise ValueError(f"{self.below} values below the range and {self.above} above it, expected 0 or more")

    @property
    def values(self) -> int:
        """The number of all values that were seen."""
        return sum(self.counts) + self.below + self.above

    @property
    def saturated(self) -> float | None:
        """The share of the values that are clipped; None if none was seen."""
        return (self.below + self.above) / self.values if self.values else None


@dataclass(frozen=True)
class Activations:
    """A layer's input on its grid.

    Attributes
    ----------
    tensor
        Its name in the graph.
    scheme
        Which integers are used.
    scale, zero_point, range, qmin, qmax
        The grid; per tensor.
    seen
        Kind of events (`benign`, `attack`, or `all` of them) to what they put in.
    """

    tensor: str
    scheme: str
    scale: float
    zero_point: int
    range: tuple[float, float]
    qmin: int
    qmax: int
    seen: Mapping[str, Seen]

    def __post_init__(self) -> None:
        _require_zero_points((self.zero_point,), self.qmin, self.qmax)
        for seen in self.seen.values():
            _require_histogram(seen.counts, self.qmin, self.qmax)


def _require_histogram(counts: Sequence[int], qmin: int, qmax: int) -> None:
    """ValueError unless there is a count for each integer of the grid, and none is negative."""
    if len(counts) != qmax - qmin + 1 or not counts:
        raise ValueError(f"{len(counts)} counts, expected one for each integer from {qmin} to {qmax}")
    if min(counts) < 0:
        raise ValueError(f"a count of {min(counts)}, expected 0 or more")


def _require_zero_points(zero_points: Sequence[int], qmin: int, qmax: int) -> None:
    """ValueError unless they lie on the grid."""
    for zero_point in zero_points:
        if not qmin <= zero_point <= qmax:
            raise ValueError(f"zero point {zero_point} beyond the grid from {qmin} to {qmax}")
