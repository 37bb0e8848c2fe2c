"""Part corrections into what is learned from and what is measured on, so that later rounds agree with this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from overproof.events.feedback import ANALYST
from overproof.events.feedback.corrections import Correction
from overproof.events.split import template


def to_check(text: str, share: float, seed: int) -> bool:
    """Return whether an event is measured on: by a hash of its template, so near duplicates are on one side for ever.

    A larger share moves events to this side and none from it.
    """
    drawn = hashlib.blake2b(f"feedback {seed}:{template(text)}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(drawn.digest(), "big") < share * 2**64


def sides(corrections: Iterable[Correction], share: float, seed: int) -> tuple[list[Correction], list[Correction]]:
    """Return the corrections that are learned from, and those that are measured on."""
    found: tuple[list[Correction], list[Correction]] = [], []
    for one in corrections:
        found[to_check(one.of.text, share, seed)].append(one)
    return found


def lines(corrections: Sequence[Correction]) -> str:
    """Write corrections as events, a JSON line each."""
    return "".join(f"{orjson.dumps(_row(one)).decode()}\n" for one in corrections)


def _row(one: Correction) -> dict[str, Any]:
    said = {"text": one.of.text, "label": one.label, "family": one.family, "time": one.of.time}
    told = {"labelled_by": ANALYST, "verdict": one.of.label, "verdict_origin": one.of.origin, **one.said}
    return {name: value for name, value in {**said, **told}.items() if value is not None}
