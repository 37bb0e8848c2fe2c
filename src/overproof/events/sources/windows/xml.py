"""Read Windows events as XML: what Event Viewer saves, wevtutil prints, and forwarders send, whatever its lines.

The schema (https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-event-eventtype) has no document type, so
none is read, and no entity expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import Row, batched
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.stream import LONGEST, READ_ERRORS, decoded, excerpt
from overproof.events.sources.structured import StructuredEvent, structured_batch
from overproof.events.sources.windows.records import to_event
from overproof.events.sources.windows.shapes import event_of
from overproof.progress import why

_LOOKS = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<Events(?:\s[^>]*)?>\s*)?<Event(?:\s[^>]*)?>\s*<System[\s>]")
_BEGINS, _ENDS = re.compile(rb"<Event(?=[\s>])"), b"</Event>"
_BETWEEN = re.compile(rb"<\?xml[^>]{0,200}\?>|</?Events(?:\s[^>]{0,200})?>|\s+|\xef\xbb\xbf")
_NONE = "not a Windows event as XML"


def looks_like(head: bytes) -> bool:
    """Tell whether an input begins with such an event."""
    return _LOOKS.match(head) is not None


def read_xml(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read Windows events as XML; see `interface.Source`. The places in origins are the lines that events begin in.

    Raises
    ------
    InputError
        If columns were named.
    """
    require(options.columns.named, (), f"{source.name}: a Windows event log, which is read by its own columns")
    rows = _rows(source, options.on_skip)
    yield from batched(rows, options.batch_rows, partial(structured_batch, source.name, extra=options.extra))


def _rows(source: Input, on_skip: OnSkip) -> Iterator[Row[StructuredEvent] | None]:
    for item in _pieces(source):
        if item is None:
            yield None
            continue
        line, data, reason = item
        event = reason or _event(data)
        if isinstance(event, str):
            on_skip(Skipped(event, f"{source.name}:{line}", excerpt(data)))
        else:
            yield line, len(data), event


def _pieces(source: Input) -> Iterator[tuple[int, bytes, str | None] | None]:
    """Yield each event with its line, and whatever else stands there with the reason why it is none."""
    data, seen, line, cut = b"", 0, 1, "cut short: XML that does not end"
    blocks = iter(source.blocks)
    while True:
        try:
            block = next(blocks, None)
        except READ_ERRORS as error:
            block, cut = None, f"the input breaks off: {why(error)}"
        if block is None:
            break
        if not block:
            yield None
            continue
        data += block
        start = 0
        while (end := data.find(_ENDS, max(seen, start))) >= 0:
            end += len(_ENDS)
            begin = _BEGINS.search(data, start, end)
            at = end if begin is None else begin.start()
            if _other(data[start:at]):
                yield line, data[start:at], _NONE
            line += data.count(b"\n", start, at)
            if begin is not None:
                yield line, data[at:end], None
            line += data.count(b"\n", at, end)
            start = end
        data = data[start:]
        seen = max(0, len(data) - len(_ENDS))
        if len(data) > LONGEST:
            yield line, data, "longer than 16 MiB"
            line += data.count(b"\n", 0, seen)
            data, seen = data[seen:], 0
    if _other(data):
        yield line, data, cut if _BEGINS.search(data) else _NONE


def _other(data: bytes) -> bytes:
    """Return what stands between events and is no part of a document of them."""
    return _BETWEEN.sub(b"", data)


def _event(data: bytes) -> StructuredEvent | str:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return "XML with a document type"
    try:
        event = event_of(_record(ElementTree.fromstring(decoded(data))))  # no document type, so no entity
    except (ElementTree.ParseError, ValueError, RecursionError):
        return "XML does not parse"
    return _NONE if event is None else to_event(event)


def _record(root: ElementTree.Element) -> dict[str, Any]:
    """Return an event as the JSON of it is written."""
    parts = {_local(part.tag): part for part in root}
    system: dict[str, Any] = {
        _local(one.tag): {"#attributes": one.attrib, "#text": one.text} for one in parts.get("System", ())
    }
    if not system:
        return {}
    said = parts.get("EventData", parts.get("UserData"))
    if "RenderingInfo" in parts:
        message = next((one.text for one in parts["RenderingInfo"] if _local(one.tag) == "Message"), None)
        system["Message"] = {"#attributes": {}, "#text": message}
    return {"System": system, "EventData": None if said is None else _data(said)}


def _data(element: ElementTree.Element) -> dict[str, Any]:
    """Return what an element holds as the JSON of it is written: its children by their names, several as a list."""
    found: dict[str, list[Any]] = {}
    for one in element:
        inside = _data(one) if len(one) else {"#attributes": one.attrib, "#text": one.text}
        found.setdefault(_local(one.tag), []).append(inside)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
