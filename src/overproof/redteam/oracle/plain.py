"""Prove that a benign text has stayed benign: all that was added is letters, digits and what stands between words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overproof.redteam.base import Proof

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s]|_")
_ADDED = re.compile(r"[a-z]{2,20}|[a-z]'[a-z]{2,20}|[0-9]{1,4}|[-,.&]")


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Judge pairs of a benign text and an edited one."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    """Find the original's tokens in the edited text in their order; the others must be plain."""
    wanted = _TOKEN.findall(original.casefold())
    if not wanted:
        return Proof("unproved", "no words to compare")
    place, added = 0, []
    for token in _TOKEN.findall(edited.casefold()):
        if place < len(wanted) and token == wanted[place]:
            place += 1
        else:
            added.append(token)
    if place < len(wanted):
        return Proof("changed", f"{wanted[place]!r} is no longer there")
    odd = next((token for token in added if not _ADDED.fullmatch(token)), None)
    if odd is not None:
        return Proof("unproved", f"{odd!r} was added")
    return Proof("proved", "the same words, and plain ones more")
