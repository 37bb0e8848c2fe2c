"""Divide work into portions of bounded size, so that memory and time of one step hang on no input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def portions(sizes: Iterable[int], most: int, count: int | None = None) -> Iterator[slice]:
    """Yield slices of neighbours whose sizes add up to no more than `most`, as long as can be.

    One that is larger is a portion of its own.

    Parameters
    ----------
    count
        How many a portion holds at most; None is without limit.
    """
    start = total = place = 0
    for place, size in enumerate(sizes, 1):
        total += size
        if place - start > 1 and (total > most or (count is not None and place - start > count)):
            yield slice(start, place - 1)
            start, total = place - 1, size
    if place > start:
        yield slice(start, place)
