"""Count lines, of formats in which each is a record."""

from __future__ import annotations

from fuzz.accounts.told import Told
from fuzz.target import require


def require_counted(content: bytes, told: Told, heading: bytes | None = None) -> None:
    """Require that every line that is not blank, and no heading, is an event or rejected."""
    wanted = {
        number for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        if line.strip(b" \t\r\n\v\f\xef\xbb\xbf") and not (heading and line.startswith(heading))
    }  # fmt: skip
    lost = sorted(wanted.difference(told.places, (place for place, _ in told.rejected)))
    require(not lost, f"lines that are neither events nor rejected: {lost[:5]}")


def require_counted_but_headers(content: bytes, told: Told) -> None:
    """Require it of lines that begin with no `#`."""
    require_counted(content, told, b"#")
