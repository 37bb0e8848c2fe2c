"""Hold a manifest's numbers to be numbers, and in their range: every comparison with NaN is false, and none would fail.

JSON has no NaN and no infinity, but readers take both, and 1e999 for one of them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from overproof.errors import BundleError
from overproof.progress import one_line

SLACK = 1e-6  # an attack probability is one minus a sum in float32
SHARES, PROBABILITIES = "from 0 to 1", "from 0 to 1, or null"


def require_numbers(data: Mapping[str, Any], where: str) -> None:
    """Raise BundleError unless all numbers of a manifest are finite, and those that decide are in their range."""
    for path, value in _leaves(data, ""):
        if isinstance(value, float) and not math.isfinite(value):
            raise BundleError(f"{where}: {one_line(path)}: {value}, expected a finite number")
    for path, value, least, most, expected in _ranges(data, where):
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise BundleError(f"{where}: {one_line(path)} is {ascii(value)[:60]}, expected a number {expected}")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every value in a JSON document that holds no other, with its path."""
    if isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, inner in items:
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _ranges(data: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any, float, float, str]]:
    """Yield path, value, least, most and what is expected, of every number that decides something."""
    positive, greatest = math.ulp(0.0), sys.float_info.max  # a whole number in JSON may be larger than any float
    yield "temperature", data["temperature"], positive, greatest, "above 0"
    yield "hard_weight", data["hard_weight"], 0.0, 1.0, SHARES
    if data.get("calibration") is not None:
        yield "calibration", data["calibration"], positive, greatest, "above 0, or null"
    if data.get("margin") is not None:
        yield "margin", data["margin"], 0.0, 1.0, PROBABILITIES
    first = data.get("first")
    if first is not None:
        for name in ("benign", "attack"):
            if first[name] is not None:
                yield f"first.{name}", first[name], 0.0, 1.0, PROBABILITIES
        yield "first.ood_limit", first["ood_limit"], 0.0, greatest, "from 0 up"
        yield "first.ood_scale", first["ood_scale"], positive, greatest, "above 0"
    for path, value in _by_share(data["thresholds"], "thresholds", where):
        yield path, value, -SLACK, 1.0 + SLACK, PROBABILITIES
    for signal, found in _mapping(data.get("signals") or {}, "signals", where).items():
        most, expected = (1.0, PROBABILITIES) if signal == "confidence" else (greatest, "from 0 up, or null")
        for path, value in _by_share(found, f"signals.{signal}", where):
            yield path, value, 0.0, most, expected


def _by_share(found: Any, path: str, where: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of each entry that was measured: their names are shares of the events."""
    for share, value in _mapping(found, path, where).items():
        try:
            fits = 0 <= float(share) <= 1
        except ValueError:
            fits = False
        if not fits:
            raise BundleError(f"{where}: {one_line(path)}: share {one_line(share)[:60]}, expected a number {SHARES}")
        if value is not None:
            yield f"{path}.{share}", value


def _mapping(found: Any, path: str, where: str) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise BundleError(f"{where}: {one_line(path)}: expected an object of shares to numbers")
    return found
