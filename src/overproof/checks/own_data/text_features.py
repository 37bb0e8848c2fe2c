"""Measure texts: a few numbers that tell one kind of events from another."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRAITS = (
    "length",
    "share of letters",
    "share of digits",
    "share of spaces",
    "share of punctuation",
    "share beyond ASCII",
    "percent signs",
    "distinct characters",
)
_SETS = (string.ascii_letters, string.digits, string.whitespace, string.punctuation)
_KINDS = np.zeros((256, 7))  # byte to: a character's first, letter, digit, space, punctuation, beyond ASCII, percent
_KINDS[[*range(0x80), *range(0xC0, 0x100)], 0] = 1  # all but the bytes that go on with a character of UTF-8
_KINDS[0xC0:, 5] = 1
_KINDS[ord("%"), 6] = 1
for _i, _set in enumerate(_SETS):
    _KINDS[[ord(c) for c in _set], _i + 1] = 1


def traits(texts: Sequence[str]) -> NDArray[np.float64]:
    """Measure each text in the order of `TRAITS`, shape (n, 8); shares are of its characters."""
    found = np.zeros((len(texts), len(TRAITS)))
    for row, text in zip(found, texts, strict=True):
        octets = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        row[:7] = np.bincount(octets, minlength=256) @ _KINDS
        row[7] = len(set(text))
    found[:, 1:6] /= np.maximum(found[:, :1], 1)
    return found
