"""Account for every record of a file, found by readers that share nothing with ours: an event, or rejected."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.accounts import carriers, lines, packets, tables
from fuzz.accounts.told import Told

LOST = tables.LOST
# one record a line
_ONE_A_LINE = ("lines", "jsonl", "accesslog", "auditd", "suricata", "windows", "zeek", "w3c", "cloud", "osquery")
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")  # how text in UTF-16 and UTF-32 begins, which is left to the tests

_OF_FORMAT: dict[str, Callable[[bytes, Told], None]] = {
    **dict.fromkeys(_ONE_A_LINE, lines.require_counted),
    "zeek": lines.require_counted_but_headers,
    "w3c": lines.require_counted_but_headers,
    **dict.fromkeys(("syslog", "cef"), carriers.require_messages),
    "docker": carriers.require_records_of_docker,
    "cri": carriers.require_records_of_cri,
    "journald": carriers.require_entries,
    "csv": tables.require_rows_of_csv,
    "tsv": tables.require_rows_of_tsv,
    "parquet": tables.require_rows_of_parquet,
    "pcap": packets.require_counted,
}


def require_counted(format: str, content: bytes, told: Told) -> None:
    """Raise `Broken` where a record is neither an event nor rejected, or is both; not every format is looked at."""
    is_xml = format == "windows" and content.lstrip().startswith(b"<")  # of which no record is a line
    if format in _OF_FORMAT and not content.startswith(_WIDE) and not is_xml:
        _OF_FORMAT[format](content, told)
