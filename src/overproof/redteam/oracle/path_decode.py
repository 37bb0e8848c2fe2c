"""Decode a path as servers do: percent-escapes any number of times, and what lenient ones take for a slash or a dot."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_ROUNDS = 3
_UNICODE = {0x2215: "/", 0xFF0F: "/", 0x2216: "\\", 0xFF3C: "\\", 0xFF0E: "."}  # nearest ASCII, as IIS once mapped them
_LAST_BYTE, _FIRST_CONTINUATION, _AFTER_CONTINUATION, _AFTER_OVERLONG = 0xFF, 0x80, 0xC0, 0xC2


@dataclass(frozen=True)
class Reading:
    """A way to read a path: how often percent-escapes are decoded, and what is undone after that."""

    rounds: int
    also: str

    def __call__(self, text: str) -> str:
        """Read a path, as far as its null byte: what opens files ends a name there."""
        for _ in range(self.rounds):
            text = _decoded(text)
        return _ALSO[self.also](text).partition("\0")[0]

    @property
    def how(self) -> str:
        """Say the reading in words."""
        rounds = {1: "decoded once", 2: "decoded twice"}.get(self.rounds, f"decoded {self.rounds} times")
        return rounds + (f", {self.also}" if self.also else "")


def _decoded(text: str) -> str:
    """Undo one round of percent-encoding.

    Overlong UTF-8 is decoded as lenient decoders do: `%c0%af` is a slash; where no continuation follows, the lead byte
    is dropped (`%c0%2f`). `%u2215` is the nearest ASCII character.
    """
    out: list[str] = []
    place = 0
    while place < len(text):
        code, after = _escape(text, place)
        if _AFTER_CONTINUATION <= code < _AFTER_OVERLONG:
            second, end = _escape(text, after)
            if _FIRST_CONTINUATION <= second < _AFTER_CONTINUATION:
                out.append(chr((code & 0x1F) << 6 | second & 0x3F))
                place = end
                continue
            if 0 <= second < _FIRST_CONTINUATION:
                place = after
                continue
        out.append(text[place] if code < 0 else _UNICODE.get(code, chr(code)))
        place = after
    return "".join(out)


def _escape(text: str, place: int) -> tuple[int, int]:
    """Read the escape at a place: its code and where it ends; -1 and the next place where none is."""
    found = re.compile("%u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})").match(text, place)
    return (int(found[1] or found[2], 16), found.end()) if found else (-1, place + 1)


def _hex_notation(text: str) -> str:
    return re.sub("0x([0-7][0-9a-f])", lambda found: chr(int(found[1], 16)), text, flags=re.I)


def _bare_hex(text: str) -> str:
    return re.sub("2f|5c|2e", lambda found: chr(int(found[0], 16)), text, flags=re.I)


def _without_parameters(text: str) -> str:
    return re.sub(r";[^/\\]*(?=[/\\])", "", text)


def _filtered(text: str) -> str:
    return re.sub(r"\.\.[/\\]", "", text)


_ALSO: dict[str, Callable[[str], str]] = {
    "": str,
    "0x2e read as a byte": _hex_notation,
    "2f without its percent sign read as a slash": _bare_hex,
    "path parameters dropped": _without_parameters,
    "../ taken out once": _filtered,
}

READINGS = tuple(Reading(rounds, also) for also in _ALSO for rounds in range(1, _ROUNDS + 1))
"""All readings, the plainest first."""
