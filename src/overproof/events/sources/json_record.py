r"""Parse a line that is one JSON object, whatever its writer got wrong: bad bytes, lone surrogates, a key twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from overproof.events.sources.repeated import Merging, RepeatedKey, has_repeated
from overproof.events.sources.stream import without_bom

# a surrogate pair, then a lone surrogate (captured), then any other escape
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_HEXADECIMAL = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)  # as nginx escapes, unless it is told `escape=json`


Record = dict[Any, Any]
SEPARATOR = b"\x1e"  # before each text of a sequence (RFC 7464)


def parse(line: bytes) -> object:
    """Parse a line, also one with bytes that are not UTF-8, lone surrogates, NaN or huge integers.

    Raises ValueError or RecursionError where it is not JSON.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return parse_pairs(line, None)


def parse_pairs(line: bytes, made: Callable[[list[tuple[str, Any]]], object] | None) -> object:
    """Parse a line as `parse` does, only slower; what is `made` of an object's pairs can see a key that comes twice.

    A byte order mark may stand first: files that have one were put behind each other.
    """
    if line.find(b"\\x") >= 0:
        line = _HEXADECIMAL.sub(_of_hexadecimal, line)
    text = without_bom(line).decode("utf-8", "surrogateescape")
    text = _BAD_BYTE.sub(lambda match: rf"\\x{ord(match[0]) & 0xFF:02x}", text)
    text = _ESCAPE.sub(lambda match: rf"\\{match[1]}" if match[1] else match[0], text)
    return json.loads(text, object_pairs_hook=made)


def _of_hexadecimal(escape: re.Match[bytes]) -> bytes:
    r"""Write `\x22` as JSON would: a byte above ASCII is one of UTF-8, if its neighbours say so."""
    if escape[1] is None:
        return escape[0]
    code = int(escape[1], 16)
    return rb"\u%04x" % code if code < 0x80 else bytes((code,))


def record_of(line: bytes, *, repeats: bool = True) -> Record | str:
    """Return the object that a line is, or why it is none.

    What a key holds that stands twice is one value (`repeated.Merging`). Without `repeats` none is looked for, which
    takes time: the writer of the line is known to write each key once, or whoever asks looks itself.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return mended(line, repeats=repeats)
    if type(record) is not dict:
        return "JSON is not an object"
    return record if not repeats or not has_repeated(line, record) else merged(line, Merging())


def mended(line: bytes, *, repeats: bool = True) -> Record | str:
    """Return the object that a line is which orjson does not take, or why it is none; see `record_of`."""
    if line.startswith(SEPARATOR):
        return record_of(line.removeprefix(SEPARATOR), repeats=repeats)
    try:
        parse_pairs(line, None)  # most lines that come here are no JSON, which is told sooner without the pairs
    except (ValueError, RecursionError):
        return "JSON does not parse"
    return merged(line, Merging())


def merged(line: bytes, merging: Merging) -> Record | str:
    try:
        record = parse_pairs(line, merging)
    except RepeatedKey as error:
        return str(error)
    except (ValueError, RecursionError):
        return "JSON does not parse"
    return record if isinstance(record, dict) else "JSON is not an object"
