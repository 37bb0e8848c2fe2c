r"""Undo what servers do to what they log: escapes such as `\"` and `\x22`, and their way to write a time."""

from __future__ import annotations

import re
from functools import lru_cache

from overproof.events.sources.values import utc

_BACKSLASH = ord("\\")  # which is looked for in bytes several times as fast as b"\\"
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\nrtbvf]))")
_CHARACTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_MONTHS = {
    name: f"{number:02d}" for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_CLOCK = re.compile(rb"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9:]{8}(?:\.[0-9]{1,9})?) ([+-][0-9]{4})")


def unescaped(logged: bytes | None, escapes: bool = True) -> str | None:
    """Recover what a client sent from what the server wrote of it; `-` and nothing are None."""
    if not logged or logged == b"-":
        return None
    if escapes and _BACKSLASH in logged:
        logged = _ESCAPED.sub(_character, logged)
    return logged.decode("utf-8", "backslashreplace")


def _character(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else _CHARACTERS.get(escape[2], escape[2])


@lru_cache(1024)  # many requests come in one second
def clock(logged: bytes) -> str | None:
    """Convert `10/Oct/2023:13:55:36 -0700` to UTC, ISO 8601; that itself too, with a blank before its zone or not."""
    match = _CLOCK.fullmatch(logged)
    if match is None:
        return utc(logged.decode("utf-8", "replace").replace(" +", "+").replace(" -", "-"))
    day, name, year, time, zone = match.groups()
    month = _MONTHS.get(name)
    return None if month is None else utc(f"{year.decode()}-{month}-{day.decode()}T{time.decode()}{zone.decode()}")
