"""Read out of a verdict what several forms need: the columns every source shares, addresses, times, an identity."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from overproof.inference.sinks import severity
from overproof.inference.sinks.interface import About, Verdict

# Columns that sources share (docs/verdict-schema.md), and their types.
COLUMNS: Mapping[str, type] = {
    "src_ip": str,
    "src_port": int,
    "dst_ip": str,
    "dst_port": int,
    "transport": str,
    "protocol": str,
    "host": str,
    "url": str,
    "method": str,
    "user_agent": str,
    "status": int,
    "user": str,
    "query": str,
    "flow_id": str,
}
NO_LABEL = "unlabelled"
_LONGEST_ADDRESS = 45  # characters: an IPv6 address that ends in an IPv4 one
# A port, or the status of an answer: anything longer is neither, and would not fit the forms' integers.
_DIGITS = 5


def shared(verdict: Verdict) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an event's columns: those that have the name and type of `COLUMNS`, and all others.

    A table may hold its ports as text: digits become a number.
    """
    known: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in (verdict.get("event") or {}).items():
        found = as_shared(name, value)
        if found is None:
            rest[name] = value
        else:
            known[name] = found
    return known, rest


def as_shared(name: str, value: Any) -> str | int | None:
    """Return an event's value as the column of `COLUMNS` that has its name; None where it is none of them."""
    wanted = COLUMNS.get(name)
    if wanted is int:
        return _number(value)
    return value if wanted is str and isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 16:
        return value
    return None


def address(text: str) -> str | None:
    """Return an IP address in its usual spelling, without its zone; None for anything else, such as a host's name."""
    plain = text.partition("%")[0]
    return _address(plain) if len(plain) <= _LONGEST_ADDRESS else None  # what is remembered must be short


@lru_cache(maxsize=1 << 14)
def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def milliseconds(time: str | None) -> int | None:
    """Read a time as milliseconds since the epoch: ISO 8601 (without a zone: UTC), or seconds since the epoch.

    None if it is neither, or before 1970.
    """
    if not time:
        return None
    try:
        found = datetime.fromisoformat(time)
    except ValueError:
        try:
            seconds = float(time)
        except ValueError:
            return None
        return int(seconds * 1000) if 1e8 <= seconds < 1e10 else None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    # By integers: a float of seconds is off by a millisecond now and then.
    since = found - EPOCH
    milliseconds = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    return milliseconds if 0 <= milliseconds < LATEST else None


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 253_402_300_800_000  # the year 10000, which ISO 8601 and many readers have no room for


def when(verdict: Verdict, about: About) -> int:
    """Return the event's time in milliseconds since the epoch, or the run's where it has none that can be read."""
    found = milliseconds(verdict["time"])
    return about.now if found is None else found


def identity(verdict: Verdict) -> str:
    """32 hexadecimal digits that are the same whenever the same student reads the same event in the same place."""
    what = [verdict["origin"], verdict["source"], verdict["time"], verdict["models"]["student"], verdict.get("event")]
    return hashlib.sha256(orjson.dumps(what, default=str, option=orjson.OPT_SERIALIZE_NUMPY)).hexdigest()[:32]


def confidence(verdict: Verdict) -> float | None:
    """Of the model whose label stands; None where its scores are no numbers."""
    found = verdict["full" if verdict["decided_by"] == "full" else "student"]["confidence"]
    return None if found is None else float(found)


def label(verdict: Verdict) -> str:
    """Return the label, or a word for there being none, for forms that must have one."""
    return verdict["label"] or NO_LABEL


def sentence(verdict: Verdict) -> str:
    """Put the verdict in a sentence for people."""
    who = "undecided" if verdict["decided_by"] == "nobody" else f"decided by the {_SAID[verdict['decided_by']]}"
    attack = "unknown" if verdict["attack"] is None else severity.written(verdict["attack"])
    silenced = f"; no alert by the rule {verdict['excepted']}" if "excepted" in verdict else ""
    return f"{label(verdict)} (attack {attack}) at {verdict['origin']}: {who}, {verdict['reason']}{silenced}"


def is_alert(verdict: Verdict, benign: Collection[str]) -> bool:
    """Return whether somebody should look: its label is not benign, or it has none, and no rule silences it."""
    return verdict["label"] not in benign and "excepted" not in verdict


_SAID = {"student": "student", "full": "full model"}
