"""Detect an input's format: by its records where they are decisive, else by its name; lines are the last resort."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any, TypeVar

from overproof.errors import InputError
from overproof.events.sources import accesslog, auditd, cef, containers, csv_dialect, documents, syslog, w3c
from overproof.events.sources.accesslog import named
from overproof.events.sources.binaries import EXPECTED, is_binary, kind_of
from overproof.events.sources.cloud import is_audit_record
from overproof.events.sources.envelopes import form_of
from overproof.events.sources.interface import DEFAULT_NAMES, Columns, Input
from overproof.events.sources.journald.export import looks_like_export
from overproof.events.sources.journald.log import unframed
from overproof.events.sources.journald.records import is_entry
from overproof.events.sources.json_record import SEPARATOR, parse
from overproof.events.sources.modsecurity.shapes import is_transaction, looks_like_serial
from overproof.events.sources.nested import ABSENT, reach
from overproof.events.sources.osquery import is_result
from overproof.events.sources.stream import decoded
from overproof.events.sources.suricata import fast
from overproof.events.sources.suricata.records import is_eve
from overproof.events.sources.windows.shapes import is_windows_event
from overproof.events.sources.windows.xml import looks_like as is_windows_xml
from overproof.events.sources.zeek.keys import is_record

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}

_MAGIC = {
    b"PAR1": "parquet",
    b"ElfFile\0": "evtx",
    b"\xa1\xb2\xc3\xd4": "pcap",
    b"\xd4\xc3\xb2\xa1": "pcap",
    b"\xa1\xb2\x3c\x4d": "pcap",  # nanoseconds
    b"\x4d\x3c\xb2\xa1": "pcap",
    b"\xa1\xb2\xcd\x34": "pcap",  # modified
    b"\x34\xcd\xb2\xa1": "pcap",
    b"\x0a\x0d\x0d\x0a": "pcap",  # pcapng
}

_ZEEK_HEADERS = (b"#separator ", b"#set_separator\t", b"#fields\t")
_LINES = {
    "accesslog": accesslog.looks_like,
    "suricata": fast.looks_like,
    "cef": cef.looks_like,
    "auditd": auditd.looks_like,
    "syslog": syslog.looks_like,
}
_RECORDS: dict[str, Callable[[dict[Any, Any]], bool]] = {
    "zeek": is_record,
    "suricata": is_eve,
    "journald": is_entry,
    "windows": is_windows_event,
    "modsecurity": is_transaction,
    "osquery": is_result,
    "accesslog": named.is_request,  # behind these: they write requests under such names too
    "cloud": is_audit_record,  # last: Azure logs requests under the same keys
}
_OF_LINES = {".log", ".txt"}  # of which a first line `message` or `command` is no header
_LOOKED_AT = 100  # lines, spread over the start of the input
_CELL = re.compile(r"[\w .()/#-]{1,60}")

T = TypeVar("T")


def detect(source: Input, columns: Columns) -> str:
    """Detect the format of an input, as a key of `FORMATS`.

    Raises
    ------
    InputError
        If it is one that people pass by mistake, such as a zip archive, or no text at all.
    """
    for magic, name in _MAGIC.items():
        if source.head.startswith(magic):
            return name
    header = _by_header(source.head, columns, alone=_suffix(source.name) not in _OF_LINES)
    if header is None and (kind := kind_of(source.head)):  # behind a header of words, bytes are a table's cells
        raise InputError(f"{source.name}: {kind}; {EXPECTED}")
    found = "json" if source.head.startswith(SEPARATOR) else by_records(source.head, columns)
    found = found or ("json" if documents.looks_like(source.head) else None) or header
    if found is None and is_binary(source.head):
        raise InputError(f"{source.name}: binary data; {EXPECTED} (--format lines takes any bytes)")
    return found or _by_name(source.name) or ("jsonl" if source.head.lstrip().startswith(b"{") else "lines")


def by_records(head: bytes, columns: Columns) -> str | None:
    """Detect records that no other format has: JSON's, Zeek's, Suricata's, web servers' and syslog's.

    Half of the lines that are looked at must be such, because errors and tracebacks stand between them. Whoever names
    columns has a table.
    """
    lines = _sample(head)
    if not lines:
        return None
    if _half(containers.cri, lines):
        return "cri"
    if _half(containers.fluentd, lines):
        return "fluentd"
    if not columns.named:
        if lines[0].startswith(_ZEEK_HEADERS):
            return "zeek"
        if looks_like_export(head.lstrip()):
            return "journald"
        if w3c.looks_like(lines[0], head):
            return "w3c"
        if looks_like_serial(lines[0]):
            return "modsecurity"
        if is_windows_xml(head):
            return "windows"
        for name, looks_like in _LINES.items():
            if _half(looks_like, lines):
                return name
    records = [record for record in map(_json, lines) if record is not None]
    if not records or 2 * len(records) < len(lines):
        return None
    if _half(partial(_is_wrapped, columns=columns), records):
        return "docker"
    if not columns.named:
        for name, is_one in _RECORDS.items():
            if _half(is_one, records):
                return name
    return "envelope" if _half(partial(_is_enveloped, columns=columns), records) else "jsonl"


def _half(is_one: Callable[[T], object], among: Sequence[T]) -> bool:
    """Tell whether half of them are such; it looks no further than that takes."""
    needed = len(among) - len(among) // 2
    spare = len(among) - needed
    for each in among:
        if is_one(each):
            needed -= 1
        else:
            spare -= 1
        if not needed or spare < 0:
            break
    return not needed


def inside_container(head: bytes, columns: Columns, *, envelopes: bool = False) -> str:
    """Detect what a container wrote; where few of its lines are requests, as behind its greeting, those are."""
    found = by_records(head, columns)
    if found == "envelope" and not envelopes:
        return "jsonl"  # one is unwrapped: a document is found at one depth, however deeply it nests
    few = found is None and not columns.named and any(map(accesslog.looks_like, _sample(head)))
    return found or ("syslog" if few else "lines")


def _sample(head: bytes) -> list[bytes]:
    """Return whole lines that are not blank: all, or as many as are looked at, the first among them."""
    found = head.split(b"\n")
    lines = found[:-1] or found
    sample = lines[:: max(1, len(lines) // _LOOKED_AT)]
    if not all(map(bytes.strip, sample)):
        lines = [line for line in lines if line.strip()]
        sample = lines[:: max(1, len(lines) // _LOOKED_AT)]
    return [line.removesuffix(b"\r") for line in sample]


def _json(line: bytes) -> dict[Any, Any] | None:
    """Parse a line that is an object."""
    line = unframed(line).lstrip()
    if not line.startswith(b"{"):
        return None
    try:
        record = parse(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _is_wrapped(record: dict[Any, Any], columns: Columns) -> bool:
    """Tell whether a record holds the line of a container, unless its own columns are named."""
    return containers.is_docker(record) and not columns.named & record.keys()


def _is_enveloped(record: dict[Any, Any], columns: Columns) -> bool:
    """Tell whether a record is an envelope of others, unless columns of it are named."""
    return form_of(record) is not None and all(reach(record, name) is ABSENT for name in columns.named)


def _by_header(head: bytes, columns: Columns, *, alone: bool) -> str | None:
    """Detect a table by its first line, which names a column of text, `alone` if that may be the only one."""
    first = decoded(head.lstrip().split(b"\n", 1)[0]).strip()
    if csv_dialect.SEPARATOR.fullmatch(first.encode()):
        return "csv"
    names = {columns.text} if columns.text else set(DEFAULT_NAMES["text"])
    for name, delimiter in (("csv", ","), ("tsv", "\t"), ("csv", ";"), ("csv", "|")):
        cells = [cell.strip(' "') for cell in first.split(delimiter)]
        if not names & set(cells if columns.text else map(str.lower, cells)) or not all(map(_CELL.fullmatch, cells)):
            continue
        if alone or (len(cells) > 1 and _divides_most(delimiter.encode(), _sample(head.lstrip()))):
            return name
    return None


def _divides_most(delimiter: bytes, lines: list[bytes]) -> bool:
    return 2 * sum(delimiter in line for line in lines) > len(lines)


def _suffix(name: str) -> str:
    """Return the extension of a name, in small letters, less that of a compressed file."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _by_name(name: str) -> str | None:
    return EXTENSIONS.get(_suffix(name))
