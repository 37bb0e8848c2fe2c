"""Write one line of text: a name and `key=value` parts, numbers as logarithmic buckets."""

from __future__ import annotations

from collections.abc import Mapping

Part = str | int | None


def bucket(number: float) -> str:
    """Write a number as its logarithmic bucket: `2^10` is 1024 to 2047, `2^0` all under 2, except 0, which stays."""
    return f"2^{int(number).bit_length() - 1}" if number >= 1 else "2^0" if number > 0 else "0"


def bucketed(number: float | None, unit: str = "") -> str | None:
    """Write a number as its logarithmic bucket with a unit behind it; None stays None."""
    return None if number is None else bucket(number) + unit


def line(start: str, /, **parts: Part) -> str:
    """Join the parts that are there to one line."""
    return " ".join([start, *[f"{key}={part}" for key, part in parts.items() if part is not None]])


def record(name: str, parts: Mapping[str, Part]) -> str:
    """Write any other record: its name and `key=value …`; a value with blanks in it is quoted."""
    quoted = {key: f'"{part}"' if isinstance(part, str) and " " in part else part for key, part in parts.items()}
    return line(name, **quoted)
