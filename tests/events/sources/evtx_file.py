"""Write Windows event log files, by [MS-EVEN6] 2.2.12 and the documentation of libevtx; no reader has a part in it.

Every record brings a template of its own, without values to fill in: Windows has one template for many records.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

CHUNK, FIRST_RECORD = 65_536, 512
HEAD, NO_VALUE = 11, 0xFFFF  # bytes before an element's name; the value that it hangs on, which none does
FILETIME_1970 = 116_444_736_000_000_000  # in 100 ns since 1601


def event(identifier: int, channel: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's XML as nested dicts: an element's text, or its elements; `Data` elements are named by attribute."""
    system = {"EventID": str(identifier), "Channel": channel, "Computer": "WS1"}
    return {"Event": {"System": system, "EventData": [("Data", name, text) for name, text in data.items()]}}


def evtx(events: Sequence[Mapping[str, Any]], *, seconds: float = 1_767_596_784.5) -> bytes:
    """A file of one chunk that holds these events; each `seconds` after 1970."""
    records, last_at = b"", FIRST_RECORD
    for number, written in enumerate(events, 1):
        last_at = FIRST_RECORD + len(records)
        records += _record(number, written, FIRST_RECORD + len(records), seconds)
    assert FIRST_RECORD + len(records) <= CHUNK
    last, end = len(events), FIRST_RECORD + len(records)
    head = struct.pack("<8s4QIIII", b"ElfChnk\0", 1, last, 1, last, 128, last_at, end, zlib.crc32(records))
    head = head.ljust(120, b"\0")
    tables = bytes(FIRST_RECORD - 128)
    chunk = head + bytes(4) + struct.pack("<I", zlib.crc32(head + tables)) + tables + records
    start = struct.pack("<8s3QIHHHH", b"ElfFile\0", 0, 0, last + 1, 128, 1, 3, 4096, 1).ljust(120, b"\0")
    return (start + bytes(4) + struct.pack("<I", zlib.crc32(start))).ljust(4096, b"\0") + chunk.ljust(CHUNK, b"\0")


def _record(number: int, written: Mapping[str, Any], at: int, seconds: float) -> bytes:
    body = b"\x0f\1\1\0" + _template(number, written, at + 24 + 4) + b"\0"
    size = 24 + len(body) + 4
    filetime = FILETIME_1970 + int(seconds * 10_000_000)
    return struct.pack("<4sIQQ", b"**\0\0", size, number, filetime) + body + struct.pack("<I", size)


def _template(number: int, written: Mapping[str, Any], at: int) -> bytes:
    """A template at a place of its chunk, defined on the spot, and no values for it."""
    head, definition = 10, 24  # bytes: which template and where it is defined; the next one, its GUID, its size
    fragment = b"\x0f\1\1\0" + _elements(written, at + head + definition + 4) + b"\0"
    defined = struct.pack("<II12sI", 0, number, b"", len(fragment)) + fragment
    return struct.pack("<BBII", 0x0C, 1, number, at + head) + defined + struct.pack("<I", 0)


def _elements(written: Mapping[str, Any] | Sequence[tuple[str, str, str]], at: int) -> bytes:
    found = b""
    items = [(name, None, inside) for name, inside in written.items()] if isinstance(written, Mapping) else written
    for name, called, inside in items:
        found += _element(name, called, inside, at + len(found))
    return found


def _element(name: str, called: str | None, inside: Any, at: int) -> bytes:
    """An element at a place of its chunk: names are given by where they stand, here always on the spot."""
    label = _name(name, at + HEAD)
    attributes = b""
    if called is not None:
        attribute = b"\6" + _name("Name", at + HEAD + len(label) + 4 + 1, with_offset=True) + _text(called)
        attributes = struct.pack("<I", len(attribute)) + attribute
    head = label + attributes + b"\2"
    content = _text(inside) if isinstance(inside, str) else _elements(inside, at + HEAD + len(head))
    rest = head + content + b"\4"
    return struct.pack("<BHII", 0x41 if attributes else 1, NO_VALUE, 4 + len(rest), at + HEAD) + rest


def _name(name: str, at: int, *, with_offset: bool = False) -> bytes:
    digest = 0
    for character in name:
        digest = (digest * 65_599 + ord(character)) & 0xFFFFFFFF
    written = struct.pack("<IHH", 0, digest & 0xFFFF, len(name)) + name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<I", at + 4) + written if with_offset else written


def _text(text: str) -> bytes:
    return struct.pack("<BBH", 5, 1, len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")
