"""Compare flows as parsed: all parts are the same but those that their sender decides, and those only rose."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.redteam.base import Proof

_SENDERS = frozenset(
    {"orig_bytes", "src_bytes", "duration", "count", "srv_count", "conns", "gap", "jitter", "ports", "peers"}
)
_MOST = 3  # buckets: eight times as much
_STARTS = {"flow", "flows"}
_NEEDED = {"service", "state", "flag", "conn_state", "conns", "orig_bytes", "src_bytes"}  # one of them, to be a flow

Parts = dict[str, str]


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Say of each pair of flows whether only what its sender decides has risen, by three buckets at most."""
    return [_judged(*pair) for pair in pairs]


def _judged(original: str, edited: str) -> Proof:
    before, after = _parsed(original), _parsed(edited)
    if before is None:
        return Proof("unproved", "the original is no flow")
    if after is None or list(before) != list(after):
        return Proof("changed", "the parts of the flow are others")
    differing = [name for name in before if before[name] != after[name]]
    for name in differing:
        if name not in _SENDERS:
            return Proof("changed", f"{name} is not the sender's, and is another")
        low, high = _bucket(before[name]), _bucket(after[name])
        if low is None or high is None or low[1] != high[1]:
            return Proof("changed", f"{name} is no longer such a number")
        if high[0] < low[0]:
            return Proof("changed", f"{name} is lower")
        if high[0] > low[0] + _MOST:
            return Proof("unproved", f"{name} is over {_MOST} buckets higher")
    if _out_of_step(before, after):
        return Proof("unproved", "connections to the host and to the service rose apart")
    return Proof("proved", "parsed: only what its sender decides rose")


def _out_of_step(before: Parts, after: Parts) -> bool:
    """Tell whether only one of two counts rose whose ratio stands in the text too."""
    rises = set()
    for name in ("count", "srv_count"):
        pair = _bucket(before.get(name, "")), _bucket(after.get(name, ""))
        if pair[0] and pair[1]:
            rises.add(pair[1][0] - pair[0][0])
    return len(rises) > 1


def _parsed(text: str) -> Parts | None:
    """Read `key=value` parts, in their order; None where the text is no flow."""
    words = text.split(" ")
    parts: Parts = {"": words.pop(0)} if words[0] in _STARTS else {}
    for word in words:
        name, sign, value = word.partition("=")
        if not (name and sign and value) or name in parts:
            return None
        parts[name] = value
    return parts if _NEEDED & set(parts) else None


def _bucket(value: str) -> tuple[int, str] | None:
    """Read `2^10s` as (10, "s"), and 1 as `2^0`; None for anything else, 0 included."""
    unit = value[-1:] if value[-1:] in ("s", "%") else ""
    number = value.removesuffix(unit)
    if number == "1":
        return 0, unit
    exponent = number.removeprefix("2^")
    if exponent == number or not (exponent.isascii() and exponent.isdigit() and len(exponent) < 4):
        return None
    return int(exponent), unit
