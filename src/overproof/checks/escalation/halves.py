"""Part the events in two: those that choose the threshold, and those that verify it."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import FULL, Bools, CheckContext
from overproof.checks.stats import Units

Counts = NDArray[np.intp]


def halves(context: CheckContext) -> Bools:
    """Say which events choose, shape (n,).

    Whatever hangs together (`linked`) is on one side as a whole. Both sides get as much evidence: the parts are dealt
    out one by one, those with attacks that the full model detects first, the largest first, each to the side that has
    fewer independent events of its kind, or else fewer events. So one giant part leaves no side without evidence.
    Nothing of this hangs on what the student says; which part comes to which side is drawn by the seed and by what the
    part holds, whatever the order of the events.
    """
    part = linked(context).joined()
    parts = int(part.max()) + 1 if len(part) else 0
    detected = _independent(context.units, context.attacks & context.detected(FULL), part, parts)
    independent = _independent(context.units, np.ones(len(part), dtype=bool), part, parts)
    size = np.bincount(part, minlength=parts)
    drawn = _drawn(context, part, parts)
    order = sorted(range(parts), key=lambda i: (-detected[i], -independent[i], -size[i], drawn[i]))
    chosen = np.zeros(parts, dtype=bool)
    there = np.zeros((2, 3), dtype=np.intp)  # of either side: detected attacks and all events that are independent, all
    for i in order:
        kind = 0 if detected[i] else 1
        fewer, more = there[:, kind], there[:, 2]
        ahead = (int(fewer[1] - fewer[0]), int(more[1] - more[0]))
        chosen[i] = ahead < (0, 0) if any(ahead) else drawn[i][0] % 2
        there[int(chosen[i])] += (detected[i], independent[i], size[i])
    return np.asarray(chosen[part], dtype=bool)


def linked(context: CheckContext) -> Units:
    """Return how events hang together for the two halves: by group, and attacks as near-duplicates too.

    What every host sends links no hosts: joined through `GET /`, all traffic would be one part, and one half empty.
    What is chosen and verified is how many attacks are lost, and of those no copy is on both sides.
    """
    *groups, marks = context.units.ways
    alone = context.attacks | np.array([group is None for group in context.sample.groups], dtype=bool)
    named = [mark if known else None for mark, known in zip(marks.tolist(), alone, strict=True)]
    return Units.of(len(named), *(way.tolist() for way in groups), named)


def _independent(units: Units, rows: Bools, part: Counts, parts: int) -> Counts:
    """Count how many independent units some of the events have in each part, shape (parts,)."""
    pairs = np.unique(np.column_stack([part[rows], units.take(rows).coarsest()]), axis=0)
    return np.bincount(pairs[:, 0], minlength=parts)


def _drawn(context: CheckContext, part: Counts, parts: int) -> list[bytes]:
    """Draw a random number for each part, by the seed and by the texts and groups that it holds."""
    content: list[list[str]] = [[] for _ in range(parts)]
    for i, text, group in zip(part.tolist(), context.sample.texts, context.sample.groups, strict=True):
        content[i].append(text if group is None else repr((text, group)))  # what two groups both sent is of two parts
    return [random_key(context.seed, *sorted(held)) for held in content]


def random_key(seed: int, *content: str) -> bytes:
    """Return a number that is as good as random: equal for equal seed and content, whatever else there is."""
    return hashlib.blake2b(repr((seed, content)).encode("utf-8", "backslashreplace"), digest_size=8).digest()
