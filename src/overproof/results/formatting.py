"""Write shares, ranges and ratios the same way in every text and picture of results."""

from __future__ import annotations


def span(low: float, high: float) -> str:
    """Write two numbers as a range, or one if they are the same."""
    return f"{low:.4g}" if low == high else f"{low:.4g} ... {high:.4g}"


def percent(share: float | None) -> str:
    """Write a share in percent; small ones are not rounded to 0."""
    if share is None:
        return "unmeasured"
    return f"{share:.2%}" if share >= 1e-4 or not share else f"{100 * share:.1g}%"


def count_of(count: int, events: int) -> str:
    """Write a count of events with its share."""
    return f"{count:,} of {events:,} ({percent(count / events if events else None)})"


def decibels(value: float | None) -> str:
    """Write a ratio in dB; nothing lost has none."""
    return "exact" if value is None else f"{value:.1f}"


def shape(sizes: tuple[int, ...]) -> str:
    """Write the shape of a tensor."""
    return " x ".join(map(str, sizes))
