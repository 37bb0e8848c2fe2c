"""Detect an input's format: by content where that is decisive, else by its extension, else by its first line."""

from __future__ import annotations

from pathlib import PurePath

from overproof.errors import InputError
from overproof.events.sources import accesslog, syslog
from overproof.events.sources.interface import DEFAULT_NAMES, Columns, Input
from overproof.events.sources.journald.export import looks_like_export
from overproof.events.sources.journald.log import unframed
from overproof.events.sources.journald.records import is_entry
from overproof.events.sources.jsonl import parse
from overproof.events.sources.stream import decoded
from overproof.events.sources.suricata.records import is_eve
from overproof.events.sources.windows.shapes import is_windows_event
from overproof.events.sources.zeek.keys import is_record

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "lines",
    ".log": "lines",
}

# first bytes of what people pass by mistake, and what it is
_UNREADABLE = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"BZh91AY": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}

_MAGIC = {
    b"PAR1": "parquet",
    b"\xa1\xb2\xc3\xd4": "pcap",
    b"\xd4\xc3\xb2\xa1": "pcap",
    b"\xa1\xb2\x3c\x4d": "pcap",  # nanoseconds
    b"\x4d\x3c\xb2\xa1": "pcap",
    b"\xa1\xb2\xcd\x34": "pcap",  # modified
    b"\x34\xcd\xb2\xa1": "pcap",
    b"\x0a\x0d\x0d\x0a": "pcap",  # pcapng
}

_ZEEK_HEADERS = (b"#separator ", b"#set_separator\t", b"#fields\t")
_LOOKED_AT = 20  # lines


def detect(source: Input, columns: Columns) -> str:
    """Detect the format of an input, as a key of `FORMATS`.

    Raises
    ------
    InputError
        If it is one that people pass by mistake, such as a zip archive.
    """
    for magic, what in _UNREADABLE.items():
        if source.head.startswith(magic):
            raise InputError(f"{source.name}: {what}; expected csv, jsonl, parquet or plain lines, in UTF-8")
    for magic, name in _MAGIC.items():
        if source.head.startswith(magic):
            return name
    return (
        (_by_records(source.head) if not columns.named else None)
        or _by_name(source.name)
        or _by_head(source.head.lstrip(), columns)
    )


def _by_records(head: bytes) -> str | None:
    """Detect records that no other format has: Zeek's, Suricata's, web servers' and syslog's.

    Of logs of lines half of the first lines must be such, because errors and tracebacks stand between them.
    """
    found = head.split(b"\n")[: _LOOKED_AT + 1]
    lines = [line.removesuffix(b"\r") for line in (found[:-1] or found) if line.strip()]
    if not lines:
        return None
    if lines[0].startswith(_ZEEK_HEADERS):
        return "zeek"
    if looks_like_export(head.lstrip()):
        return "journald"
    first = unframed(lines[0]).lstrip()
    if first.startswith(b"{"):
        return _by_keys(first)
    for name, looks_like in (("accesslog", accesslog.looks_like), ("syslog", syslog.looks_like)):
        if 2 * sum(map(looks_like, lines)) >= len(lines):
            return name
    return None


def _by_keys(line: bytes) -> str | None:
    try:
        record = parse(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    signs = {"zeek": is_record, "suricata": is_eve, "journald": is_entry, "windows": is_windows_event}
    return next((name for name, is_one in signs.items() if is_one(record)), None)


def _by_name(name: str) -> str | None:
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return EXTENSIONS.get(suffixes[-1]) if suffixes else None


def _by_head(start: bytes, columns: Columns) -> str:
    if start.startswith(b"{"):
        return "jsonl"
    first = decoded(start.split(b"\n", 1)[0]).strip()
    names = {columns.text} if columns.text else set(DEFAULT_NAMES["text"])
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        cells = {cell.strip(' "') for cell in first.split(delimiter)}
        if names & (cells if columns.text else {cell.lower() for cell in cells}):
            return name
    return "lines"
