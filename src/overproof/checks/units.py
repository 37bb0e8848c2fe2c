"""Find which events hang together: those of one group, and near-duplicates."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overproof.checks.stats import Units
from overproof.events.split import template

_SIZE = re.compile(r"2\^\d+")  # a logarithmic bucket, as the templates of structured events write numbers
_TOKEN = re.compile(r"(?<![0-9a-z])(?=[a-f]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*(?![0-9a-z])")  # ids, hashes, UUIDs
_NUMBER = re.compile(r"0+")
_SPACE = re.compile(r"\s+")


def mark(text: str) -> str:
    """Reduce a text to what near-duplicates share: case, numbers, hexadecimal ids and white space do not count.

    Unlike in `split.template` the exponents of logarithmic buckets do: flows that differ in size are not alike.
    """
    parts, sizes = _SIZE.split(text), _SIZE.findall(text)
    plain = [_SPACE.sub(" ", _NUMBER.sub("0", _TOKEN.sub("0", template(part)))) for part in parts]
    return "".join(part + size for part, size in zip(plain, [*sizes, ""], strict=True)).strip()


def units_of(texts: Sequence[str], groups: Sequence[str | None]) -> Units:
    """Return how events hang together: by group, where they have any, and by near-duplicates.

    An event without a group is a unit of its own there.

    Parameters
    ----------
    texts, groups
        Of the events, n each.
    """
    marks = [mark(text) for text in texts]
    if all(group is None for group in groups):
        return Units.of(len(marks), marks)
    return Units.of(len(marks), groups, marks)
