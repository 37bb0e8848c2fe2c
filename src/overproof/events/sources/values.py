"""Convert JSON values, where nothing says what type they have, to text, numbers, lists and times."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from overproof.events.sources.batch import plain

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = (int, float)  # once, and not `int | float` in each call, which makes the type anew
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def string(value: object) -> str | None:
    """Convert a JSON value to text; None and the empty string are None."""
    if value is None or type(value) is str:  # the usual cases, of most fields of most records
        return value or None
    return str(value) if isinstance(value, _NUMBERS) else plain(value)


def integer(value: object) -> int | None:
    """Convert a JSON value to an integer of 64 bits; None where it is none."""
    if value is None:
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else None


def number(value: object) -> float | None:
    """Convert a JSON value to a finite number that is not negative; None where it is none."""
    if not isinstance(value, _NUMBERS) and not isinstance(value, str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def entry(record: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    """Return a JSON object inside another; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a JSON list; what is no list is a list of one, and null one of none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def joined(value: object) -> str | None:
    """Join a JSON list to text, its values divided by commas."""
    return ",".join(string(each) or "" for each in items(value)) or None


def journal_text(value: object) -> str | None:
    """Convert a field of journald's JSON to text; None where it is none.

    Text that is not printable is a list of bytes, and a field that stands several times a list of its values:
    https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format
    """
    if isinstance(value, str) or not isinstance(value, list):
        return value if isinstance(value, str) else None
    found = _of_bytes(value)
    if found is None:
        texts = [each if isinstance(each, str) else _of_bytes(each) for each in value]
        found = "\n".join(text for text in texts if text is not None)
    return found or None


def _of_bytes(value: object) -> str | None:
    if not isinstance(value, list) or not all(type(byte) is int and 0 <= byte < 256 for byte in value):
        return None
    return bytes(value).decode("utf-8", "backslashreplace")


def when(time: float) -> str | None:
    """Write seconds since 1970 in ISO 8601, UTC; None beyond the years 1 to 9999."""
    try:
        return _iso(_EPOCH + timedelta(seconds=time))
    except (OverflowError, ValueError):
        return None


def moment(text: str) -> datetime | None:
    """Parse a time in ISO 8601 that has a zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
        zone = found.tzinfo
        return found if zone is UTC else None if zone is None else found.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def seconds(value: object) -> float | None:
    """Convert a time to seconds since 1970: JSON has ISO 8601, seconds, or thousandths of them to billionths.

    Which of these a number is, is told by its size: each unit reaches from 1973 to the year 5138.
    """
    found = number(value)
    if found is not None:
        return found if found < 1e11 else next((found / unit for unit in (1e9, 1e6, 1e3) if found / unit >= 1e8), found)
    time = moment(value) if isinstance(value, str) else None
    return None if time is None else time.timestamp()


def utc(text: str) -> str | None:
    """Convert a time in ISO 8601 that has a zone to UTC."""
    found = moment(text)
    return None if found is None else _iso(found)


def _iso(time: datetime) -> str:
    return f"{time.isoformat().removesuffix('+00:00')}Z"
